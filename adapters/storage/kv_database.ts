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
  // A part has a mark at its start and, when it is a text, at its end; a number takes eight bytes.
  return key.reduce<number>((sum, part) => sum + (typeof part === "string" ? textSize(part) + 2 : 9), 0);
}

/**
 * A key that KV takes.
 *
 * @throws {RangeError} when it is too long.
 */
export function keyOf(...parts: KvKey): KvKey {
  const size = keySize(parts);
  if (size <= MAX_KEY) return parts;
  throw new RangeError(`Cannot make a key: it has "${size}" bytes, and KV takes "${MAX_KEY}"`);
}

/** Bytes in UTF-8, where U+0000 is written as two. */
function textSize(text: string): number {
  let size = 0;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    // Each half of a surrogate pair makes two of its four bytes.
    const isSurrogate = unit >= 0xd800 && unit < 0xe000;
    size += unit === 0 ? 2 : unit < 0x80 ? 1 : unit < 0x800 || isSurrogate ? 2 : 3;
  }
  return size;
}

/** JSON as bytes: the one form of value whose size is known beforehand. */
export function encode(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/**
 * JSON as bytes that fit into one value.
 *
 * @throws {RangeError} when they do not.
 */
export function encodeSmall(what: string, value: unknown): Uint8Array {
  const bytes = encode(value);
  if (bytes.length <= MAX_VALUE) return bytes;
  throw new RangeError(`Cannot store the ${what}: it has "${bytes.length}" bytes, and KV takes "${MAX_VALUE}"`);
}

/**
 * What `encode` was given, from its bytes, whole or in parts.
 *
 * @throws {Error} when a part is gone.
 */
export function decode<T>(...parts: readonly (Uint8Array | null)[]): T {
  const decoder = new TextDecoder();
  const texts = parts.map((part) => {
    if (part === null) throw new Error("Cannot read a value: a part of it is gone");
    return decoder.decode(part, { stream: true });
  });
  return JSON.parse(texts.join(""));
}

/** What is under any number of keys, in their order. */
export async function getAll(kv: KvDatabase, keys: readonly KvKey[]): Promise<readonly (KvEntry & KvCheck)[]> {
  const reads = [];
  for (let start = 0; start < keys.length; start += MAX_READS) {
    reads.push(kv.getMany(keys.slice(start, start + MAX_READS)));
  }
  const entries = (await Promise.all(reads)).flat();
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
  let locked: unknown;
  for (let failed = 0; failed < ATTEMPTS; failed++) {
    try {
      const result = await attempt();
      if (result !== undefined) return result;
    } catch (error) {
      // A KV in a file throws when another process writes at the same moment, and has written nothing itself.
      if (!String(error).includes("database is locked")) throw error;
      locked = error;
    }
    // By chance, so that those who met do not meet again.
    const pause = Math.random() * 2 ** Math.min(failed, 6);
    await new Promise<void>((resolve) => setTimeout(resolve, pause));
  }
  throw new Error(`Cannot write: others were faster "${ATTEMPTS}" times`, { cause: locked });
}

/** Does what checks nothing. */
export async function write(kv: KvDatabase, fill: (atomic: KvAtomic) => KvAtomic): Promise<void> {
  await untilCommitted(async () => (await fill(kv.atomic()).commit()).ok || undefined);
}
