// The Parameters resource, in and out: https://hl7.org/fhir/parameters.html

import { BindingError, type BindingIssue } from "../errors.ts";
import type { FhirResource } from "../types.ts";
import { isFhirId, items, member } from "./json.ts";

/** A FHIR id and where the caller wrote it. */
export interface AskedId {
  readonly id: string;
  /** FHIRPath, for `issue.expression`; none for the id in a path. */
  readonly expression?: string;
}

/** The answer of the operation; it fits the `Parameters` of `@types/fhir`. */
export interface BindingTokenParameters extends FhirResource {
  readonly resourceType: "Parameters";
  readonly parameter: {
    readonly name: "token" | "expiration" | "subscription" | "websocket-url";
    readonly valueString?: string;
    readonly valueDateTime?: string;
    readonly valueUrl?: string;
  }[];
}

/**
 * The `id` parameters of a body. Others are ignored; `valueString` is tolerated, as older drafts of the IG had it.
 *
 * @throws {BindingError} `invalid-body`, or `invalid-id` with one issue per bad id.
 */
export function readIdParameters(body: unknown): AskedId[] {
  const parameters = member(body, "parameter") ?? [];
  if (member(body, "resourceType") !== "Parameters" || !Array.isArray(parameters)) {
    throw new BindingError("invalid-body");
  }
  const asked: { id: unknown; expression: string }[] = [];
  for (const [n, parameter] of items(parameters).entries()) {
    const name = member(parameter, "name");
    if (typeof name !== "string") throw new BindingError("invalid-body");
    if (name === "id") asked.push({ id: readValue(parameter), expression: `Parameters.parameter[${n}]` });
  }
  return checkIds(asked);
}

/** inv-1: a parameter has exactly one of value, resource and part. */
function readValue(parameter: unknown): unknown {
  const values = Object.keys(Object(parameter)).filter((name) => /^(?:value|resource$|part$)/.test(name));
  const [only] = values;
  if (values.length !== 1 || (only !== "valueId" && only !== "valueString")) return undefined;
  return member(parameter, only);
}

/**
 * @throws {BindingError} `invalid-id` with one issue per bad id.
 */
export function checkIds(asked: readonly { id: unknown; expression?: string }[]): AskedId[] {
  const good: AskedId[] = [];
  const issues: BindingIssue[] = [];
  for (const { id, expression } of asked) {
    const where = expression === undefined ? {} : { expression };
    if (isFhirId(id)) good.push({ id, ...where });
    else issues.push({ code: "invalid-id", ...where });
  }
  if (issues.length > 0) throw new BindingError("invalid-id", undefined, { issues });
  return good;
}

/** The out parameters in the order of the operation's definition; `expiresAt` in whole seconds. */
export function bindingTokenParameters(
  token: string,
  expiresAt: number,
  subscriptions: readonly string[],
  websocketUrl: string,
): BindingTokenParameters {
  return {
    resourceType: "Parameters",
    parameter: [
      { name: "token", valueString: token },
      { name: "expiration", valueDateTime: new Date(expiresAt * 1000).toISOString() },
      ...subscriptions.map((id) => ({ name: "subscription" as const, valueString: id })),
      { name: "websocket-url", valueUrl: websocketUrl },
    ],
  };
}
