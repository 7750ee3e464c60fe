// What the Redis stores have in common: the client as they see it, and the names of keys.

/** A connection, as far as it is used: `Redis` of `ioredis` and what `createClient` of `redis` makes fit. */
export type RedisClient =
  | { call(command: string, ...args: string[]): PromiseLike<unknown> }
  | { sendCommand(args: string[]): PromiseLike<unknown> };

/** Options of every Redis store. */
export interface RedisOptions {
  /**
   * What every key begins with, in braces: a hash tag, by which a cluster keeps all of it on one node. It holds no
   * brace itself. Default `fhir-ws`.
   */
  readonly prefix?: string;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
}

/** Sends one command. */
export async function command(client: RedisClient, ...args: string[]): Promise<unknown> {
  if (!("call" in client)) return await client.sendCommand(args);
  const [name = "", ...rest] = args;
  return await client.call(name, ...rest);
}

/** Runs a script on the node of a key. What else it touches is decided by its arguments, and is on the same node. */
export type RedisScript = (client: RedisClient, key: string, args: readonly string[]) => Promise<unknown>;

/** A script that is sent once, then named by its digest: <https://redis.io/docs/latest/commands/evalsha/>. */
export function createScript(text: string): RedisScript {
  let name: Promise<string> | undefined;
  return async (client, key, args) => {
    name ??= digestOf(text);
    try {
      return await command(client, "EVALSHA", await name, "1", key, ...args);
    } catch (error) {
      if (!String(error).includes("NOSCRIPT")) throw error;
      return await command(client, "EVAL", text, "1", key, ...args);
    }
  };
}

/** SHA-1 is what Redis names scripts by; nothing rests on its strength. */
async function digestOf(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * How keys begin.
 *
 * @throws {TypeError} when the prefix cannot be a hash tag.
 */
export function tagOf(prefix = "fhir-ws"): string {
  if (prefix !== "" && !/[{}]/.test(prefix)) return `{${prefix}}`;
  throw new TypeError(`Cannot use prefix "${prefix}": it is empty or holds a brace`);
}

/** The elements of a reply that is an array. */
export function elementsOf(reply: unknown): readonly unknown[] {
  if (Array.isArray(reply)) return reply;
  throw new Error(`Cannot read the reply of Redis: it is of type "${typeof reply}", not an array`);
}
