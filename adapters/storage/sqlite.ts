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
import { Forbidden } from "../../src/forbidden.ts";
import type { BindingGrant, FhirSubscription, SubscriptionStore, TokenStore } from "../../src/types.ts";
import { numberOf, openSqlite, prepareAll, type SqliteDatabase, type SqliteOptions, textOf } from "./sqlite_schema.ts";

export { createSqliteEventLog, type SqliteEventLogOptions } from "./sqlite_log.ts";
export type { SqliteDatabase, SqliteOptions, SqliteStatement } from "./sqlite_schema.ts";

/** Options of `createSqliteSubscriptionStore`. */
export interface SqliteSubscriptionStoreOptions extends SqliteOptions {
  /** The base whose Subscriptions these are: several bases can share a file. */
  readonly base: string;
}

/** Seconds for which grants and redemptions outlive their expiry, so that a late client hears "expired". */
const GRACE = 600;
/** Writes between two sweeps, and rows that a sweep removes at most. */
const SWEEP_AFTER = 32;
const SWEEP_ROWS = 128;

const SUBSCRIPTION_SQL = {
  read: "SELECT resource FROM fhir_ws_subscription WHERE base = ? AND tenant = ? AND id = ? AND owner = ?",
  list: `SELECT resource FROM fhir_ws_subscription WHERE base = ? AND tenant = ? AND owner = ?
    ORDER BY place LIMIT ?`,
  activate: `UPDATE fhir_ws_subscription SET resource = json_set(resource, '$.status', 'active')
    WHERE base = ? AND tenant = ? AND id = ? AND owner = ? AND json_extract(resource, '$.status') = 'requested'`,
  put: `INSERT INTO fhir_ws_subscription (base, tenant, id, owner, resource) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (base, tenant, id) DO UPDATE SET resource = excluded.resource WHERE owner = excluded.owner
    RETURNING place`,
  delete: `DELETE FROM fhir_ws_subscription WHERE base = ? AND tenant = ? AND id = ? AND owner = ? RETURNING place`,
};

const TOKEN_SQL = {
  put: `INSERT INTO fhir_ws_grant (digest, content, expires_at) VALUES (?, ?, ?)
    ON CONFLICT (digest) DO UPDATE SET content = excluded.content, expires_at = excluded.expires_at`,
  get: "SELECT content FROM fhir_ws_grant WHERE digest = ?",
  // The update changes nothing; it makes the row of the first attempt the one that is returned.
  redeem: `INSERT INTO fhir_ws_redemption (token, attempt, expires_at) VALUES (?, ?, ?)
    ON CONFLICT (token) DO UPDATE SET attempt = attempt RETURNING attempt = ? AS mine`,
  revoke: `INSERT INTO fhir_ws_generation (subject, generation) VALUES (?, 1)
    ON CONFLICT (subject) DO UPDATE SET generation = generation + 1`,
  generations: `SELECT coalesce(known.generation, 0) AS generation FROM json_each(?) AS given
    LEFT JOIN fhir_ws_generation AS known ON known.subject = given.value ORDER BY given.key`,
  sweepGrants: `DELETE FROM fhir_ws_grant WHERE digest IN
    (SELECT digest FROM fhir_ws_grant WHERE expires_at < ? ORDER BY expires_at LIMIT ${SWEEP_ROWS})`,
  sweepRedemptions: `DELETE FROM fhir_ws_redemption WHERE token IN
    (SELECT token FROM fhir_ws_redemption WHERE expires_at < ? ORDER BY expires_at LIMIT ${SWEEP_ROWS})`,
};

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
  const { base } = options;
  openSqlite(db, options);
  const statements = prepareAll(db, SUBSCRIPTION_SQL);

  return {
    read(id, caller) {
      const row = statements.read.get(base, tenantText(caller.tenant), id, caller.id);
      return row ? JSON.parse(textOf(row, "resource")) : undefined;
    },
    list(caller, limit) {
      return statements.list.all(base, tenantText(caller.tenant), caller.id, Math.max(0, limit))
        .map((row): FhirSubscription => JSON.parse(textOf(row, "resource")));
    },
    activate(id, caller) {
      statements.activate.run(base, tenantText(caller.tenant), id, caller.id);
    },
    put(subscription, owner) {
      const { id } = subscription;
      if (!id) throw new TypeError("Cannot store the Subscription: it has no id");
      const resource = JSON.stringify(subscription);
      const rows = statements.put.all(base, tenantText(owner.tenant), id, owner.id, resource);
      if (rows.length === 0) throw new Forbidden();
    },
    delete(id, owner) {
      return statements.delete.all(base, tenantText(owner.tenant), id, owner.id).length > 0;
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
  const statements = prepareAll(db, TOKEN_SQL);
  let unswept = SWEEP_AFTER;

  function sweep(): void {
    if (++unswept < SWEEP_AFTER) return;
    const before = now() / 1000 - GRACE;
    statements.sweepGrants.run(before);
    statements.sweepRedemptions.run(before);
    unswept = 0;
  }

  return {
    put(digest, grant) {
      sweep();
      statements.put.run(digest, JSON.stringify(grant), Math.ceil(grant.expiresAt));
    },
    get(digest): BindingGrant | undefined {
      const row = statements.get.get(digest);
      return row ? JSON.parse(textOf(row, "content")) : undefined;
    },
    redeem(id, attempt, expiresAt) {
      sweep();
      // With `all`, and not `get`, the statement runs to its end, where SQLite commits: a failure there must be heard.
      const [row] = statements.redeem.all(id, attempt, Math.ceil(expiresAt), attempt);
      return numberOf(row, "mine") === 1;
    },
    revoke(subject) {
      statements.revoke.run(subject);
    },
    generations(subjects) {
      return statements.generations.all(JSON.stringify(subjects)).map((row) => numberOf(row, "generation"));
    },
  };
}

/** As JSON, so that no tenant is not the tenant "". */
function tenantText(tenant: string | undefined): string {
  return JSON.stringify(tenant ?? null);
}
