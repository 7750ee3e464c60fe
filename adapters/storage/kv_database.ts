// What the three Deno KV stores have in common: the database as they see it, its limits, and optimistic writing.

/** A key, as far as one is written here. */
export type KvKey = readonly (string | number)[];

/** What is, or is not, under a key. */
export interface KvEntry {
  /** As it was asked for or, from `list`, found. */
  readonly key: readonly unknown[];
  /** `null` when there is nothing. */
  readonly value: unknown;
  /** `null` when there is nothing. */
  readonly versionstamp: string | null;
}

/** A key, and which version of it was read. */
export interface KvCheck {
  /** The key. */
  readonly key: KvKey;
  /** `null` when there was nothing. */
  readonly versionstamp: string | null;
}

/** Writes that happen together, or not at all when a check fails. */
export interface KvAtomic {
  /** Lets nothing happen when a key has another version by now. */
  check(...checks: KvCheck[]): KvAtomic;
  /** Writes a value, for so many milliseconds. */
  set(key: KvKey, value: unknown, options?: { expireIn?: number }): KvAtomic;
  /** Removes a key. */
  delete(key: KvKey): KvAtomic;
  /** Adds to a number. */
  sum(key: KvKey, n: bigint): KvAtomic;
  /** Does it. */
  commit(): Promise<{ readonly ok: boolean }>;
}

/** A database, as far as it is used: `Deno.Kv` and the `Kv` of npm's `@deno/kv` fit. */
export interface KvDatabase {
  /** What is under a key. */
  get(key: KvKey): Promise<KvEntry>;
  /** What is under at most ten keys. */
  getMany(keys: readonly KvKey[]): Promise<readonly KvEntry[]>;
  /** What is under the keys that begin with a prefix, in their order: from `start` on, or up to and without `end`. */
  list(
    selector: { readonly prefix: KvKey; readonly start?: KvKey; readonly end?: KvKey },
    options?: { limit?: number; batchSize?: number },
  ): AsyncIterable<KvEntry>;
  /** Begins an atomic operation. */
  atomic(): KvAtomic;
}

/** Options of every KV store. */
export interface KvOptions {
  /** The first parts of every key. Default `["fhir-ws"]`. */
  readonly prefix?: readonly string[];
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
}

const utf8 = new TextEncoder();

// Deno KV and @deno/kv have limits of their own; these are the lower ones.
/** Checks in one atomic operation. */
export const MAX_CHECKS = 10;
/** Bytes of a value, as an array of bytes. */
export const MAX_VALUE = 65_536;
/** Bytes of a key. */
const MAX_KEY = 2048;
/** Keys that one `getMany` takes. */
const MAX_READS = 10;

/** Attempts at a write that others get in the way of; waiting grows to 64 ms. */
const ATTEMPTS = 100;

/** Bytes of a key as KV writes it. */
export function keySize(key: KvKey): number {
  // A part has a mark at its start and, when it is a text, at its end, and U+0000 is written as two bytes; a number
  // takes eight.
  return key.reduce<number>(
    (sum, part) => sum + (typeof part === "string" ? utf8.encode(part.replaceAll("\0", "\0\0")).length + 2 : 9),
    0,
  );
}

/**
 * A key that KV takes.
 *
 * @throws {RangeError} when it is too long.
 */
export function keyOf(...parts: KvKey): KvKey {
  checkSize("key", keySize(parts), MAX_KEY);
  return parts;
}

/** JSON as bytes: the one form of value whose size is known beforehand. */
export function encode(value: unknown): Uint8Array {
  return utf8.encode(JSON.stringify(value));
}

/**
 * JSON as bytes that fit in one value.
 *
 * @throws {RangeError} when they do not.
 */
export function encodeSmall(value: unknown): Uint8Array {
  const bytes = encode(value);
  checkSize("value", bytes.length, MAX_VALUE);
  return bytes;
}

function checkSize(what: string, size: number, limit: number): void {
  if (size > limit) throw new RangeError(`Cannot store a ${what}: it has "${size}" bytes, and KV takes "${limit}"`);
}

/**
 * What `encode` was given, from its bytes, whole or in parts.
 *
 * @throws {Error} when a part is gone.
 */
export function decode<T>(...parts: readonly unknown[]): T {
  if (parts.includes(null)) throw new Error("Cannot read a value: a part of it is gone");
  const decoder = new TextDecoder();
  // Only bytes are written where this reads.
  return JSON.parse(parts.map((part) => decoder.decode(part as Uint8Array, { stream: true })).join(""));
}

/** Puts items together, as many at a time as fit. */
export function groupsOf<T>(items: readonly T[], size: number): readonly T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, n) => items.slice(n * size, (n + 1) * size));
}

/** All that a list has; Node 20 cannot make an array of it by itself. */
export async function listAll(kv: KvDatabase, ...which: Parameters<KvDatabase["list"]>): Promise<KvEntry[]> {
  const found: KvEntry[] = [];
  for await (const entry of kv.list(...which)) found.push(entry);
  return found;
}

/** What is under any number of keys, in their order. */
export async function getAll(kv: KvDatabase, keys: readonly KvKey[]): Promise<readonly (KvEntry & KvCheck)[]> {
  const entries = (await Promise.all(groupsOf(keys, MAX_READS).map((some) => kv.getMany(some)))).flat();
  return keys.map((key, index) => {
    const { value = null, versionstamp = null } = entries[index] ?? {};
    return { key, value, versionstamp };
  });
}

/**
 * Reads, decides and commits until nobody gets in between.
 *
 * @param attempt gives `undefined` when its commit failed a check.
 * @throws {Error} when others get in between again and again.
 */
export async function untilCommitted<T>(attempt: () => Promise<T | undefined>): Promise<T> {
  for (let failed = 0; failed < ATTEMPTS; failed++) {
    const result = await attempt().catch((error) => {
      // A KV in a file throws when another process writes at the same moment, and has written nothing itself.
      if (!String(error).includes("database is locked")) throw error;
    });
    if (result !== undefined) return result;
    // By chance, so that those who met do not meet again.
    const pause = Math.random() * 2 ** Math.min(failed, 6);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
  throw new Error(`Cannot write: others were faster "${ATTEMPTS}" times`);
}

/** An answer; none when something is to be written, then the answer is true. */
export type Decision = boolean | undefined;

/**
 * Decides what becomes of a key, anew whenever somebody else wrote it meanwhile.
 *
 * @param decide is told what is there, and adds what it writes to the operation that it is given.
 */
export function change(
  kv: KvDatabase,
  key: KvKey,
  decide: (value: unknown, atomic: KvAtomic) => Decision | Promise<Decision>,
): Promise<boolean> {
  return untilCommitted(async () => {
    const { value, versionstamp } = await kv.get(key);
    const atomic = kv.atomic().check({ key, versionstamp });
    return await decide(value, atomic) ?? ((await atomic.commit()).ok || undefined);
  });
}

/** Writes to keys, as many at a time as fit, without a look at what is there. */
export async function writeEach(
  kv: KvDatabase,
  keys: readonly KvKey[],
  size: number,
  add: (atomic: KvAtomic, key: KvKey) => KvAtomic,
): Promise<void> {
  for (const some of groupsOf(keys, size)) {
    await untilCommitted(async () => (await some.reduce(add, kv.atomic()).commit()).ok || undefined);
  }
}
