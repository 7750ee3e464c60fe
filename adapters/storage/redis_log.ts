// The event log of the Redis adapter.

import type { EventLog, EventPage, LoggedEvent, NotificationEvent } from "../../src/types.ts";
import { command, createScript, elementsOf, type RedisClient, type RedisOptions, tagOf } from "./redis_client.ts";

/** Options of `createRedisEventLog`. */
export interface RedisEventLogOptions extends RedisOptions {
  /** Events kept per key. Default 1000. */
  readonly maxEvents?: number;
  /** Seconds for which an event is kept. Default 86400; `Infinity` keeps it until there are too many. */
  readonly maxAge?: number;
}

/** Milliseconds by which Redis keeps events longer than they are read, so that its clock need not agree with ours. */
const SLACK = 600_000;

// `<tag>:heads` is a hash of each key's highest number; it never expires. `<tag>:log:<key>` is a list of entries, the
// last of which has that number. An entry is its time and the id of its event, and `<tag>:event:<id>` is a hash of the
// event's `content`, the count of its `entries`, and the `numbers` that it was given. Lists and events expire by
// themselves when all in them is old. Scripts are atomic, so counting is safe.

/** Drops the first entry of a list, and its event when it was the last entry of it. */
const SHIFT = `
local function shift(tag, list)
  local id = string.match(redis.call("LPOP", list), " (.+)$")
  local event = tag .. ":event:" .. id
  local entries = redis.call("HGET", event, "entries")
  if entries and tonumber(entries) > 1 then redis.call("HINCRBY", event, "entries", -1)
  else redis.call("DEL", event) end
end`;

// ARGV: tag, id, content, time, maxEvents, lifetime in milliseconds or 0, keys. A client that lost its connection may
// send the same append twice: the second one is told what the first one did.
const append = createScript(`${SHIFT}
local tag, id, limit, lifetime = ARGV[1], ARGV[2], tonumber(ARGV[5]), tonumber(ARGV[6])
local event, entry = tag .. ":event:" .. id, ARGV[4] .. " " .. id
local done = redis.call("HGET", event, "numbers")
if done then return done end
local numbers, full = {}, {}
for n = 7, #ARGV do
  local list = tag .. ":log:" .. ARGV[n]
  numbers[#numbers + 1] = redis.call("HINCRBY", KEYS[1], ARGV[n], 1)
  local excess = redis.call("RPUSH", list, entry) - limit
  if excess > 0 then full[list] = excess end
  if lifetime > 0 then redis.call("PEXPIRE", list, lifetime) end
end
local given = table.concat(numbers, " ")
redis.call("HSET", event, "content", ARGV[3], "entries", #numbers, "numbers", given)
if lifetime > 0 then redis.call("PEXPIRE", event, lifetime) end
for list, excess in pairs(full) do
  for _ = 1, excess do shift(tag, list) end
end
return given`);

/** Drops the first entries of a list that are too old or too many; returns how many are left. */
const PRUNE = `${SHIFT}
local function prune(tag, list, cutoff, limit)
  local length = redis.call("LLEN", list)
  while length > 0 and (length > limit or
      tonumber(string.match(redis.call("LINDEX", list, 0), "^(%S+)")) < cutoff) do
    shift(tag, list)
    length = length - 1
  end
  return length
end`;

// ARGV: tag, key, cutoff, maxEvents, after, limit. Replies with the head, the oldest number and the contents. An event
// that Redis has lost is shown as pruned, with all before it.
const read = createScript(`${PRUNE}
local tag, list = ARGV[1], ARGV[1] .. ":log:" .. ARGV[2]
local head = tonumber(redis.call("HGET", KEYS[1], ARGV[2]) or 0)
local oldest = head - prune(tag, list, tonumber(ARGV[3]), tonumber(ARGV[4])) + 1
local first, limit = math.max(tonumber(ARGV[5]) + 1, oldest), tonumber(ARGV[6])
local reply = {head, oldest}
if limit <= 0 or first > head then return reply end
for n, entry in ipairs(redis.call("LRANGE", list, first - oldest, first - oldest + limit - 1)) do
  local content = redis.call("HGET", tag .. ":event:" .. string.match(entry, " (.+)$"), "content")
  if content then reply[#reply + 1] = content else reply = {head, first + n} end
end
return reply`);

