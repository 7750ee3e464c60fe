// What the PostgreSQL stores have in common: the client as they see it, the tables, and opening them.

import { logFunctions } from "./postgres_functions.ts";

/**
 * A pool or a connection, as far as it is used: `Pool` and `Client` of `pg`, and PGlite, fit. For `postgres` write
 * `{ query: async (text, values) => ({ rows: await sql.unsafe(text, values) }) }`.
 */
export interface PostgresClient {
  /** Runs one statement. */
  query(text: string, values?: (string | number)[]): PromiseLike<{ readonly rows: readonly unknown[] }>;
}

/** Options of every PostgreSQL store. */
export interface PostgresOptions {
  /** The schema of the tables: a lower-case name. It is made when it is not there. Default `fhir_ws`. */
  readonly schema?: string;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
}

/**
 * Each entry leads from the version before it to its own, which is its place in the list, counted from 1. An entry that
 * was released is never changed. Keys and subjects are kept as JSON texts, since PostgreSQL takes no U+0000.
 */
const MIGRATIONS: readonly ((schema: string) => string)[] = [
  (schema) => `
CREATE TABLE ${schema}.binding_grant (digest text COLLATE "C" PRIMARY KEY, content text NOT NULL, expires_at bigint NOT NULL);
CREATE INDEX binding_grant_expiry ON ${schema}.binding_grant (expires_at);
CREATE TABLE ${schema}.redemption (token text COLLATE "C" PRIMARY KEY, attempt text NOT NULL, expires_at bigint NOT NULL);
CREATE INDEX redemption_expiry ON ${schema}.redemption (expires_at);
CREATE TABLE ${schema}.generation (subject text COLLATE "C" PRIMARY KEY, generation bigint NOT NULL);
CREATE TABLE ${schema}.log (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
key text COLLATE "C" NOT NULL UNIQUE, head bigint NOT NULL);
CREATE TABLE ${schema}.event (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at bigint NOT NULL, content text NOT NULL);
CREATE TABLE ${schema}.entry (log bigint NOT NULL, number bigint NOT NULL, at bigint NOT NULL, event bigint NOT NULL,
PRIMARY KEY (log, number));
CREATE INDEX entry_event ON ${schema}.entry (event);`,
  logFunctions,
];

/**
 * A name that stands in SQL, where a value cannot.
 *
 * @throws {TypeError} when it is none.
 */
export function checkName(what: string, name: string): string {
  if (/^[a-z_][a-z0-9_]{0,62}$/.test(name)) return name;
  throw new TypeError(`Cannot use ${what} "${name}": it is not made of 1 to 63 of a-z, 0-9 and _`);
}

/** Runs a statement over a connection on which the tables are ready, whoever else makes them at the same time. */
export type Ask = (
  client: PostgresClient,
  text: string,
  ...values: (string | number)[]
) => Promise<readonly unknown[]>;

/** Opens before the first statement; a failure is forgotten, so that the next one tries again. */
export function createAsk(own: PostgresClient, schema: string): Ask {
  let isOpen = false;
  let opening: Promise<void> | undefined;

  function openOwn(): Promise<void> {
    opening ??= open(own, schema).then(() => {
      isOpen = true;
    }).finally(() => {
      opening = undefined;
    });
    return opening;
  }

  return async (client, text, ...values) => {
    if (!isOpen) {
      const opened = openOwn();
      if (client === own) await opened;
      else {
        // In a transaction of the host nothing waits for another connection, which may be waiting for this one, and
        // what is made may be rolled back again.
        opened.catch(() => {}); // whoever needs it tries again, and is told then
        await open(client, schema);
      }
    }
    return (await client.query(text, values)).rows;
  };
}

async function open(client: PostgresClient, schema: string): Promise<void> {
  try {
    await client.query(openingSql(schema));
  } catch (cause) {
    // Drivers throw errors alone.
    throw new Error(`Cannot open the PostgreSQL storage: ${(cause as Error).message}`, { cause });
  }
}

/**
 * One statement, and with it one transaction, whichever connection of a pool it comes to. A role without the right to
 * create anything can run it too, once somebody else has.
 */
function openingSql(name: string): string {
  const schema = `"${name}"`;
  const steps = MIGRATIONS.map((make, n) => `IF current < ${n + 1} THEN ${make(schema)} END IF;`);
  // By a query, since to_regclass() answers from a cache, which is out of date after one has waited for a lock.
  const hasVersion = `EXISTS (SELECT FROM pg_tables WHERE schemaname = '${name}' AND tablename = 'version')`;
  return `DO $open$
DECLARE
  current integer;
BEGIN
  IF ${hasVersion} THEN
    SELECT max(number) INTO current FROM ${schema}.version;
    IF current = ${MIGRATIONS.length} THEN RETURN; END IF;
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('fhir-ws schema ${name}', 0));
  IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = '${name}') THEN CREATE SCHEMA ${schema}; END IF;
  IF NOT ${hasVersion} THEN CREATE TABLE ${schema}.version (number integer NOT NULL); END IF;
  SELECT coalesce(max(number), 0) INTO current FROM ${schema}.version;
  IF current > ${MIGRATIONS.length} THEN
    RAISE 'its schema has version "%", and this library knows "${MIGRATIONS.length}"', current;
  END IF;
  ${steps.join("\n")}
  DELETE FROM ${schema}.version;
  INSERT INTO ${schema}.version (number) VALUES (${MIGRATIONS.length});
END
$open$`;
}

/** Texts without a line break as one value, which all drivers hand over alike: SQL splits it at chr(10). */
export function listOf(texts: Iterable<string>): string {
  return [...texts].join("\n");
}

/** Says how to read the numbers that a table has for a list of texts, in their order; null for one that it has not. */
export function numbersSql(table: string, text: string, number: string): string {
  return `SELECT ${number} FROM unnest(string_to_array($1, chr(10))) WITH ORDINALITY AS given(${text}, place)
LEFT JOIN ${table} USING (${text}) ORDER BY place`;
}

/** Which columns a row has is written in the statement that it came from. */
type Row = { readonly [column: string]: unknown };

/** A whole number of a row, 0 where there is none: drivers give a bigint column as a text, a number or a bigint. */
export function numberOf(row: unknown, column: string): number {
  return Number((row as Row | undefined)?.[column] ?? 0);
}

/** A text of a row. */
export function textOf(row: unknown, column: string): string {
  return String((row as Row)[column]);
}
