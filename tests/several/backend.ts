// The stores and the bus of an engine, as a host would set them up.

import type { EventLog, NotificationBus, TokenStore } from "@fhir-ws/binding";
import { createPostgresBus } from "@fhir-ws/binding/bus/postgres";
import { createRedisBus } from "@fhir-ws/binding/bus/redis";
import { createPostgresEventLog, createPostgresTokenStore } from "@fhir-ws/binding/storage/postgres";
import { createRedisEventLog, createRedisTokenStore } from "@fhir-ws/binding/storage/redis";
// @ts-types="pg-types"
import pg from "pg";
import { createClient } from "redis";
import type { ServerConfig } from "./server.ts";

/** What several servers have in common. */
export interface Backend {
  readonly events: EventLog;
  readonly tokenStore: TokenStore;
  readonly bus: NotificationBus;
  close(): Promise<void>;
}

type Place = Pick<ServerConfig, "engine" | "url" | "busUrl" | "name"> & {
  /** Whether the bus of PostgreSQL carries events. */
  readonly carriesEvents?: boolean;
};

/** More than any test writes. */
const MAX_EVENTS = 100_000;

export async function openBackend(place: Place): Promise<Backend> {
  return place.engine === "postgres" ? openPostgres(place) : await openRedis(place);
}

function openPostgres({ url, busUrl, name, carriesEvents = false }: Place): Backend {
  const pool = new pg.Pool({ connectionString: url, max: 5, connectionTimeoutMillis: 1000 });
  pool.on("error", () => {}); // an idle connection was lost: the pool opens another
  async function connect(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: busUrl, keepAlive: true, connectionTimeoutMillis: 1000 });
    await client.connect();
    return client;
  }
  return {
    events: createPostgresEventLog(pool, { schema: name, maxEvents: MAX_EVENTS }),
    tokenStore: createPostgresTokenStore(pool, { schema: name }),
    bus: createPostgresBus(pool, connect, { channel: name, events: carriesEvents }),
    close: () => pool.end(),
  };
}

async function openRedis({ url, busUrl, name }: Place): Promise<Backend> {
  const [client, subscriber] = await Promise.all([url, busUrl].map(async (url) => {
    const client = createClient({ url, disableOfflineQueue: true, socket: { reconnectStrategy: () => 50 } });
    client.on("error", () => {}); // it comes back by itself
    return await client.connect();
  }));
  if (client === undefined || subscriber === undefined) throw new Error("unreachable");
  return {
    events: createRedisEventLog(client, { prefix: name, maxEvents: MAX_EVENTS }),
    tokenStore: createRedisTokenStore(client, { prefix: name }),
    bus: createRedisBus(client, subscriber, { channel: name }),
    async close() {
      await subscriber.close();
      await client.close();
    },
  };
}

/** Removes all that a backend has left in an engine. */
export async function clearBackend({ engine, url, name }: Place): Promise<void> {
  if (engine === "postgres") {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query(`DROP SCHEMA IF EXISTS ${name} CASCADE`);
    return await client.end();
  }
  const client = await createClient({ url }).connect();
  const keys = await client.keys(`{${name}}:*`);
  for (const key of keys) await client.del(key);
  await client.close();
}
