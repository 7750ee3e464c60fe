// The database servers that tests talk to.

import process from "node:process";
// @ts-types="pg-types"
import pg from "pg";
import { createClient } from "redis";

/** A server, or why there is none. */
export interface Engine {
  readonly url: string;
  /** Set where it is missing. In CI that is a failure of every test file that asks. */
  readonly skip?: string;
}

async function probe(name: string, url: string, connect: (url: string) => Promise<void>): Promise<Engine> {
  try {
    await connect(url);
    return { url };
  } catch (error) {
    const cause = error instanceof AggregateError ? error.errors[0] : error;
    const skip = `no ${name} at ${new URL(url).host}: ${cause instanceof Error ? cause.message : cause}`;
    // At once, and not by tests that wait for a server until their time is over.
    if (process.env.CI) throw new Error(skip);
    return { url, skip };
  }
}

async function connectPostgres(connectionString: string): Promise<void> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 2000 });
  await client.connect();
  await client.end();
}

async function connectRedis(url: string): Promise<void> {
  const client = createClient({ url, socket: { connectTimeout: 2000, reconnectStrategy: false } });
  client.on("error", () => {}); // `connect` rejects too
  await client.connect();
  await client.close();
}

export const postgresEngine: Engine = await probe(
  "PostgreSQL",
  process.env.POSTGRES_URL ?? "postgres://postgres@127.0.0.1:5432/test",
  connectPostgres,
);

export const redisEngine: Engine = await probe(
  "Redis",
  process.env.REDIS_URL ?? "redis://127.0.0.1:6379",
  connectRedis,
);

/** A name that no other test and no other run has, fit for schemas, channels and prefixes. */
export function uniqueName(): string {
  return `fhir_ws_test_${crypto.randomUUID().replaceAll("-", "_")}`;
}
