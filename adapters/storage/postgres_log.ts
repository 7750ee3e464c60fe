// The event log of the PostgreSQL adapter.

import type { EventLog, EventPage, LoggedEvent, NotificationEvent } from "../../src/types.ts";
import { withoutGap } from "./event_page.ts";
import {
  checkName,
  createOpener,
  has,
  listOf,
  numberOf,
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

// Every statement stands alone, so that the connections of a pool need not be held.
function logSql(schema: string) {
  return {
    append: `SELECT key, head FROM ${schema}.append_event($1, $2, $3)`,
    // $2: after, $3: limit, $4: maxEvents, $5: the time before which an event is too old
    read: `SELECT head, oldest, number, content FROM ${schema}.read_events($1, $2, $3, $4, $5)`,
    heads: `SELECT coalesce(log.head, 0) AS head
      FROM unnest(string_to_array($1, chr(10))) WITH ORDINALITY AS given(key, place)
      LEFT JOIN ${schema}.log AS log ON log.key = given.key ORDER BY given.place`,
    drop: `DELETE FROM ${schema}.log WHERE key = $1 RETURNING id`,
  };
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
  if (!Number.isInteger(maxEvents) || maxEvents < 1) {
    throw new RangeError(`Cannot keep events: maxEvents is "${maxEvents}", not a positive integer`);
  }
  if (!(maxAge > 0)) {
    throw new RangeError(`Cannot keep events: maxAge is "${maxAge}", not a positive number of seconds`);
  }
  const sql = logSql(`"${checkName("schema", schema)}"`);
  const open = createOpener(client, schema);
  const upkeep = createUpkeep(client, schema, maxEvents, cutoff);

  /** The time, in milliseconds, before which an event is too old. */
  function cutoff(): number {
    return Math.max(0, Math.floor(now() - maxAge * 1000));
  }

  function over(connection: PostgresClient): EventLog {
    async function ask(text: string, values: readonly (string | number)[]): Promise<readonly unknown[]> {
      await open(connection);
      return (await connection.query(text, [...values])).rows;
    }
    return {
      async append(keys, event) {
        if (keys.length === 0) return [];
        const content = JSON.stringify(event);
        const names = keys.map((key) => JSON.stringify(key));
        const rows = await ask(sql.append, [listOf(new Set(names)), Math.floor(now()), content]);
        const numbers = new Map(rows.map((row) => [textOf(row, "key"), numberOf(row, "head")]));
        upkeep.appended(numbers.keys());
        return names.map((name) => numbers.get(name) ?? 0);
      },
      async read(key, after, limit) {
        const values = [JSON.stringify(key), after, Math.max(0, limit), maxEvents, cutoff()];
        return withoutGap(toPage(await ask(sql.read, values)), after, limit);
      },
      async heads(keys) {
        if (keys.length === 0) return [];
        const rows = await ask(sql.heads, [listOf(keys.map((key) => JSON.stringify(key)))]);
        return rows.map((row) => numberOf(row, "head"));
      },
      async drop(key) {
        const rows = await ask(sql.drop, [JSON.stringify(key)]);
        upkeep.dropped(rows.map((row) => textOf(row, "id")));
      },
    };
  }
  return { ...over(client), within: over };
}

function toPage(rows: readonly unknown[]): EventPage {
  const [first] = rows;
  if (first === undefined) return { events: [], oldest: 1, head: 0 };
  const head = numberOf(first, "head");
  const events = rows.filter((row) => has(row, "number")).map(toEvent);
  return { events, oldest: has(first, "oldest") ? numberOf(first, "oldest") : head + 1, head };
}

function toEvent(row: unknown): LoggedEvent {
  const event: NotificationEvent = JSON.parse(textOf(row, "content"));
  return { ...event, number: numberOf(row, "number") };
}
