/**
 * Tokens and events in PostgreSQL, for any number of machines. The pool or connection is the host's, to open and to
 * close; the tables lie in a schema of their own, which the first use creates or brings forward.
 *
 * It is the one engine where an event can be part of the host's own transaction: `within` of the log and of
 * `@fhir-ws/binding/bus/postgres`. Redis takes more writes.
 *
 * The role needs CREATE on the database for the first use of a version, and from then on USAGE on the schema, SELECT,
 * INSERT, UPDATE and DELETE on its tables, and EXECUTE on its functions, which PostgreSQL gives to everybody by default.
 *
 * Always talk to the primary: on a replica a revocation could still be on its way. What PostgreSQL refuses is thrown as
 * the driver says it, with nothing half-written. Drivers wait for as long as they are told to: give them a timeout for
 * connecting and for statements below the endpoint's `storeTimeout`.
 *
 * @module
 */
import type { BindingGrant, TokenStore } from "../../src/types.ts";
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

export { createPostgresEventLog, type PostgresEventLog, type PostgresEventLogOptions } from "./postgres_log.ts";
export type { PostgresClient, PostgresOptions } from "./postgres_schema.ts";

/** Seconds for which grants and redemptions outlive their expiry, so that a late client hears "expired". */
const GRACE = 600;
/** Writes between two sweeps. */
const SWEEP_AFTER = 32;

/** Rows that somebody else is sweeping are left to them: nobody waits for anybody. */
function sweepSql(table: string, key: string): string {
  return `DELETE FROM ${table} WHERE ${key} IN (
SELECT ${key} FROM ${table} WHERE expires_at < $1 ORDER BY expires_at LIMIT 128 FOR UPDATE SKIP LOCKED)`;
}

/**
 * Grants, redemptions and revocations of every base and process that share the schema.
 *
 * @throws {TypeError} when `schema` is no lower-case name.
 *
 * @example
 * ```ts
 * import { createPostgresTokenStore, type PostgresClient } from "@fhir-ws/binding/storage/postgres";
 *
 * // In place of `new pg.Pool({ connectionString })`: a client that shows what it is asked
 * const asked: string[] = [];
 * const pool: PostgresClient = {
 *   query: (text) => Promise.resolve({ rows: asked.push(text) > 1 ? [{ attempt: "attempt-1" }] : [] }),
 * };
 *
 * const store = createPostgresTokenStore(pool, { schema: "subscriptions" });
 * const inAnHour = Math.floor(Date.now() / 1000) + 3600;
 * const isFirst = await store.redeem("token-1", "attempt-1", inAnHour);
 * if (!isFirst || !asked[1]?.includes('"subscriptions".redemption')) throw new Error("unreachable");
 * ```
 */
export function createPostgresTokenStore(client: PostgresClient, options: PostgresOptions = {}): TokenStore {
  const { schema = "fhir_ws", now = Date.now } = options;
  const own = `"${checkName("schema", schema)}"`;
  const ask = createAsk(client, schema);
  const put = `INSERT INTO ${own}.binding_grant VALUES ($1, $2, $3)
ON CONFLICT (digest) DO UPDATE SET content = excluded.content, expires_at = excluded.expires_at`;
  const get = `SELECT content FROM ${own}.binding_grant WHERE digest = $1 AND expires_at >= $2`;
  // The update changes nothing; it makes the row of the first attempt the one that is returned.
  const redeem = `INSERT INTO ${own}.redemption AS known VALUES ($1, $2, $3)
ON CONFLICT (token) DO UPDATE SET attempt = known.attempt RETURNING attempt`;
  const revoke = `INSERT INTO ${own}.generation AS known VALUES ($1, 1)
ON CONFLICT (subject) DO UPDATE SET generation = known.generation + 1`;
  const generations = numbersSql(`${own}.generation`, "subject", "generation");
  const sweepBoth = `WITH swept AS (${sweepSql(`${own}.binding_grant`, "digest")})
${sweepSql(`${own}.redemption`, "token")}`;
  let unswept = SWEEP_AFTER;

  function oldest(): number {
    return Math.floor(now() / 1000 - GRACE);
  }

  /** Nobody waits for it: what has expired is not read any more, swept or not. */
  function sweep(): void {
    if (++unswept < SWEEP_AFTER) return;
    unswept = 0;
    ask(client, sweepBoth, oldest()).catch(() => {}); // only space is at stake, and the next sweep tries again
  }

  return {
    async put(digest, grant) {
      await ask(client, put, digest, JSON.stringify(grant), Math.ceil(grant.expiresAt));
      sweep();
    },
    async get(digest): Promise<BindingGrant | undefined> {
      const [row] = await ask(client, get, digest, oldest());
      return row === undefined ? undefined : JSON.parse(textOf(row, "content"));
    },
    async redeem(id, attempt, expiresAt) {
      const [row] = await ask(client, redeem, id, attempt, Math.ceil(expiresAt));
      sweep();
      return textOf(row, "attempt") === attempt;
    },
    async revoke(subject) {
      await ask(client, revoke, JSON.stringify(subject));
    },
    async generations(subjects) {
      if (subjects.length === 0) return [];
      const rows = await ask(client, generations, listOf(subjects.map((subject) => JSON.stringify(subject))));
      return rows.map((row) => numberOf(row, "generation"));
    },
  };
}
