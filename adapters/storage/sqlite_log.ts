// The event log of the SQLite adapter.

import type { EventLog, LoggedEvent, NotificationEvent } from "../../src/types.ts";
import { numberOf, openSqlite, prepareAll, type SqliteDatabase, type SqliteOptions, textOf } from "./sqlite_schema.ts";

/** Options of `createSqliteEventLog`. */
export interface SqliteEventLogOptions extends SqliteOptions {
  /** Events kept per key. Default 1000. */
  readonly maxEvents?: number;
  /** Seconds for which an event is kept. Default 86400; `Infinity` keeps it until there are too many. */
  readonly maxAge?: number;
}

/** Old events are looked for after as many new entries. */
const SWEEP_AFTER = 32;

// Keys come in as one JSON array, so that any number of them costs the same few statements, and nothing but numbers goes
// out in their place: Deno reads a text column only up to its first U+0000. CROSS JOIN makes SQLite start at the array.
const SQL = {
  addEvent: "INSERT INTO fhir_ws_event (at, content) VALUES (?, ?) RETURNING id",
  raiseHeads: `INSERT INTO fhir_ws_log (key, head) SELECT value, 1 FROM json_each(?) WHERE true
    ON CONFLICT (key) DO UPDATE SET head = head + 1 RETURNING head`,
  addEntries: `INSERT INTO fhir_ws_entry (log, number, event)
    SELECT log.id, log.head, ? FROM json_each(?) AS given CROSS JOIN fhir_ws_log AS log ON log.key = given.value`,
  heads: `SELECT coalesce(log.head, 0) AS head
    FROM json_each(?) AS given LEFT JOIN fhir_ws_log AS log ON log.key = given.value ORDER BY given.key`,

  log: "SELECT id, head FROM fhir_ws_log WHERE key = ?",
  oldest: `SELECT entry.number FROM fhir_ws_entry AS entry CROSS JOIN fhir_ws_event AS event ON event.id = entry.event
    WHERE entry.log = ? AND entry.number > ? AND event.at >= ? ORDER BY entry.number LIMIT 1`,
  page: `SELECT entry.number, event.content
    FROM fhir_ws_entry AS entry CROSS JOIN fhir_ws_event AS event ON event.id = entry.event
    WHERE entry.log = ? AND entry.number >= ? ORDER BY entry.number LIMIT ?`,

  // Not one entry but all up to there: whoever keeps more than the last to write must find no gap.
  dropExcess: `DELETE FROM fhir_ws_entry WHERE (log, number) IN (
    SELECT entry.log, entry.number FROM json_each(?) AS given CROSS JOIN fhir_ws_log AS log ON log.key = given.value
    CROSS JOIN fhir_ws_entry AS entry ON entry.log = log.id AND entry.number <= log.head - ?) RETURNING event`,
  firstEvents: "SELECT id AS event, at FROM fhir_ws_event ORDER BY id LIMIT ?",
  dropOld: `DELETE FROM fhir_ws_entry WHERE (log, number) IN (
    SELECT log, number FROM fhir_ws_entry WHERE event IN (SELECT value FROM json_each(?)) LIMIT ?)`,
  dropEntries: "DELETE FROM fhir_ws_entry WHERE log = ? RETURNING event",
  dropUnused: `DELETE FROM fhir_ws_event WHERE id IN (SELECT value FROM json_each(?))
    AND NOT EXISTS (SELECT 1 FROM fhir_ws_entry AS entry WHERE entry.event = fhir_ws_event.id)`,
  dropLog: "DELETE FROM fhir_ws_log WHERE id = ?",
};

