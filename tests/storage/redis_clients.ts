// The Redis clients, each as a host would hand it to the adapters.

import type { RedisClient } from "@fhir-ws/binding/storage/redis";
import type { RedisSubscriber } from "@fhir-ws/binding/bus/redis";
import { Redis } from "ioredis";
import { createClient } from "redis";
import { redisEngine } from "../several/engines.ts";

/** A connection that is open. */
export interface Connection {
  readonly client: RedisClient & RedisSubscriber;
  close(): void;
}

export interface Library {
  readonly name: string;
  /** Why it cannot be used here. */
  readonly skip?: string;
  /** `name` is what the server calls the connection. */
  open(name?: string): Promise<Connection>;
}

async function openIoredis(connectionName = "test"): Promise<Connection> {
  const client = new Redis(redisEngine.url, {
    connectionName,
    lazyConnect: true,
    enableOfflineQueue: false,
    retryStrategy: () => 20,
  });
  client.on("error", () => {}); // what it means is for the tests to find out
  await client.connect();
  return { client, close: () => client.disconnect() };
}

async function openRedis(name = "test"): Promise<Connection> {
  const client = createClient({
    url: redisEngine.url,
    name,
    disableOfflineQueue: true,
    socket: { reconnectStrategy: () => 20 },
  });
  client.on("error", () => {}); // as above
  await client.connect();
  return { client, close: () => client.destroy() };
}

const skip = redisEngine.skip === undefined ? {} : { skip: redisEngine.skip };

export const libraries: readonly Library[] = [
  { name: "ioredis", open: openIoredis, ...skip },
  { name: "redis", open: openRedis, ...skip },
];

/** Sends one command by any of them. */
export async function send(client: RedisClient, ...[name = "", ...args]: string[]): Promise<unknown> {
  return "call" in client ? await client.call(name, ...args) : await client.sendCommand([name, ...args]);
}