// ARGV: tag, key.
const drop = createScript(`${SHIFT}
local list = ARGV[1] .. ":log:" .. ARGV[2]
redis.call("HDEL", KEYS[1], ARGV[2])
while redis.call("LLEN", list) > 0 do shift(ARGV[1], list) end
return 0`);

/**
 * The events of every base and process that share the prefix. An event is stored once, however many keys it has. What
 * is older than `maxAge` is not read any more, and freed by Redis itself ten minutes later.
 *
 * @throws {TypeError} when `prefix` is empty or holds a brace.
 * @throws {RangeError} when `maxEvents` is no positive integer or `maxAge` is not positive.
 *
 * @example
 * ```ts
 * import { createRedisEventLog } from "@fhir-ws/binding/storage/redis";
 *
 * // In place of `await createClient({ url }).connect()` of `redis`, or `new Redis(url)` of `ioredis`
 * const client = { sendCommand: (_args: string[]): Promise<unknown> => Promise.resolve("1 7") };
 *
 * const log = createRedisEventLog(client, { maxEvents: 100 });
 * const numbers = await log.append(["a", "b"], { interaction: "create", focus: "Patient/p1" });
 * if (numbers.join() !== "1,7") throw new Error("unreachable");
 * ```
 */
export function createRedisEventLog(client: RedisClient, options: RedisEventLogOptions = {}): EventLog {
  const { maxEvents = 1000, maxAge = 86_400, now = Date.now } = options;
  if (!Number.isInteger(maxEvents) || maxEvents < 1) {
    throw new RangeError(`Cannot keep events: maxEvents is "${maxEvents}", not a positive integer`);
  }
  if (!(maxAge > 0)) {
    throw new RangeError(`Cannot keep events: maxAge is "${maxAge}", not a positive number of seconds`);
  }
  const tag = tagOf(options.prefix);
  const heads = `${tag}:heads`;
  const lifetime = maxAge === Infinity ? "0" : String(Math.ceil(maxAge * 1000) + SLACK);

  /** The time, in milliseconds, before which an event is too old. */
  function cutoff(): string {
    return String(Math.max(0, Math.floor(now() - maxAge * 1000)));
  }

  return {
    async append(keys, event) {
      if (keys.length === 0) return [];
      const distinct = [...new Set(keys)];
      const at = String(Math.floor(now()));
      const common = [tag, crypto.randomUUID(), JSON.stringify(event), at, String(maxEvents), lifetime];
      const given = String(await append(client, heads, [...common, ...distinct])).split(" ").map(Number);
      const numbers = new Map(distinct.map((key, n) => [key, given[n] ?? 0]));
      return keys.map((key) => numbers.get(key) ?? 0);
    },
    async read(key, after, limit) {
      const reply = await read(client, heads, [
        ...[tag, key, cutoff(), String(maxEvents)],
        ...[String(after), String(limit)],
      ]);
      return toPage(elementsOf(reply), after);
    },
    async heads(keys) {
      if (keys.length === 0) return [];
      return elementsOf(await command(client, "HMGET", heads, ...keys)).map(Number);
    },
    async drop(key) {
      await drop(client, heads, [tag, key]);
    },
  };
}

function toPage([head, oldest, ...contents]: readonly unknown[], after: number): EventPage {
  const first = Math.max(after + 1, Number(oldest));
  const events = contents.map((content, n): LoggedEvent => {
    const event: NotificationEvent = JSON.parse(String(content));
    return { ...event, number: first + n };
  });
  return { events, oldest: Number(oldest), head: Number(head) };
}
