// What the three SQLite stores have in common: the driver as they see it, the tables, opening and transactions.

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
  CREATE TABLE fhir_ws_subscription (
    place INTEGER PRIMARY KEY,
    base TEXT NOT NULL,
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    owner TEXT NOT NULL,
    resource TEXT NOT NULL,
    UNIQUE (base, tenant, id)
  ) STRICT;
  CREATE INDEX fhir_ws_subscription_owner ON fhir_ws_subscription (base, tenant, owner);

  CREATE TABLE fhir_ws_grant (
    digest TEXT PRIMARY KEY,
    content TEXT NOT NULL,
    expires_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX fhir_ws_grant_expiry ON fhir_ws_grant (expires_at);
  CREATE TABLE fhir_ws_redemption (
    token TEXT PRIMARY KEY,
    attempt TEXT NOT NULL,
    expires_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX fhir_ws_redemption_expiry ON fhir_ws_redemption (expires_at);
  CREATE TABLE fhir_ws_generation (
    subject TEXT PRIMARY KEY,
    generation INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE fhir_ws_log (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    head INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE fhir_ws_event (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    content TEXT NOT NULL
  ) STRICT;
  CREATE TABLE fhir_ws_entry (
    log INTEGER NOT NULL,
    number INTEGER NOT NULL,
    event INTEGER NOT NULL,
    PRIMARY KEY (log, number)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX fhir_ws_entry_event ON fhir_ws_entry (event);
  `,
];

/**
 * Makes the connection and the file ready, whatever other stores or processes have done to them already.
 *
 * @throws {Error} when the file is corrupt, read-only or of a newer version of this library.
 */
export function openSqlite(db: SqliteDatabase, options: SqliteOptions): Transactions {
  const { synchronous = "full", busyTimeout = 2000 } = options;
  if (!Number.isInteger(busyTimeout) || busyTimeout < 0) {
    throw new RangeError(`Cannot open the SQLite storage: busyTimeout is "${busyTimeout}", not a whole number of ms`);
  }
  try {
    db.exec(`PRAGMA busy_timeout = ${busyTimeout}`);
    enterWal(db, Date.now() + busyTimeout);
    db.exec(`PRAGMA synchronous = ${synchronous === "normal" ? "NORMAL" : "FULL"}`);
    const transactions = createTransactions(db);
    transactions.write(() => migrate(db));
    return transactions;
  } catch (cause) {
    const state = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`Cannot open the SQLite storage: ${state}`, { cause });
  }
}

/** Waits by itself: SQLite does not, where two processes change the mode of a new file at once. */
function enterWal(db: SqliteDatabase, deadline: number): void {
  for (;;) {
    try {
      db.exec("PRAGMA journal_mode = WAL");
      return;
    } catch (error) {
      if (!String(error).includes("database is locked") || Date.now() > deadline) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

function migrate(db: SqliteDatabase): void {
  // A table and not `user_version`, which belongs to the host whose tables may be in the same file.
  db.exec("CREATE TABLE IF NOT EXISTS fhir_ws_schema (version INTEGER NOT NULL) STRICT");
  const row = db.prepare("SELECT version FROM fhir_ws_schema").get();
  const version = row ? numberOf(row, "version") : 0;
  if (version > MIGRATIONS.length) {
    throw new Error(`its schema has version "${version}", and this library knows "${MIGRATIONS.length}"`);
  }
  for (const sql of MIGRATIONS.slice(version)) db.exec(sql);
  // Written even when it stays the same: a file that cannot be written is refused now and not at the first token.
  db.exec("DELETE FROM fhir_ws_schema");
  db.exec(`INSERT INTO fhir_ws_schema (version) VALUES (${MIGRATIONS.length})`);
}

/** Runs work in a transaction: all of it or nothing. */
export interface Transactions {
  /** Takes the write lock first, so that what is read stays true until it is written. */
  write<T>(work: () => T): T;
  /** Sees one state of the file throughout. */
  read<T>(work: () => T): T;
}

function createTransactions(db: SqliteDatabase): Transactions {
  const [read, write] = [db.prepare("BEGIN"), db.prepare("BEGIN IMMEDIATE")];
  const [commit, rollback] = [db.prepare("COMMIT"), db.prepare("ROLLBACK")];

  function within<T>(begin: SqliteStatement, work: () => T): T {
    begin.run();
    try {
      const result = work();
      commit.run();
      return result;
    } catch (error) {
      try {
        rollback.run();
      } catch {
        // A full disk or an I/O error has made SQLite roll back by itself: the first error is the one to tell.
      }
      throw error;
    }
  }
  return { read: (work) => within(read, work), write: (work) => within(write, work) };
}

/** Prepares a table of statements. */
export function prepareAll<Name extends string>(
  db: SqliteDatabase,
  sql: { readonly [name in Name]: string },
): { readonly [name in Name]: SqliteStatement } {
  const prepared = Object.entries<string>(sql).map(([name, text]) => [name, db.prepare(text)]);
  return Object.fromEntries(prepared); // by the same names
}

/** A whole number of a row; drivers can be set to give bigints. */
export function numberOf(row: unknown, column: string): number {
  return Number(columnOf(row, column));
}

/** A text of a row. */
export function textOf(row: unknown, column: string): string {
  return String(columnOf(row, column));
}

function columnOf(row: unknown, column: string): unknown {
  // Which columns a row has is written in the statement that it came from.
  return (row as { readonly [column: string]: unknown })[column];
}
