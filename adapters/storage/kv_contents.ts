// Where the KV adapter keeps what its event log's entries are about.

import type { LoggedEvent, NotificationEvent } from "../../src/types.ts";
import { decode, getAll, type KvDatabase, type KvEntry, type KvKey, MAX_VALUE, writeEach } from "./kv_database.ts";

/** Bytes that the copies of an event may have together; a larger one is stored once, and entries refer to it. */
const COPIES = 60_000;
/** Parts of a large event that are written at once (KV takes 819200 bytes). */
const PARTS = 10;

/** An event as bytes of JSON, or where these are. */
export type Content = { readonly bytes: Uint8Array } | { readonly event: string; readonly parts: number };

/** The events of a log, beside the numbers that they have there. */
export interface Contents {
  /** What an entry holds of an event that has so many entries. */
  put(bytes: Uint8Array, copies: number): Promise<Content>;
  /** The events of some entries, in their order. */
  read(rows: readonly KvEntry[]): Promise<readonly LoggedEvent[]>;
}

/** The events themselves: in their entries, or in parts beside them that expire by themselves. */
export function createContents(kv: KvDatabase, prefix: readonly string[], expireIn: number): Contents {
  function partKeys(event: string, parts: number): KvKey[] {
    return Array.from({ length: parts }, (_, part) => [...prefix, "event", event, part]);
  }
  return {
    async put(bytes, copies) {
      if (bytes.length * copies <= COPIES) return { bytes };
      const event = crypto.randomUUID();
      const keys = partKeys(event, Math.ceil(bytes.length / MAX_VALUE));
      await writeEach(kv, keys, PARTS, (atomic, key) => {
        const start = Number(key.at(-1)) * MAX_VALUE;
        return atomic.set(key, bytes.slice(start, start + MAX_VALUE), { expireIn });
      });
      return { event, parts: keys.length };
    },
    async read(rows) {
      const entries = rows.map(({ value }) => value as Content); // see append
      const keys = entries.flatMap((entry) => "bytes" in entry ? [] : partKeys(entry.event, entry.parts));
      const parts = (await getAll(kv, keys)).map(({ value }) => value);
      return entries.map((entry, n): LoggedEvent => {
        const bytes = "bytes" in entry ? [entry.bytes] : parts.splice(0, entry.parts);
        return { ...decode<NotificationEvent>(...bytes), number: Number(rows[n]?.key.at(-1)) };
      });
    },
  };
}