/**
 * The events of every base and process that share the file. An event is stored once, however many keys it has. What is
 * older than `maxAge` is not read any more, and its space is used again by later appends.
 *
 * @throws {Error} when the file is corrupt, read-only or of a newer version of this library.
 * @throws {RangeError} when `maxEvents` is no positive integer or `maxAge` is not positive.
 *
 * @example
 * ```ts
 * import { DatabaseSync } from "node:sqlite";
 * import { createSqliteEventLog } from "@fhir-ws/binding/storage/sqlite";
 *
 * const log = createSqliteEventLog(new DatabaseSync(":memory:"), { maxEvents: 100 });
 * const numbers = await log.append(["a", "b"], { interaction: "create", focus: "Patient/p1" });
 * if (numbers.join() !== "1,1") throw new Error("unreachable");
 * ```
 */
export function createSqliteEventLog(db: SqliteDatabase, options: SqliteEventLogOptions = {}): EventLog {
  const { maxEvents = 1000, maxAge = 86_400, now = Date.now } = options;
  if (!Number.isInteger(maxEvents) || maxEvents < 1) {
    throw new RangeError(`Cannot keep events: maxEvents is "${maxEvents}", not a positive integer`);
  }
  if (!(maxAge > 0)) {
    throw new RangeError(`Cannot keep events: maxAge is "${maxAge}", not a positive number of seconds`);
  }
  const transactions = openSqlite(db, options);
  const statements = prepareAll(db, SQL);
  let unswept = SWEEP_AFTER;

  /** The time, in milliseconds, before which an event is too old. */
  function cutoff(): number {
    return Math.max(0, now() - maxAge * 1000);
  }

  function heads(keys: readonly string[]): readonly number[] {
    return statements.heads.all(JSON.stringify(keys)).map((row) => numberOf(row, "head"));
  }

  function dropUnused(rows: readonly unknown[]): void {
    if (rows.length > 0) statements.dropUnused.run(JSON.stringify(rows.map((row) => numberOf(row, "event"))));
  }

  /** Removes about twice what was written since the last time: bounded work that still catches up. */
  function sweep(): void {
    const limit = 2 * unswept;
    const before = cutoff();
    const first = statements.firstEvents.all(limit);
    // Only a run from the start, lest a clock that was set back leaves a gap among a key's numbers.
    const kept = first.findIndex((row) => numberOf(row, "at") >= before);
    const old = kept < 0 ? first : first.slice(0, kept);
    if (old.length > 0) {
      statements.dropOld.run(JSON.stringify(old.map((row) => numberOf(row, "event"))), limit);
      dropUnused(old);
    }
    unswept = 0;
  }

  return {
    append(keys, event) {
      if (keys.length === 0) return [];
      const content = JSON.stringify(event);
      const distinct = [...new Set(keys)];
      const given = JSON.stringify(distinct);
      return transactions.write(() => {
        const id = numberOf(statements.addEvent.get(Math.floor(now()), content), "id");
        const raised = statements.raiseHeads.get(given);
        statements.addEntries.run(id, given);
        dropUnused(statements.dropExcess.all(given, maxEvents));
        unswept += distinct.length;
        if (unswept >= SWEEP_AFTER) sweep();
        // SQLite promises no order of what it returns, so only one is known to be whose.
        return distinct.length === 1 ? keys.map(() => numberOf(raised, "head")) : heads(keys);
      });
    },
    read(key, after, limit) {
      return transactions.read(() => {
        const log = statements.log.get(key);
        if (!log) return { events: [], oldest: 1, head: 0 };
        const [id, head] = [numberOf(log, "id"), numberOf(log, "head")];
        const first = statements.oldest.get(id, head - maxEvents, cutoff());
        const oldest = first ? numberOf(first, "number") : head + 1;
        const rows = statements.page.all(id, Math.max(after + 1, oldest), Math.max(0, limit));
        return { events: rows.map(toEvent), oldest, head };
      });
    },
    heads,
    drop(key) {
      transactions.write(() => {
        const log = statements.log.get(key);
        if (!log) return;
        const id = numberOf(log, "id");
        dropUnused(statements.dropEntries.all(id));
        statements.dropLog.run(id);
      });
    },
  };
}

function toEvent(row: unknown): LoggedEvent {
  const event: NotificationEvent = JSON.parse(textOf(row, "content"));
  return { ...event, number: numberOf(row, "number") };
}
