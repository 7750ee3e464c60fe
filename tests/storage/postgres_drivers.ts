// The PostgreSQL drivers, each as a host would hand it to the adapter.

import type { PostgresClient } from "@fhir-ws/binding/storage/postgres";
import { PGlite, type Transaction } from "@electric-sql/pglite";
// @ts-types="pg-types"
import pg from "pg";
import postgres from "postgres";
import { postgresEngine } from "../several/engines.ts";

/** A database that is open. */
export interface Database {
  readonly client: PostgresClient;
  /** Work in a transaction, which is rolled back when it throws. */
  transaction<T>(work: (transaction: PostgresClient) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export interface Driver {
  readonly name: string;
  /** Why it cannot be used here. */
  readonly skip?: string;
  /** Whether it has more than one connection. */
  readonly isPool: boolean;
  open(): Promise<Database>;
}

async function openPg(): Promise<Database> {
  const pool = new pg.Pool({ connectionString: postgresEngine.url });
  await pool.query("SELECT 1");
  return {
    client: pool,
    async transaction(work) {
      const connection = await pool.connect();
      try {
        await connection.query("BEGIN");
        const result = await work(connection);
        await connection.query("COMMIT");
        return result;
      } catch (error) {
        await connection.query("ROLLBACK");
        throw error;
      } finally {
        connection.release();
      }
    },
    close: () => pool.end(),
  };
}

function fromPostgres(sql: Pick<postgres.Sql, "unsafe">): PostgresClient {
  return { query: async (text, values) => ({ rows: await sql.unsafe(text, values) }) };
}

async function openPostgres(): Promise<Database> {
  const sql = postgres(postgresEngine.url, { onnotice: () => {} });
  await sql`SELECT 1`;
  return {
    client: fromPostgres(sql),
    // Its own type unwraps arrays of promises, which there are none of.
    transaction: <T>(work: (transaction: PostgresClient) => Promise<T>) =>
      sql.begin((transaction) => work(fromPostgres(transaction))) as Promise<T>,
    close: () => sql.end(),
  };
}

async function openPglite(): Promise<Database> {
  const db = await PGlite.create();
  return {
    client: db,
    transaction: <T>(work: (transaction: PostgresClient) => Promise<T>) =>
      db.transaction((transaction: Transaction) => work(transaction)),
    close: () => db.close(),
  };
}

const skip = postgresEngine.skip === undefined ? {} : { skip: postgresEngine.skip };

export const drivers: readonly Driver[] = [
  { name: "pg", isPool: true, open: openPg, ...skip },
  { name: "postgres", isPool: true, open: openPostgres, ...skip },
  { name: "PGlite", isPool: false, open: openPglite },
];
