/**
 * A bus on PostgreSQL's `LISTEN` and `NOTIFY`: numbers travel, events are read from the log.
 *
 * What it loses while a connection is gone costs no event: binders hear `resync` when it is back, and compare
 * themselves with the log every `reconcile` seconds in any case.
 *
 * @module
 */
import type { BusMessage, NotificationBus } from "../../src/types.ts";
import { checkName, listOf, type PostgresClient } from "../storage/postgres_schema.ts";
import { createBatches } from "./batches.ts";
import { type BusOptions, createListeners, createReport } from "./listeners.ts";
import { packMessages, readMessages, RESYNC, withoutEvent } from "./message.ts";
import { createLink, type PostgresConnection } from "./postgres_link.ts";

export type { PostgresClient } from "../storage/postgres_schema.ts";
export type { BusOptions } from "./listeners.ts";
export type { PostgresConnection } from "./postgres_link.ts";

/** Options of `createPostgresBus`. */
export interface PostgresBusOptions extends BusOptions {
  /** The channel: a lower-case name. Default `fhir_ws`. */
  readonly channel?: string;
  /**
   * Small events travel with their numbers, which spares every process a read for each Subscription that is bound there:
   * one event for thousands can keep a pool busy for seconds. PostgreSQL has no rights on channels: every role that may
   * connect to the database can then read the events, and make some up. Default false.
   */
  readonly events?: boolean;
}

/** A bus whose messages can be part of the host's own transactions. */
export interface PostgresBus extends NotificationBus {
  /**
   * The same bus over a connection that is in a transaction: what is published is heard when that commits, or never. Where
   * it cannot be published the transaction is aborted, and a notifier rejects. Its COMMIT fails where the queue of
   * notifications is full, as it is after a session that listens has been in a transaction for very long.
   */
  within(transaction: PostgresClient): NotificationBus;
}

/** A payload is "shorter than 8000 bytes": <https://www.postgresql.org/docs/current/sql-notify.html>. */
const MAX_PAYLOAD = 7999;

const NOTIFY = "SELECT pg_notify($1, payload) FROM unnest(string_to_array($2, chr(10))) AS payload";

/**
 * Makes a bus for all processes that have the database in common. `client` publishes; `connect` opens a connection for
 * listening alone, such as a `Client` of `pg` that has connected, and is called again, for as long as anybody listens,
 * when that one was lost: listeners hear `resync` then. It should give up after some seconds by itself, and have TCP
 * keep-alive on.
 *
 * What is published while the last batch is on its way goes out together, in its order, since PostgreSQL lets one
 * transaction with a `NOTIFY` commit at a time.
 *
 * @throws {TypeError} when `channel` is no lower-case name.
 *
 * @example
 * ```ts
 * import { createPostgresBus, type PostgresConnection } from "@fhir-ws/binding/bus/postgres";
 *
 * // In place of a connected `new pg.Client({ connectionString, keepAlive: true })`
 * let hear = (_message: { channel: string; payload?: string | undefined }): void => {};
 * const connection: PostgresConnection = {
 *   query: () => Promise.resolve(),
 *   on(event: string, listener: typeof hear) {
 *     if (event === "notification") hear = listener;
 *   },
 *   end: () => Promise.resolve(),
 * };
 * // In place of a `pg.Pool`
 * const pool = {
 *   query(_text: string, [channel, payload]: string[] = []) {
 *     hear({ channel: channel ?? "", payload });
 *     return Promise.resolve({ rows: [] });
 *   },
 * };
 *
 * const bus = createPostgresBus(pool, () => Promise.resolve(connection));
 * const heard: string[] = [];
 * const unlisten = await bus.listen((message) => heard.push(message.type));
 * await bus.publish({ type: "changed", key: "s1" });
 * unlisten();
 * if (heard.join() !== "changed") throw new Error("unreachable");
 * ```
 *
 * @example `postgres`, which comes back by itself, as a connection: it ends when it was lost and is back
 * ```ts
 * import { createPostgresBus, type PostgresClient, type PostgresConnection } from "@fhir-ws/binding/bus/postgres";
 * import { EventEmitter } from "node:events";
 * import postgres from "postgres";
 *
 * function connect(): PostgresConnection {
 *   const [sql, events] = [postgres("postgres://127.0.0.1/fhir"), new EventEmitter()];
 *   let isListening = false;
 *   return {
 *     query(text) {
 *       const channel: string = JSON.parse(text.slice("LISTEN ".length));
 *       return sql.listen(channel, (payload) => events.emit("notification", { channel, payload }), () => {
 *         if (isListening) events.emit("end");
 *         isListening = true;
 *       });
 *     },
 *     on: (event: string, listener: (message: { channel: string; payload: string }) => void) => events.on(event, listener),
 *     end: () => sql.end(),
 *   };
 * }
 *
 * const sql = postgres("postgres://127.0.0.1/fhir");
 * const client: PostgresClient = { query: async (text, values) => ({ rows: await sql.unsafe(text, values) }) };
 * const bus = createPostgresBus(client, () => Promise.resolve(connect()));
 * ```
 */
export function createPostgresBus(
  client: PostgresClient,
  connect: () => PromiseLike<PostgresConnection>,
  options: PostgresBusOptions = {},
): PostgresBus {
  const { channel = "fhir_ws", events = false } = options;
  checkName("channel", channel);
  const report = createReport(options);
  const listeners = createListeners(report);
  const link = createLink(connect, channel, {
    heard(payload) {
      for (const message of readMessages(payload)) listeners.tell(allowed(message));
    },
    resumed: () => listeners.tell(RESYNC),
    failed: report,
  });

  function allowed(message: BusMessage): BusMessage {
    return message.type === "event" && !events ? withoutEvent(message) : message;
  }

  async function send(through: PostgresClient, messages: readonly BusMessage[]): Promise<void> {
    await through.query(NOTIFY, [channel, listOf(packMessages(messages.map(allowed), MAX_PAYLOAD))]);
  }

  async function listen(hear: (message: BusMessage) => void): Promise<() => void> {
    const leave = listeners.add(hear);
    try {
      await link.up();
    } catch (error) {
      leave();
      throw error;
    }
    return () => {
      leave();
      if (listeners.size === 0) link.down();
    };
  }

  return {
    publish: createBatches((messages) => send(client, messages)),
    listen,
    within: (transaction) => ({
      publish: (message) => send(transaction, [message]),
      listen,
      isTransactional: true,
    }),
  };
}
