/**
 * Tokens and events in Redis, for any number of machines. The connection is the host's, to open and to close.
 *
 * What survives is what Redis is told to keep: with `appendonly yes` and `appendfsync always` all that was accepted,
 * with `everysec` all but a second's worth. What is lost takes revocations with it: a token can come back to life.
 * `maxmemory-policy` must be `noeviction`. Talk to the primary; a failover to a replica loses what had not reached it.
 * On a cluster everything of one prefix is on one node: it is not spread.
 *
 * Let commands fail while there is no connection (`enableOfflineQueue: false` of `ioredis`, `disableOfflineQueue: true`
 * of `redis`): what waits in a queue is carried out later, when nobody waits for it any more.
 *
 * @module
 */
import type { BindingGrant, TokenStore } from "../../src/types.ts";
import { command, createScript, elementsOf, type RedisClient, type RedisOptions, tagOf } from "./redis_client.ts";

export { createRedisEventLog, type RedisEventLogOptions } from "./redis_log.ts";
export type { RedisClient, RedisOptions } from "./redis_client.ts";

/** Seconds for which grants and redemptions outlive their expiry, so that a late client hears "expired". */
const GRACE = 600;

// ARGV: the attempt, milliseconds to remember it.
const redeem = createScript(`
local first = redis.call("GET", KEYS[1])
if first then return first == ARGV[1] and 1 or 0 end
redis.call("SET", KEYS[1], ARGV[1], "PX", ARGV[2])
return 1`);

/**
 * Grants, redemptions and revocations of every base and process that share the prefix.
 *
 * @throws {TypeError} when `prefix` is empty or holds a brace.
 *
 * @example
 * ```ts
 * import { createRedisTokenStore, type RedisClient } from "@fhir-ws/binding/storage/redis";
 *
 * // In place of `await createClient({ url }).connect()` of `redis`, or `new Redis(url)` of `ioredis`
 * const counts = new Map<string, number>();
 * const client: RedisClient = {
 *   sendCommand([name, key, ...rest]) {
 *     const field = (subject?: string) => `${key} ${subject}`;
 *     if (name === "HMGET") return Promise.resolve(rest.map((subject) => counts.get(field(subject)) ?? null));
 *     return Promise.resolve(counts.set(field(rest[0]), Number(rest[1])));
 *   },
 * };
 *
 * const store = createRedisTokenStore(client, { prefix: "subscriptions" });
 * await store.revoke("tok:t1");
 * const generations = await store.generations(["tok:t1", "tok:t2"]);
 * if (generations.join() !== "1,0") throw new Error("unreachable");
 * ```
 */
export function createRedisTokenStore(client: RedisClient, options: RedisOptions = {}): TokenStore {
  const { now = Date.now } = options;
  const tag = tagOf(options.prefix);
  const generations = `${tag}:generations`;

  /** Milliseconds from now to the end of the grace, by this clock alone: Redis's may differ. */
  function lifetime(expiresAt: number): string {
    return String(Math.max(1, Math.ceil((expiresAt + GRACE) * 1000 - now())));
  }

  return {
    async put(digest, grant) {
      await command(client, "SET", `${tag}:grant:${digest}`, JSON.stringify(grant), "PX", lifetime(grant.expiresAt));
    },
    async get(digest): Promise<BindingGrant | undefined> {
      const text = await command(client, "GET", `${tag}:grant:${digest}`);
      if (text === null) return undefined;
      const grant: BindingGrant = JSON.parse(String(text));
      return grant.expiresAt + GRACE < now() / 1000 ? undefined : grant;
    },
    async redeem(id, attempt, expiresAt) {
      return await redeem(client, `${tag}:redemption:${id}`, [attempt, lifetime(expiresAt)]) === 1;
    },
    async revoke(subject) {
      await command(client, "HINCRBY", generations, subject, "1");
    },
    async generations(subjects) {
      if (subjects.length === 0) return [];
      return elementsOf(await command(client, "HMGET", generations, ...subjects)).map(Number);
    },
  };
}
