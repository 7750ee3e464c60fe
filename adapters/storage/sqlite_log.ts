// The event log of the SQLite adapter.

import type { EventLog, LoggedEvent, NotificationEvent } from "../../src/types.ts";
import { checkLimits } from "./limits.ts";
import {
  jsonOf,
  numberOf,
  numberReader,
  openSqlite,
  type SqliteDatabase,
  type SqliteOptions,
  transaction,
} from "./sqlite_schema.ts";

/** Options of `createSqliteEventLog`. */
export interface SqliteEventLogOptions extends SqliteOptions {
  /** Events kept per key. Default 1000. */
  readonly maxEvents?: number;
  /** Seconds for which an event is kept. Default 86400; `Infinity` keeps it until there are too many. */
  readonly maxAge?: number;
}

/** Old events are looked for after as many new entries. */
const SWEEP_AFTER = 32;

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
  checkLimits(maxEvents, maxAge);
  openSqlite(db, options);
  // Keys come in as one JSON array, so that any number of them costs the same few statements, and nothing but numbers
  // goes out in their place: Deno reads a text column only up to its first U+0000. CROSS JOIN makes SQLite start at the
  // array.
  const addEvent = db.prepare("INSERT INTO fhir_ws_event (at, content) VALUES (?, ?) RETURNING id");
  const raiseHeads = db.prepare(
    "INSERT INTO fhir_ws_log (key, head) SELECT value, 1 FROM json_each(?) WHERE true " +
      "ON CONFLICT DO UPDATE SET head = head + 1 RETURNING head",
  );
  const addEntries = db.prepare(
    "INSERT INTO fhir_ws_entry " +
      "SELECT log.id, head, ? FROM json_each(?) CROSS JOIN fhir_ws_log AS log ON log.key = value",
  );
  const heads = numberReader(db, "fhir_ws_log", "key", "head");
  const findLog = db.prepare(
    "SELECT id, head, (SELECT number FROM fhir_ws_entry CROSS JOIN fhir_ws_event ON id = event " +
      "WHERE log = log.id AND number > head - ? AND at >= ? ORDER BY number LIMIT 1) AS oldest " +
      "FROM fhir_ws_log AS log WHERE key = ?",
  );
  const readPage = db.prepare(
    "SELECT number, content FROM fhir_ws_entry CROSS JOIN fhir_ws_event ON id = event " +
      "WHERE log = ? AND number >= ? ORDER BY number LIMIT ?",
  );
  // Not one entry but all up to there: whoever keeps more than the last to write must find no gap.
  const dropExcess = db.prepare(
    "DELETE FROM fhir_ws_entry WHERE (log, number) IN (SELECT log, number " +
      "FROM json_each(?) CROSS JOIN fhir_ws_log AS log ON log.key = value " +
      "CROSS JOIN fhir_ws_entry ON log = log.id AND number <= head - ?) RETURNING event",
  );
  // Only a run of events from the start, lest a clock that was set back leaves a gap among a key's numbers.
  const dropOld = db.prepare(
    "DELETE FROM fhir_ws_entry WHERE (log, number) IN (SELECT log, number FROM fhir_ws_entry WHERE event IN (" +
      "SELECT id FROM (SELECT id, max(at) OVER (ORDER BY id) AS latest FROM " +
      "(SELECT id, at FROM fhir_ws_event ORDER BY id LIMIT ?)) WHERE latest < ?) LIMIT ?) RETURNING event",
  );
  const dropEvent = db.prepare(
    "DELETE FROM fhir_ws_event WHERE id = ? AND NOT EXISTS (SELECT 1 FROM fhir_ws_entry WHERE event = id)",
  );
  const dropLog = db.prepare("DELETE FROM fhir_ws_log WHERE key = ?");
  let unswept = SWEEP_AFTER;

  /** The time, in milliseconds, before which an event is too old. */
  function cutoff(): number {
    return Math.max(0, now() - maxAge * 1000);
  }

  /** Frees the events of entries that are gone, unless they have others. */
  function dropUnused(entries: readonly unknown[]): void {
    for (const event of new Set(entries.map((row) => numberOf(row, "event")))) dropEvent.run(event);
  }

  return {
    append(keys, event) {
      if (keys.length === 0) return [];
      const distinct = [...new Set(keys)];
      const given = JSON.stringify(distinct);
      return transaction(db, () => {
        const id = numberOf(addEvent.get(Math.floor(now()), JSON.stringify(event)), "id");
        const raised = raiseHeads.get(given);
        addEntries.run(id, given);
        dropUnused(dropExcess.all(given, maxEvents));
        unswept += distinct.length;
        if (unswept >= SWEEP_AFTER) {
          // About twice what was written since the last time: bounded work that still catches up.
          dropUnused(dropOld.all(2 * unswept, cutoff(), 2 * unswept));
          unswept = 0;
        }
        // SQLite promises no order of what it returns, so only one is known to be whose.
        return distinct.length === 1 ? keys.map(() => numberOf(raised, "head")) : heads(keys);
      });
    },
    read(key, after, limit) {
      return transaction(db, () => {
        const log = findLog.get(maxEvents, cutoff(), key);
        const head = numberOf(log, "head");
        const oldest = numberOf(log, "oldest") || head + 1;
        const rows = readPage.all(numberOf(log, "id"), Math.max(after + 1, oldest), Math.max(0, limit));
        return { events: rows.map(toEvent), oldest, head };
      }, "BEGIN");
    },
    heads,
    drop(key) {
      transaction(db, () => {
        dropUnused(dropExcess.all(JSON.stringify([key]), 0));
        dropLog.run(key);
      });
    },
  };
}

function toEvent(row: unknown): LoggedEvent {
  const event = jsonOf<NotificationEvent>(row, "content")!; // there is a row
  return { ...event, number: numberOf(row, "number") };
}
