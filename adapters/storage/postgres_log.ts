// The event log of the PostgreSQL adapter.

import type { EventLog, EventPage, LoggedEvent, NotificationEvent } from "../../src/types.ts";
import { withoutGap } from "./event_page.ts";
import { checkLimits } from "./limits.ts";
import {
  checkName,
  createAsk,
  listOf,
  numberOf,
  numbersSql,
  type PostgresClient,
  type PostgresOptions,
  textOf,
} from "./postgres_schema.ts";
import { createUpkeep } from "./postgres_upkeep.ts";

/** Options of `createPostgresEventLog`. */
export interface PostgresEventLogOptions extends PostgresOptions {
  /** Events kept per key. Default 1000. */
  readonly maxEvents?: number;
  /** Seconds for which an event is kept. Default 86400; `Infinity` keeps it until there are too many. */
  readonly maxAge?: number;
}

/** An event log whose writes can be part of the host's own transactions. */
export interface PostgresEventLog extends EventLog {
  /**
   * The same log over a connection that is in a transaction: what it appends or drops is committed, or rolled back,
   * with all else. An append locks its keys until then, in one order for everybody, so append once per transaction, as
   * its last step: two appends could meet those of another transaction the other way round.
   */
  within(transaction: PostgresClient): EventLog;
}

/**
 * The events of every base and process that share the schema. An event is stored once, however many keys it has. What
 * is older than `maxAge` is not read any more, and its space is freed in the background of later appends.
 *
 * @throws {TypeError} when `schema` is no lower-case name.
 * @throws {RangeError} when `maxEvents` is no positive integer or `maxAge` is not positive.
 *
 * @example A change and its notification, both or neither
 * ```ts
 * import { createNotifier } from "@fhir-ws/binding";
 * import { createPostgresBus } from "@fhir-ws/binding/bus/postgres";
 * import { createPostgresEventLog, type PostgresClient } from "@fhir-ws/binding/storage/postgres";
 *
 * // In place of `await pool.connect()` of `pg`: a connection that shows what it is asked
 * const asked: string[] = [];
 * const connection: PostgresClient = {
 *   query(text) {
 *     asked.push(text.slice(0, 20));
 *     return Promise.resolve({ rows: [{ key: '"[\\"https://example.org/fhir\\",null,\\"s1\\"]"', head: 1 }] });
 *   },
 * };
 *
 * const log = createPostgresEventLog(connection);
 * const bus = createPostgresBus(connection, () => Promise.reject(new Error("nobody listens here")));
 *
 * await connection.query("BEGIN");
 * await connection.query("INSERT INTO patient …");
 * const notifier = createNotifier({
 *   base: "https://example.org/fhir",
 *   events: log.within(connection),
 *   bus: bus.within(connection),
 * });
 * const [number] = await notifier.notify(["s1"], { interaction: "create", focus: "Patient/p1" });
 * await connection.query("COMMIT"); // now, and not before, other processes hear of it
 * if (number !== 1 || asked.at(-2) !== "SELECT pg_notify($1,") throw new Error("unreachable");
 * ```
 */
export function createPostgresEventLog(
  client: PostgresClient,
  options: PostgresEventLogOptions = {},
): PostgresEventLog {
  const { maxEvents = 1000, maxAge = 86_400, now = Date.now, schema = "fhir_ws" } = options;
  checkLimits(maxEvents, maxAge);
  const own = `"${checkName("schema", schema)}"`;
  const ask = createAsk(client, schema);
  // Every statement stands alone, so that the connections of a pool need not be held.
  const append = `SELECT key, head FROM ${own}.append_event($1, $2, $3)`;
  const read = `SELECT head, oldest, number, content FROM ${own}.read_events($1, $2, $3, $4, $5)`;
  const heads = numbersSql(`${own}.log`, "key", "head");
  const drop = `DELETE FROM ${own}.log WHERE key = $1 RETURNING id`;
  const upkeep = createUpkeep(client, schema, maxEvents, cutoff);

  /** The time, in milliseconds, before which an event is too old. */
  function cutoff(): number {
    return Math.max(0, Math.floor(now() - maxAge * 1000));
  }

  function over(connection: PostgresClient): EventLog {
    return {
      async append(keys, event) {
        if (keys.length === 0) return [];
        const names = keys.map((key) => JSON.stringify(key));
        const rows = await ask(connection, append, listOf(new Set(names)), Math.floor(now()), JSON.stringify(event));
        const numbers = new Map(rows.map((row) => [textOf(row, "key"), numberOf(row, "head")]));
        upkeep.appended(numbers.keys());
        return names.map((name) => numbers.get(name) ?? 0);
      },
      async read(key, after, limit) {
        const count = Math.max(0, limit);
        const rows = await ask(connection, read, JSON.stringify(key), after, count, maxEvents, cutoff());
        return withoutGap(toPage(rows), after, limit);
      },
      async heads(keys) {
        if (keys.length === 0) return [];
        const rows = await ask(connection, heads, listOf(keys.map((key) => JSON.stringify(key))));
        return rows.map((row) => numberOf(row, "head"));
      },
      async drop(key) {
        const rows = await ask(connection, drop, JSON.stringify(key));
        upkeep.dropped(rows.map((row) => textOf(row, "id")));
      },
    };
  }
  return { ...over(client), within: over };
}

function toPage(rows: readonly unknown[]): EventPage {
  // A log that is not there has no row, one without events to read a row without a number.
  const head = numberOf(rows[0], "head");
  const events = rows.filter((row) => numberOf(row, "number") > 0).map(toEvent);
  return { events, oldest: numberOf(rows[0], "oldest") || head + 1, head };
}

function toEvent(row: unknown): LoggedEvent {
  const event: NotificationEvent = JSON.parse(textOf(row, "content"));
  return { ...event, number: numberOf(row, "number") };
}
