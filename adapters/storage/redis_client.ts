// What the Redis stores have in common: the client as they see it, and the names of keys.

/** A connection, as far as it is used: `Redis` of `ioredis` and what `createClient` of `redis` makes fit. */
export type RedisClient =
  | { call(command: string, ...args: string[]): PromiseLike<unknown> }
  | { sendCommand(args: string[]): PromiseLike<unknown> };

/** Options of every Redis store. */
export interface RedisOptions {
  /**
   * What every key begins with, in braces: a hash tag, by which a cluster keeps all of it on one node. It holds no brace
   * itself. Default `fhir-ws`.
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

/** Runs a script; what it touches is decided by its arguments, and all of it is on the node of its one key. */
export async function run(client: RedisClient, script: string, key: string, args: readonly string[]): Promise<unknown> {
  return await command(client, "EVAL", script, "1", key, ...args);
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
