// The event log of the memory adapter.

import type { EventLog, LoggedEvent, NotificationEvent } from "../../src/types.ts";

/** Options of `createMemoryEventLog`. */
export interface MemoryEventLogOptions {
  /** Events kept per key. Default 1000. */
  readonly maxEvents?: number;
  /** Seconds for which an event is kept. Default 86400; `Infinity` keeps it until there are too many. */
  readonly maxAge?: number;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
}

/**
 * The events of one process, for as many bases as share it. What is older than `maxAge` is not read any more, and its
 * memory is freed by later appends.
 *
 * @throws {RangeError} when `maxEvents` is no positive integer or `maxAge` is not positive.
 *
 * @example
 * ```ts
 * import { createMemoryEventLog } from "@fhir-ws/binding/storage/memory";
 *
 * const log = createMemoryEventLog({ maxEvents: 100 });
 * const numbers = await log.append(["a", "b"], { interaction: "create", focus: "Patient/p1" });
 * const page = await log.read("a", 0, 10);
 * if (numbers[1] !== 1 || page.events[0]?.focus !== "Patient/p1") throw new Error("unreachable");
 * ```
 */
export function createMemoryEventLog(options: MemoryEventLogOptions = {}): EventLog {
  const { maxEvents = 1000, maxAge = 86_400, now = Date.now } = options;
  if (!Number.isInteger(maxEvents) || maxEvents < 1) {
    throw new RangeError(`Cannot keep events: maxEvents is "${maxEvents}", not a positive integer`);
  }
  if (!(maxAge > 0)) {
    throw new RangeError(`Cannot keep events: maxAge is "${maxAge}", not a positive number of seconds`);
  }

  /** One event, shared by every key that it was appended to. */
  interface Entry {
    readonly at: number;
    readonly event: NotificationEvent;
  }
  /** The last of the entries has the number `head`. */
  interface Log {
    head: number;
    readonly entries: Entry[];
  }
  const logs = new Map<string, Log>();
  /** The logs that hold entries, the one that waits longest for a new one first. */
  const aging = new Map<string, Log>();
  // A Map that is walked from its start passes by all that was deleted there: not at every append.
  let sweptAt = -Infinity;

  function isOld(entry: Entry | undefined, at: number): boolean {
    return entry !== undefined && entry.at < at - maxAge * 1000;
  }

  function prune({ entries }: Log, at: number): void {
    const excess = Math.max(0, entries.length - maxEvents);
    // A clock that was set back makes an old entry after a new one: it goes when all before it have gone.
    const keep = isOld(entries[excess], at) ? entries.findIndex((entry) => !isOld(entry, at)) : excess;
    if (keep !== 0) entries.splice(0, keep < 0 ? entries.length : keep);
  }

  function sweep(at: number): void {
    if (Math.abs(at - sweptAt) < maxAge * 10) return; // a hundredth of it, in milliseconds
    sweptAt = at;
    for (const [key, log] of aging) {
      if (!isOld(log.entries.at(-1), at)) break;
      log.entries.length = 0;
      aging.delete(key);
    }
  }

  return {
    append(keys, event) {
      const entry: Entry = { at: now(), event: JSON.parse(JSON.stringify(event)) };
      const numbers = keys.map((key) => {
        let log = logs.get(key);
        if (log === undefined) logs.set(key, log = { head: 0, entries: [] });
        if (log.entries.at(-1) === entry) return log.head; // the key was named twice
        log.entries.push(entry);
        prune(log, entry.at);
        aging.delete(key);
        aging.set(key, log);
        return ++log.head;
      });
      sweep(entry.at);
      return numbers;
    },
    read(key, after, limit) {
      const log = logs.get(key);
      if (!log) return { events: [], oldest: 1, head: 0 };
      prune(log, now());
      const oldest = log.head - log.entries.length + 1;
      const first = Math.max(after + 1, oldest);
      const events = log.entries.slice(first - oldest, first - oldest + limit)
        .map(({ event }, index): LoggedEvent => ({ ...event, number: first + index }));
      return { events, oldest, head: log.head };
    },
    heads(keys) {
      return keys.map((key) => logs.get(key)?.head ?? 0);
    },
    drop(key) {
      logs.delete(key);
      aging.delete(key);
    },
  };
}
