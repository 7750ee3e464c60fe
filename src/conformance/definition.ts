// OperationDefinition: https://hl7.org/fhir/operationdefinition.html

import { checkEndpoint } from "../setup.ts";
import type { FhirEndpoint, FhirResource } from "../types.ts";
import { canonicalOf, type OperationParameter, OPERATIONS, type SubscriptionOperation } from "./operations.ts";

/** An OperationDefinition of a host. */
export interface SubscriptionOperationDefinition extends FhirResource {
  /** Always that. */
  readonly resourceType: "OperationDefinition";
  /** `Subscription-` and the code: where the host serves it below `OperationDefinition`. */
  readonly id: string;
  /** Where it is served. */
  readonly url: string;
  /** For code. */
  readonly name: string;
  /** For people. */
  readonly title: string;
  /** Always that. */
  readonly status: "active";
  /** Always that. */
  readonly kind: "operation";
  /** What it does. */
  readonly description: string;
  /** True of the token in R5 alone, as HL7 has it. */
  readonly affectsState: boolean;
  /** In the URL, behind `$`. */
  readonly code: string;
  /** HL7's canonical, of which this is the host's own. */
  readonly base: string;
  /** Always that. */
  readonly resource: "Subscription"[];
  /** Never. */
  readonly system: boolean;
  /** Whether it may be called on the type. */
  readonly type: boolean;
  /** Always. */
  readonly instance: boolean;
  /** In and out. */
  readonly parameter: OperationParameter[];
}

/**
 * An OperationDefinition of the host's own, with `base` = HL7's canonical. All three operations are answered in full,
 * by GET and POST: a CapabilityStatement may name HL7's canonical instead, as that of `subscriptionCapability` does.
 *
 * [OperationDefinition](https://hl7.org/fhir/operationdefinition.html)
 *
 * @throws {TypeError} when the base is no absolute http URL.
 *
 * @example
 * ```ts
 * import { operationDefinition } from "@fhir-ws/binding/conformance";
 *
 * const endpoint = { base: "https://example.org/fhir/R5", fhirVersion: "R5" as const };
 * const { url, affectsState } = operationDefinition(endpoint, "get-ws-binding-token");
 * if (url !== "https://example.org/fhir/R5/OperationDefinition/Subscription-get-ws-binding-token") throw new Error("unreachable");
 * if (!affectsState) throw new Error("unreachable");
 * ```
 */
export function operationDefinition(
  endpoint: Pick<FhirEndpoint, "base" | "fhirVersion">,
  operation: SubscriptionOperation,
): SubscriptionOperationDefinition {
  checkEndpoint(endpoint);
  const { base, fhirVersion } = endpoint;
  const { name, title, description, type, affectsState, parameters } = OPERATIONS[operation];
  const id = `Subscription-${operation}`;
  return {
    resourceType: "OperationDefinition",
    id,
    url: `${base}/OperationDefinition/${id}`,
    name,
    title,
    status: "active",
    kind: "operation",
    description,
    affectsState: affectsState && fhirVersion === "R5",
    code: operation,
    base: canonicalOf(operation, fhirVersion),
    resource: ["Subscription"],
    system: false,
    type,
    instance: true,
    parameter: parameters(fhirVersion),
  };
}
