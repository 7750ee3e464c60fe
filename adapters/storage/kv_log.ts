// The event log of the KV adapter.

import type { EventLog } from "../../src/types.ts";
import { withoutGap } from "./event_page.ts";
import { check, checkLimits } from "./limits.ts";
import { type Content, createContents } from "./kv_contents.ts";
import {
  change,
  encode,
  getAll,
  groupsOf,
  keyOf,
  keySize,
  type KvDatabase,
  type KvKey,
  type KvOptions,
  listAll,
  MAX_CHECKS,
  untilCommitted,
  writeEach,
} from "./kv_database.ts";

/** Options of `createKvEventLog`. */
export interface KvEventLogOptions extends KvOptions {
  /** Events kept per key. Default 1000. */
  readonly maxEvents?: number;
  /** Seconds for which an event is kept. Default 86400; not `Infinity`, since KV frees space by age. */
  readonly maxAge?: number;
}

/** Milliseconds for which KV keeps what is not read any more. */
const GRACE = 600_000;
/** Keys that one atomic operation appends to, with three mutations each (KV takes 1000). */
const GROUP_KEYS = 300;
/** Bytes of all the keys that it writes (KV takes 81920). */
const GROUP_BYTES = 75_000;
/** Entries that are deleted at once. */
const DELETES = 500;
/** Entries that are read at once in search of the first that is not too old. */
const SEARCHED = 10;

/** What stands under a key of the log. */
interface Head {
  readonly head: number;
  /** The number of the first entry that nobody has pruned for its place; what stands before it is not read. */
  readonly oldest: number;
  /** The place of its entries: another one after every drop. */
  readonly life: string;
}

/** One event of one key. */
type Entry = Content & { readonly at: number };

/**
 * The events of every base and process that share the database.
 *
 * An append to up to 300 keys (fewer when they have more than some 100 characters) is one atomic operation. Beyond
 * that, each further group of keys is another one: a reader may see the first group before the last, and when the
 * database fails in between, `append` throws while the groups before stay. Numbers have no gap or repeat in any case.
 *
 * What is older than `maxAge` is not read any more; KV removes it some time later.
 *
 * @throws {RangeError} when `maxEvents` is no positive integer or `maxAge` not positive and finite; later, and before
 * anything is written, when a key is longer than KV takes.
 *
 * @example
 * ```ts
 * import { createKvEventLog } from "@fhir-ws/binding/storage/kv";
 *
 * const kv = await Deno.openKv(":memory:");
 * const log = createKvEventLog(kv, { maxEvents: 100 });
 * const numbers = await log.append(["a", "b"], { interaction: "create", focus: "Patient/p1" });
 * kv.close();
 * if (numbers.join() !== "1,1") throw new Error("unreachable");
 * ```
 */
