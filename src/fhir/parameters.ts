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

/** The value of a parameter, which nobody has checked, and where the caller wrote it. */
export interface AskedValue {
  readonly value: unknown;
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
 * The parameters of a body that have this name, as any of these `value[x]`, else without a value. Others are ignored.
 *
 * @throws {BindingError} `invalid-body`.
 */
export function readParameters(body: unknown, name: string, types: readonly string[]): AskedValue[] {
  const parameters = member(body, "parameter") ?? [];
  if (member(body, "resourceType") !== "Parameters" || !Array.isArray(parameters)) {
    throw new BindingError("invalid-body");
  }
  const asked: AskedValue[] = [];
  for (const [n, parameter] of items(parameters).entries()) {
    const its = member(parameter, "name");
    if (typeof its !== "string") throw new BindingError("invalid-body");
    if (its === name) asked.push({ value: readValue(parameter, types), expression: `Parameters.parameter[${n}]` });
  }
  return asked;
}

/** inv-1: a parameter has exactly one of value, resource and part. */
function readValue(parameter: unknown, types: readonly string[]): unknown {
  const values = Object.keys(Object(parameter)).filter((name) => /^(?:value|resource$|part$)/.test(name));
  const [only] = values;
  return values.length === 1 && only !== undefined && types.includes(only) ? member(parameter, only) : undefined;
}

/**
 * @throws {BindingError} `invalid-id` with one issue per bad id.
 */
export function checkIds(asked: readonly AskedValue[]): AskedId[] {
  const good: AskedId[] = [];
  const issues: BindingIssue[] = [];
  for (const { value, expression } of asked) {
    const where = expression === undefined ? {} : { expression };
    if (isFhirId(value)) good.push({ id: value, ...where });
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
      { name: "expiration", valueDateTime: dateTime(expiresAt) },
      ...subscriptions.map((id) => ({ name: "subscription" as const, valueString: id })),
      { name: "websocket-url", valueUrl: websocketUrl },
    ],
  };
}

let latest = { seconds: NaN, text: "" };

/** Whole seconds as FHIR writes them. Under load many tokens end in the same one, and formatting it is dear. */
function dateTime(seconds: number): string {
  if (seconds !== latest.seconds) latest = { seconds, text: new Date(seconds * 1000).toISOString() };
  return latest.text;
}
