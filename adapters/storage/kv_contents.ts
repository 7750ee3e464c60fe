// Where the KV adapter keeps what its event log's entries are about.

import type { LoggedEvent, NotificationEvent } from "../../src/types.ts";
import { decode, getAll, type KvDatabase, type KvEntry, type KvKey, MAX_VALUE, write } from "./kv_database.ts";

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
  function partKey(event: string, part: number): KvKey {
    return [...prefix, "event", event, part];
  }
  return {
    async put(bytes, copies) {
      if (bytes.length * copies <= COPIES) return { bytes };
      const event = crypto.randomUUID();
      const parts = Math.ceil(bytes.length / MAX_VALUE);
      for (let start = 0; start < parts; start += PARTS) {
        await write(kv, (atomic) => {
          for (let part = start; part < Math.min(start + PARTS, parts); part++) {
            atomic.set(partKey(event, part), bytes.slice(part * MAX_VALUE, (part + 1) * MAX_VALUE), { expireIn });
          }
          return atomic;
        });
      }
      return { event, parts };
    },
    async read(rows) {
      const entries = rows.map(({ key, value }) => ({ number: Number(key.at(-1)), entry: value as Content })); // see append
      const keys = entries.flatMap(({ entry }) =>
        "bytes" in entry ? [] : Array.from({ length: entry.parts }, (_, part) => partKey(entry.event, part))
      );
      const parts = (await getAll(kv, keys)).map(({ value }) => value as Uint8Array | null); // see put
      return entries.map(({ number, entry }): LoggedEvent => {
        const bytes = "bytes" in entry ? [entry.bytes] : parts.splice(0, entry.parts);
        return { ...decode<NotificationEvent>(...bytes), number };
      });
    },
  };
}
