// Freeing the space of events that are not read any more.

import { listOf, type PostgresClient } from "./postgres_schema.ts";

/** Upkeep is due after as many new entries. */
const DUE_AFTER = 32;

/** What a log tells its upkeep; neither waits for anything. */
export interface Upkeep {
  /** New entries were made under these keys. */
  appended(keys: Iterable<string>): void;
  /** These logs, by their ids, are no more. */
  dropped(logs: Iterable<string>): void;
}

// One at a time over all processes, so that two never wait for each other's rows; appends touch nothing of what is
// freed. An event goes with its last entry. Of two upkeeps, one just after the other, each can miss that the other took
// the last entry but one: such an event goes when it is old.
function upkeepSql(name: string) {
  const schema = `"${name}"`;
  const turn = `turn AS MATERIALIZED (
    SELECT pg_try_advisory_xact_lock(hashtextextended('fhir-ws upkeep ${name}', 0)) AS mine)`;
  return {
    // $1: keys, $2: maxEvents, $3: ids of dropped logs, which a rollback may have brought back
    trim: `WITH ${turn}, excess AS (
        SELECT log.id, log.head - $2 AS upto
        FROM turn, unnest(string_to_array($1, chr(10))) AS given(key) JOIN ${schema}.log AS log ON log.key = given.key
        WHERE turn.mine AND log.head > $2
        UNION ALL
        SELECT given.id::bigint, 9223372036854775807 FROM turn, unnest(string_to_array($3, chr(10))) AS given(id)
        WHERE turn.mine AND NOT EXISTS (SELECT FROM ${schema}.log AS log WHERE log.id = given.id::bigint)
      ), gone AS (
        DELETE FROM ${schema}.entry AS entry USING excess
        WHERE entry.log = excess.id AND entry.number <= excess.upto RETURNING entry.log, entry.number, entry.event
      )
      DELETE FROM ${schema}.event AS event WHERE event.id IN (SELECT gone.event FROM gone) AND NOT EXISTS (
        SELECT FROM ${schema}.entry AS entry WHERE entry.event = event.id AND NOT EXISTS (
          SELECT FROM gone WHERE gone.log = entry.log AND gone.number = entry.number))`,
    // $1: how many of the first events to look at, $2: the time before which an event is too old
    sweep: `WITH ${turn}, old AS MATERIALIZED (
        SELECT event.id FROM turn, (SELECT id, at FROM ${schema}.event ORDER BY id LIMIT $1) AS event
        WHERE turn.mine AND event.at < $2
      ), gone AS (
        DELETE FROM ${schema}.entry WHERE event IN (SELECT id FROM old)
      )
      DELETE FROM ${schema}.event WHERE id IN (SELECT id FROM old)`,
  };
}

/** Makes the upkeep of one log, which runs in the background of its appends. */
export function createUpkeep(client: PostgresClient, schema: string, maxEvents: number, cutoff: () => number): Upkeep {
  const sql = upkeepSql(schema);
  const touched = new Set<string>();
  const gone = new Set<string>();
  let entries = DUE_AFTER;
  let running = false;

  async function run(): Promise<void> {
    running = true;
    // About twice what was written since the last time: bounded work that still catches up.
    const [keys, logs, limit] = [listOf(touched), listOf(gone), 2 * entries];
    touched.clear();
    gone.clear();
    entries = 0;
    try {
      await client.query(sql.trim, [keys, maxEvents, logs]);
      if (cutoff() > 0) await client.query(sql.sweep, [limit, cutoff()]);
    } catch {
      // Only space is at stake, and the next upkeep tries again.
    }
    running = false;
    runWhenDue();
  }

  function runWhenDue(): void {
    if (!running && (entries >= DUE_AFTER || gone.size > 0)) void run(); // it never rejects
  }

  return {
    appended(keys) {
      for (const key of keys) {
        touched.add(key);
        entries++;
      }
      runWhenDue();
    },
    dropped(logs) {
      for (const log of logs) gone.add(log);
      runWhenDue();
    },
  };
}
