// Reading what a server sent, whatever it is.

import type { ReceivedIssue } from "./types.ts";

/** A member of an object; `undefined` of anything else. */
export function get(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name] // its own member, as just seen
    : undefined;
}

/** The items of an array; none of anything else. */
export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A string that is not empty. */
export function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** A string or number as text, empty for anything else: there are objects that nothing can make a text of. */
export function plain(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

/** `undefined` where it is no JSON: what the parser says would quote it, secrets included. */
export function parse(json: unknown): unknown {
  try {
    return JSON.parse(String(json));
  } catch {
    return undefined;
  }
}

/** The values of the parameters of a name: R4, older drafts and other servers write `value[x]` with various types. */
export function values(parameters: unknown, name: string): unknown[] {
  return list(parameters).filter((one) => get(one, "name") === name).map((one) => {
    const key = Object.keys(one as object).find((member) => member.startsWith("value")); // it has a name: an object
    return key === undefined ? get(one, "part") : get(one, key);
  });
}

/** The id of a Subscription in a reference, absolute or relative, or by itself. */
export function idOf(reference: unknown): string | undefined {
  const written = text(get(reference, "reference") ?? reference)?.trim();
  return /(?:^|\/)Subscription\/([^/]+)/.exec(written ?? "")?.[1] ?? written;
}

/** The issues of an OperationOutcome; `undefined` of anything else. */
export function issuesOf(outcome: unknown): readonly ReceivedIssue[] | undefined {
  if (get(outcome, "resourceType") !== "OperationOutcome") return undefined;
  return list(get(outcome, "issue")).map((issue) => {
    const diagnostics = text(get(issue, "diagnostics"));
    const said = text(get(get(issue, "details"), "text")) ?? diagnostics;
    const [, subscription] = /^Subscription\/([A-Za-z0-9\-.]{1,64})$/.exec(diagnostics ?? "") ?? [];
    return {
      severity: text(get(issue, "severity")) ?? "error",
      code: text(get(issue, "code")) ?? "",
      text: said,
      subscription,
    };
  });
}
