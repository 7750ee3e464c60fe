// The Parameters resource, in and out: https://hl7.org/fhir/parameters.html

import { BindingError } from "../errors.ts";
import type { FhirResource } from "../types.ts";
import { items, member } from "./json.ts";

/** The value of a parameter, which nobody has checked, and where the caller wrote it. */
export interface AskedValue {
  readonly value: unknown;
  /** FHIRPath, for `issue.expression`; none for the id in a path. */
  readonly expression?: string;
}

/** Such a value that was found to be a FHIR id. */
export interface AskedId extends AskedValue {
  readonly value: string;
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

/** The error of values that cannot be read: one issue each. Without a text they have the code's own. */
export function valueError(
  code: "invalid-id" | "invalid-value",
  asked: readonly AskedValue[],
  text?: string,
): BindingError {
  const issues = asked.map(({ expression }) => ({
    code,
    ...(text !== undefined && { text }),
    ...(expression !== undefined && { expression }),
  }));
  return new BindingError(code, undefined, { issues });
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
