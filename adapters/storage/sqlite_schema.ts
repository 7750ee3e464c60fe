// What the three SQLite stores have in common: the driver as they see it, the tables, opening and transactions.

import { check } from "./limits.ts";

/** A prepared statement, as far as it is used. */
export interface SqliteStatement {
  /** Runs it for its effect. */
  run(...values: (string | number)[]): unknown;
  /** Its first row; `undefined` or `null` when there is none. */
  get(...values: (string | number)[]): unknown;
  /** All of its rows. */
  all(...values: (string | number)[]): unknown[];
}

/**
 * A connection, as far as it is used: `DatabaseSync` of `node:sqlite` (Deno, Node, Bun), `Database` of `bun:sqlite` and
 * of `better-sqlite3` fit.
 */
export interface SqliteDatabase {
  /** Runs any number of statements. */
  exec(sql: string): unknown;
  /** Prepares one statement. */
  prepare(sql: string): SqliteStatement;
}

/** Options of every SQLite store. The first two are settings of the connection: the store opened last decides. */
export interface SqliteOptions {
  /**
   * What an acknowledged write survives. `full` (default): also a loss of power, at the price of one flush to disk per
   * write. `normal`: the death of the process (`kill -9`) but not of the machine; several times faster.
   */
  readonly synchronous?: "full" | "normal";
  /**
   * Milliseconds to wait for a writer in another process. SQLite blocks the thread meanwhile: keep it below the
   * endpoint's `storeTimeout`. Default 2000.
   */
  readonly busyTimeout?: number;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
}

/**
 * Each entry leads from the version before it to its own, which is its place in the list, counted from 1. An entry that
 * was released is never changed.
 */
const MIGRATIONS: readonly string[] = [
  `
CREATE TABLE fhir_ws_subscription (place INTEGER PRIMARY KEY, base TEXT NOT NULL, tenant TEXT NOT NULL,
id TEXT NOT NULL, owner TEXT NOT NULL, resource TEXT NOT NULL, UNIQUE (base, tenant, id)) STRICT;
CREATE INDEX fhir_ws_subscription_owner ON fhir_ws_subscription (base, tenant, owner);
CREATE TABLE fhir_ws_grant (digest TEXT PRIMARY KEY, content TEXT NOT NULL,
expires_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX fhir_ws_grant_expiry ON fhir_ws_grant (expires_at);
CREATE TABLE fhir_ws_redemption (token TEXT PRIMARY KEY, attempt TEXT NOT NULL,
expires_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX fhir_ws_redemption_expiry ON fhir_ws_redemption (expires_at);
CREATE TABLE fhir_ws_generation (subject TEXT PRIMARY KEY, generation INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE fhir_ws_log (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, head INTEGER NOT NULL) STRICT;
CREATE TABLE fhir_ws_event (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, content TEXT NOT NULL) STRICT;
CREATE TABLE fhir_ws_entry (log INTEGER NOT NULL, number INTEGER NOT NULL, event INTEGER NOT NULL,
PRIMARY KEY (log, number)) STRICT, WITHOUT ROWID;
CREATE INDEX fhir_ws_entry_event ON fhir_ws_entry (event);`,
];

/** Attempts at the journal mode, where processes open a new file at once. */
const ATTEMPTS = 100;

/**
 * Makes the connection and the file ready, whatever other stores or processes have done to them already.
 *
 * @throws {Error} when the file is corrupt, read-only or of a newer version of this library.
 */
export function openSqlite(db: SqliteDatabase, options: SqliteOptions): void {
  const { synchronous, busyTimeout = 2000 } = options;
  check("busyTimeout", busyTimeout, Number.isInteger(busyTimeout) && busyTimeout >= 0);
  try {
    db.exec(
      `PRAGMA busy_timeout = ${busyTimeout}; PRAGMA synchronous = ${synchronous === "normal" ? "normal" : "full"}`,
    );
    enterWal(db);
    transaction(db, () => migrate(db));
  } catch (cause) {
    // Drivers throw errors alone.
    throw new Error(`Cannot open the SQLite storage: ${(cause as Error).message}`, { cause });
  }
}

/** SQLite does not wait where two processes change the mode of a new file at once, so it is made to. */
function enterWal(db: SqliteDatabase): void {
  for (let attempt = 1;; attempt++) {
    try {
      db.exec("PRAGMA journal_mode = WAL");
      return;
    } catch (error) {
      if (attempt === ATTEMPTS || !String(error).includes("database is locked")) throw error;
      db.exec("BEGIN EXCLUSIVE; COMMIT");
    }
  }
}

function migrate(db: SqliteDatabase): void {
  // A table and not `user_version`, which belongs to the host whose tables may be in the same file.
  db.exec("CREATE TABLE IF NOT EXISTS fhir_ws_schema (version INTEGER NOT NULL) STRICT");
  // Written even when it stays the same: a file that cannot be written is refused now and not at the first token.
  const [row] = db.prepare("DELETE FROM fhir_ws_schema RETURNING version").all();
  const version = numberOf(row, "version");
  if (version > MIGRATIONS.length) {
    throw new Error(`its schema has version "${version}", and this library knows "${MIGRATIONS.length}"`);
  }
  for (const sql of MIGRATIONS.slice(version)) db.exec(sql);
  db.exec(`INSERT INTO fhir_ws_schema VALUES (${MIGRATIONS.length})`);
}

/** Does all of the work or nothing. By default it has the write lock from its start, so that what it reads stays true. */
export function transaction<T>(db: SqliteDatabase, work: () => T, begin = "BEGIN IMMEDIATE"): T {
  db.exec(begin);
  try {
    const result = work();
    db.exec("COMMIT");
    return result;
  } catch (error) {
    try {
      db.exec("ROLLBACK");
    } catch {
      // A full disk or an I/O error has made SQLite roll back by itself: the first error is the one to tell.
    }
    throw error;
  }
}

/** How to read the numbers that a table has for some texts, in their order; 0 for one that it has not. */
export function numberReader(
  db: SqliteDatabase,
  table: string,
  text: string,
  number: string,
): (texts: readonly string[]) => readonly number[] {
  const select = db.prepare(
    `SELECT ${number} FROM json_each(?) AS given LEFT JOIN ${table} AS known ON known.${text} = value ORDER BY given.key`,
  );
  return (texts) => select.all(JSON.stringify(texts)).map((row) => numberOf(row, number));
}

/** Which columns a row has is written in the statement that it came from. */
type Row = { readonly [column: string]: unknown };

/** A whole number of a row, 0 where there is none; drivers can be set to give bigints. */
export function numberOf(row: unknown, column: string): number {
  return Number((row as Row | null | undefined)?.[column] ?? 0);
}

/** What a row, if there is one, has as JSON. */
export function jsonOf<T>(row: unknown, column: string): T | undefined {
  return row ? JSON.parse(String((row as Row)[column])) : undefined;
}
