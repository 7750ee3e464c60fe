// CapabilityStatement: https://hl7.org/fhir/capabilitystatement.html

import { backport } from "../fhir/version.ts";
import type { FhirVersion } from "../types.ts";
import { canonicalOf, type SubscriptionOperation } from "./operations.ts";

/** What a host tells of itself. */
export interface SubscriptionCapabilityOptions {
  /** The version of the base. */
  readonly fhirVersion: FhirVersion;
  /** Where clients connect: what the operation answers as `websocket-url`. */
  readonly websocketUrl: string;
  /** What the host routes to the library. Default: all three. */
  readonly operations?: readonly SubscriptionOperation[];
  /** Canonicals of the topics that a client may subscribe to. In R5 they are resources and not listed here. */
  readonly topics?: readonly string[];
}

/** Parts of a CapabilityStatement, to be merged into a host's own; they fit those of `@types/fhir`. */
export interface SubscriptionCapability {
  /** For `rest[].extension`. */
  readonly extension: { readonly url: string; readonly valueUri: string }[];
  /** For `rest[].resource[]`, beside the interactions that the host has there. */
  readonly resource: {
    readonly type: "Subscription";
    readonly extension?: { readonly url: string; readonly valueCanonical: string }[];
    readonly supportedProfile?: string[];
    readonly operation: { readonly name: string; readonly definition: string }[];
  };
}

const WEBSOCKET = "http://hl7.org/fhir/StructureDefinition/capabilitystatement-websocket";

/**
 * What a base that uses this library says of its Subscriptions in its CapabilityStatement: the operations under HL7's
 * canonicals and their names without `$`, the IG's profile in R4 and R4B, its topics, and where the sockets are, for
 * clients older than `websocket-url`.
 *
 * [Backport IG, CapabilityStatements](https://hl7.org/fhir/uv/subscriptions-backport/artifacts.html#behavior-capability-statements)
 *
 * @example
 * ```ts
 * import { subscriptionCapability } from "@fhir-ws/binding/conformance";
 *
 * const { extension, resource } = subscriptionCapability({ fhirVersion: "R4", websocketUrl: "wss://example.org/ws" });
 * const rest = [{
 *   mode: "server",
 *   extension,
 *   resource: [{ ...resource, interaction: [{ code: "create" }, { code: "read" }] }, { type: "Patient" }],
 * }];
 * if (rest[0]?.extension[0]?.valueUri !== "wss://example.org/ws") throw new Error("unreachable");
 * ```
 */
export function subscriptionCapability(
  { fhirVersion, websocketUrl, operations = ["get-ws-binding-token", "status", "events"], topics = [] }:
    SubscriptionCapabilityOptions,
): SubscriptionCapability {
  const listed = fhirVersion === "R5" ? [] : topics;
  return {
    extension: [{ url: WEBSOCKET, valueUri: websocketUrl }],
    resource: {
      type: "Subscription",
      ...(listed.length > 0 && {
        extension: listed.map((topic) => ({
          url: backport("capabilitystatement-subscriptiontopic-canonical"),
          valueCanonical: topic,
        })),
      }),
      ...(fhirVersion !== "R5" && { supportedProfile: [backport("backport-subscription")] }),
      operation: operations.map((name) => ({ name, definition: canonicalOf(name, fhirVersion) })),
    },
  };
}
