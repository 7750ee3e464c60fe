// One SQLite file holds everything: resources, events, token state and keys.

import { DatabaseSync } from "node:sqlite";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS resource (
    fhir TEXT NOT NULL, type TEXT NOT NULL, id TEXT NOT NULL, owner TEXT NOT NULL,
    version INTEGER NOT NULL, updated TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (fhir, type, id)
  ) STRICT;
  -- What has to be found quickly of the websocket Subscriptions among them. due_at (milliseconds) is when one is turned
  -- off: at its end or, where it has none (ends = 0), an hour after somebody was last bound; null while somebody is.
  CREATE TABLE IF NOT EXISTS watch (
    fhir TEXT NOT NULL, id TEXT NOT NULL, owner TEXT NOT NULL, status TEXT NOT NULL,
    type TEXT, wanted TEXT, ends INTEGER NOT NULL, due_at INTEGER,
    PRIMARY KEY (fhir, id)
  ) STRICT;
  CREATE INDEX IF NOT EXISTS watch_by_owner ON watch (fhir, owner, status, type);
  CREATE INDEX IF NOT EXISTS watch_by_time ON watch (fhir, due_at) WHERE due_at IS NOT NULL;
  CREATE TABLE IF NOT EXISTS secret (name TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT, WITHOUT ROWID;
`;

/** Opens or creates a database. A commit has reached the disk when it returns. */
export function openDatabase(file: string): DatabaseSync {
  const db = new DatabaseSync(file);
  db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000");
  db.exec(SCHEMA);
  return db;
}

/** Does all of it or nothing. */
export function transaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    db.exec("COMMIT");
    return result;
  } catch (error) {
    rollBack(db);
    throw error;
  }
}

function rollBack(db: DatabaseSync): void {
  try {
    db.exec("ROLLBACK");
  } catch {
    // Some errors (a full disk) have ended the transaction already; the error itself is thrown on.
  }
}

/** The random secret of this name, made at its first use: 256 bits. */
export function secret(db: DatabaseSync, name: string): Uint8Array {
  db.prepare("INSERT INTO secret VALUES (?, ?) ON CONFLICT DO NOTHING")
    .run(name, crypto.getRandomValues(new Uint8Array(32)));
  const row = db.prepare("SELECT bytes FROM secret WHERE name = ?").get(name);
  if (!(row?.bytes instanceof Uint8Array)) throw new Error(`Cannot read secret "${name}": it is not there`);
  return row.bytes;
}
