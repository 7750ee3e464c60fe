/**
 * Storage in a SQLite file, for one machine: any number of processes may share the file. The connection is the host's,
 * to open and to close, and its file may hold tables of the host; the ones of this adapter begin with `fhir_ws_`.
 *
 * Everything runs synchronously on that connection: call it outside of transactions of your own. What SQLite refuses
 * (locked for too long, a full disk, a damaged file) is thrown as the driver says it, with nothing half-written, and
 * the next call starts afresh.
 *
 * No bus of this package joins processes over a file: a binder finds what another process wrote within `reconcile`, and
 * at once what its own did.
 *
 * @module
 */
import { BindingError } from "../../src/errors.ts";
import type { BindingGrant, Caller, SubscriptionStore, TokenStore } from "../../src/types.ts";
import {
  jsonOf,
  numberOf,
  numberReader,
  openSqlite,
  type SqliteDatabase,
  type SqliteOptions,
} from "./sqlite_schema.ts";

export { createSqliteEventLog, type SqliteEventLogOptions } from "./sqlite_log.ts";
export type { SqliteDatabase, SqliteOptions, SqliteStatement } from "./sqlite_schema.ts";

/** Options of `createSqliteSubscriptionStore`. */
export interface SqliteSubscriptionStoreOptions extends SqliteOptions {
  /** The base whose Subscriptions these are: several bases can share a file. */
  readonly base: string;
}

/** Seconds for which grants and redemptions outlive their expiry, so that a late client hears "expired". */
const GRACE = 600;
/** Writes between two sweeps. */
const SWEEP_AFTER = 32;

/**
 * Subscriptions of one base, each visible to its owner only: the caller, by tenant and id, who put it there first.
 *
 * @throws {Error} when the file is corrupt, read-only or of a newer version of this library.
 *
 * @example
 * ```ts
 * import { DatabaseSync } from "node:sqlite";
 * import { createSqliteSubscriptionStore } from "@fhir-ws/binding/storage/sqlite";
 *
 * const store = createSqliteSubscriptionStore(new DatabaseSync(":memory:"), { base: "https://example.org/fhir" });
 * await store.put({ resourceType: "Subscription", id: "s1" }, { id: "alice" });
 * const mine = await store.read("s1", { id: "alice" });
 * if (mine?.id !== "s1") throw new Error("unreachable");
 * ```
 */
export function createSqliteSubscriptionStore(
  db: SqliteDatabase,
  options: SqliteSubscriptionStoreOptions,
): Required<SubscriptionStore> {
  openSqlite(db, options);
  const mine = "WHERE base = ? AND tenant = ? AND owner = ?";
  const read = db.prepare(`SELECT resource FROM fhir_ws_subscription ${mine} AND id = ?`);
  const list = db.prepare(`SELECT resource FROM fhir_ws_subscription ${mine} ORDER BY place LIMIT ?`);
  const activate = db.prepare(
    `UPDATE fhir_ws_subscription SET resource = json_set(resource, '$.status', 'active') ${mine} AND id = ? ` +
      "AND resource ->> 'status' = 'requested'",
  );
  const put = db.prepare(
    "INSERT INTO fhir_ws_subscription (base, tenant, owner, id, resource) VALUES (?, ?, ?, ?, ?) " +
      "ON CONFLICT DO UPDATE SET resource = excluded.resource WHERE owner = excluded.owner RETURNING id",
  );
  const remove = db.prepare(`DELETE FROM fhir_ws_subscription ${mine} AND id = ? RETURNING id`);

  /** What stands for `mine`. The tenant is JSON, so that no tenant is not the tenant "". */
  function scope({ tenant, id }: Caller): [base: string, tenant: string, owner: string] {
    return [options.base, JSON.stringify(tenant ?? null), id];
  }

  return {
    read(id, caller) {
      return jsonOf(read.get(...scope(caller), id), "resource");
    },
    list(caller, limit) {
      return list.all(...scope(caller), Math.max(0, limit)).map((row) => jsonOf(row, "resource")!); // there is a row
    },
    activate(id, caller) {
      activate.run(...scope(caller), id);
    },
    put(subscription, owner) {
      const { id } = subscription;
      if (!id) throw new TypeError("Cannot store the Subscription: it has no id");
      if (put.all(...scope(owner), id, JSON.stringify(subscription)).length === 0) throw new BindingError("forbidden");
    },
    delete(id, owner) {
      return remove.all(...scope(owner), id).length > 0;
    },
  };
}

/**
 * Grants, redemptions and revocations of every base and process that share the file.
 *
 * @throws {Error} when the file is corrupt, read-only or of a newer version of this library.
 *
 * @example
 * ```ts
 * import { DatabaseSync } from "node:sqlite";
 * import { createSqliteTokenStore } from "@fhir-ws/binding/storage/sqlite";
 *
 * const store = createSqliteTokenStore(new DatabaseSync(":memory:"));
 * const inAnHour = Math.floor(Date.now() / 1000) + 3600;
 * const first = await store.redeem("token-1", "attempt-1", inAnHour);
 * const second = await store.redeem("token-1", "attempt-2", inAnHour);
 * if (!first || second) throw new Error("unreachable");
 * ```
 */
export function createSqliteTokenStore(db: SqliteDatabase, options: SqliteOptions = {}): TokenStore {
  const { now = Date.now } = options;
  openSqlite(db, options);
  const put = db.prepare("INSERT OR REPLACE INTO fhir_ws_grant VALUES (?, ?, ?)");
  const get = db.prepare("SELECT content FROM fhir_ws_grant WHERE digest = ?");
  // The update changes nothing; it makes the row of the first attempt the one that is returned.
  const redeem = db.prepare(
    "INSERT INTO fhir_ws_redemption VALUES (?, ?, ?) " +
      "ON CONFLICT DO UPDATE SET attempt = attempt RETURNING attempt = ? AS mine",
  );
  const revoke = db.prepare(
    "INSERT INTO fhir_ws_generation VALUES (?, 1) ON CONFLICT DO UPDATE SET generation = generation + 1",
  );
  const sweeps = [["grant", "digest"], ["redemption", "token"]].map(([table, key]) =>
    db.prepare(
      `DELETE FROM fhir_ws_${table} WHERE ${key} IN ` +
        `(SELECT ${key} FROM fhir_ws_${table} WHERE expires_at < ? LIMIT 128)`,
    )
  );
  let unswept = SWEEP_AFTER;

  function sweep(): void {
    if (++unswept < SWEEP_AFTER) return;
    for (const statement of sweeps) statement.run(now() / 1000 - GRACE);
    unswept = 0;
  }

  return {
    put(digest, grant) {
      sweep();
      put.run(digest, JSON.stringify(grant), Math.ceil(grant.expiresAt));
    },
    get(digest): BindingGrant | undefined {
      return jsonOf(get.get(digest), "content");
    },
    redeem(id, attempt, expiresAt) {
      sweep();
      // With `all`, and not `get`, the statement runs to its end, where SQLite commits: a failure there must be heard.
      const [row] = redeem.all(id, attempt, Math.ceil(expiresAt), attempt);
      return numberOf(row, "mine") === 1;
    },
    revoke(subject) {
      revoke.run(subject);
    },
    generations: numberReader(db, "fhir_ws_generation", "subject", "generation"),
  };
}
