// Reading what a server sent, whatever it is.

import type { ReceivedIssue } from "./types.ts";

/**
 * What JSON holds. None of it is sure: a member may be missing, `null` or anything else, whose members are missing
 * then. `text` and `list` make of it what it should be.
 */
export interface Loose {
  readonly [member: string]: Loose | undefined;
}

/** `undefined` where it is no JSON: what the parser says would quote it, secrets included. */
export function parse(json: unknown): Loose | undefined {
  try {
    return JSON.parse(String(json));
  } catch {
    return undefined;
  }
}

/** A string or number as text, empty for anything else: there are objects that nothing can make a text of. */
export function text(value: unknown): string {
  return typeof value === "object" ? "" : String(value ?? "");
}

/** The items of an array, or the one that stands for it. */
export function list(value: Loose | undefined): Loose[] {
  return [value ?? []].flat() as Loose[]; // of whatever kind
}

/**
 * The values of a name: in an object its member, in Parameters those with that name, written with hyphens and without
 * capitals. R4, older drafts and other servers write `value[x]` with various types.
 */
export function all(source: Loose | undefined, name: string): (Loose | undefined)[] {
  if (!Array.isArray(source)) return list(source?.[name]);
  const written = name.replace(/[A-Z]/g, "-$&").toLowerCase();
  return list(source).filter((one) => text(one?.name) === written).map((one) =>
    Object.entries(one).find(([member]) => member.startsWith("value"))?.[1] ?? one.part
  );
}

/** The first value of a name. */
export function first(source: Loose | undefined, name: string): Loose | undefined {
  return all(source, name)[0];
}

/** The ids of Subscriptions in a reference, absolute or relative, by themselves, or in a list with commas. */
export function idsOf(reference: Loose | undefined): string[] {
  const written = text(reference?.reference ?? reference).split(",");
  return written.map((one) => one.trim().replace(/^(?:.*\/)?Subscription\/([^/]+).*/, "$1"));
}

/** The issues of an OperationOutcome. */
export function issuesOf(outcome: Loose | undefined): ReceivedIssue[] {
  return list(outcome?.issue).map((issue) => {
    const diagnostics = text(issue?.diagnostics);
    return {
      severity: text(issue?.severity) || "error",
      code: text(issue?.code),
      text: text(issue?.details?.text) || diagnostics || undefined,
      subscription: /^Subscription\/([A-Za-z0-9\-.]{1,64})$/.exec(diagnostics)?.[1],
    };
  });
}