export function createKvEventLog(kv: KvDatabase, options: KvEventLogOptions = {}): EventLog {
  const { prefix = ["fhir-ws"], maxEvents = 1000, maxAge = 86_400, now = Date.now } = options;
  checkLimits(maxEvents, maxAge);
  check("maxAge", maxAge, maxAge < Infinity);
  const lifetime = Math.ceil(maxAge * 1000) + GRACE;
  const contents = createContents(kv, prefix, lifetime + GRACE);

  /** Whoever writes a head writes this: one check of it guards all heads. */
  const shard = [...prefix, "shard", 0];

  function headKey(key: string): KvKey {
    return keyOf(...prefix, "head", key);
  }
  function entriesKey(life: string): KvKey {
    return [...prefix, "entry", life];
  }

  /** Deletes the entries of a place that have a lower number than `end`. */
  async function deleteEntries(life: string, end = Number.MAX_SAFE_INTEGER): Promise<void> {
    const prefix = entriesKey(life);
    const found = await listAll(kv, { prefix, end: [...prefix, end] }, { batchSize: DELETES });
    const keys = found.map(({ key }) => key as KvKey); // `appendTo` wrote them
    await writeEach(kv, keys, DELETES, (atomic, key) => atomic.delete(key));
  }

  /** Gives the number under each key, or `undefined` when somebody else wrote in between. */
  async function appendTo(keys: readonly string[], entry: Entry): Promise<number[] | undefined> {
    // A few heads guard themselves. Many are guarded by the shard, which has to be read before them.
    const guards = keys.length > MAX_CHECKS ? await getAll(kv, [shard]) : undefined;
    const heads = await getAll(kv, keys.map(headKey));
    const atomic = kv.atomic().check(...guards ?? heads).set(shard, true);
    const numbers = [];
    for (const { key, value } of heads) {
      const found = value as Head | null; // as the next lines write it
      const { head, life, oldest } = found ?? { head: 0, oldest: 1, life: crypto.randomUUID() };
      // The rest of what is too much, where somebody kept more. It goes beforehand: readers see a gap, and no repeat.
      if (head - maxEvents >= oldest) await deleteEntries(life, head - maxEvents + 1);
      const next: Head = { head: head + 1, life, oldest: Math.max(oldest, head + 2 - maxEvents) };
      atomic.set(key, next).set([...entriesKey(life), next.head], entry, { expireIn: lifetime });
      if (next.oldest > oldest) atomic.delete([...entriesKey(life), next.oldest - 1]);
      numbers.push(next.head);
    }
    return (await atomic.commit()).ok ? numbers : undefined;
  }

  /** The number of the first entry that is still read. */
  async function findOldest({ head, life, oldest }: Head): Promise<number> {
    const prefix = entriesKey(life);
    const start = [...prefix, Math.max(oldest, head - maxEvents + 1)];
    for await (const { key, value } of kv.list({ prefix, start }, { batchSize: SEARCHED })) {
      if ((value as Entry).at >= now() - maxAge * 1000) return Number(key.at(-1)); // entries have numbers
    }
    return head + 1;
  }

  return {
    async append(keys, event) {
      if (keys.length === 0) return [];
      const distinct = [...new Set(keys)];
      const longest = distinct.reduce((size, key) => Math.max(size, keySize(headKey(key))), 0);
      const bytes = longest + 2 * keySize([...entriesKey(crypto.randomUUID()), 1]);
      const groups = groupsOf(distinct, Math.min(GROUP_KEYS, Math.floor(GROUP_BYTES / bytes)));
      const entry: Entry = { at: now(), ...await contents.put(encode(event), distinct.length) };
      const given: number[] = [];
      for (const group of groups) given.push(...await untilCommitted(() => appendTo(group, entry)));
      const numbers = new Map(distinct.map((key, n) => [key, given[n] ?? 0]));
      return keys.map((key) => numbers.get(key) ?? 0);
    },
    async read(key, after, limit) {
      const found = (await kv.get(headKey(key))).value as Head | null; // as `appendTo` writes it
      if (found === null) return { events: [], oldest: 1, head: 0 };
      const oldest = await findOldest(found);
      const prefix = entriesKey(found.life);
      const start = [...prefix, Math.max(after + 1, oldest)];
      const entries = limit > 0 ? await listAll(kv, { prefix, start }, { limit }) : [];
      const events = await contents.read(entries);
      // An event that was appended meanwhile is the head by now.
      const head = Math.max(found.head, events.at(-1)?.number ?? 0);
      return withoutGap({ events, oldest, head }, after, limit);
    },
    async heads(keys) {
      const heads = await getAll(kv, keys.map(headKey));
      return heads.map(({ value }) => (value as Head | null)?.head ?? 0); // as `appendTo` writes it
    },
    async drop(key) {
      let head = null as Head | null; // what the callback finds
      await change(kv, headKey(key), (value, atomic) => {
        head = value as Head | null;
        atomic.delete(headKey(key)).set(shard, true);
        return undefined;
      });
      if (head) await deleteEntries(head.life);
    },
  };
}
