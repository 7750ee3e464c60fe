// Reading what a server sent, whatever it is.

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
    return JSON.parse(`${json}`);
  } catch {
    return undefined;
  }
}

/** A string or number as text, of a Reference what it refers to; empty for anything else, which may have no text. */
export function text(value: Loose | undefined): string {
  const said: unknown = value?.reference ?? value;
  return typeof said === "object" ? "" : `${said ?? ""}`;
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

/** The first value of a name, as text. */
export function first(source: Loose | undefined, name: string): string {
  return text(all(source, name)[0]);
}

/** The ids of Subscriptions in references, absolute or relative, or by themselves, also in a list with commas. */
export function idsOf(references: string): string[] {
  return references.split(",").map((one) => one.trim().replace(/^(?:.*\/)?Subscription\/([^/]+).*/, "$1"));
}
