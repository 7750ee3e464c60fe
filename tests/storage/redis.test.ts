import { eventLogContract, tokenStoreContract } from "@fhir-ws/binding/contracts";
import {
  createRedisEventLog,
  createRedisTokenStore,
  type RedisClient,
  type RedisEventLogOptions,
} from "@fhir-ws/binding/storage/redis";
import type { EventLog, NotificationEvent } from "@fhir-ws/binding";
import { assertEquals, assertGreater, assertLess, assertRejects, assertThrows } from "@std/assert";
import { after, before, describe, test } from "node:test";
import { uniqueName } from "../several/engines.ts";
import { assertNoGap, assertNoGapWhenLimitChanges } from "./gaps.ts";
import { type Connection, libraries, type Library, send } from "./redis_clients.ts";

const EVENT: NotificationEvent = { interaction: "create", focus: "Patient/p1" };
const FACTORIES = [createRedisTokenStore, createRedisEventLog];

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

function testLibrary({ open }: Library): void {
  let connection: Connection;
  let client: RedisClient;
  before(async () => {
    connection = await open();
    client = connection.client;
  });
  after(() => connection.close());

  /** The keys of a prefix, without it. */
  async function keysOf(prefix: string): Promise<string[]> {
    const keys = await send(client, "KEYS", `{${prefix}}:*`) as string[];
    return keys.map((key) => key.slice(prefix.length + 3)).sort();
  }

  /** Hands out a prefix whose keys are gone afterwards. */
  async function within(work: (prefix: string) => Promise<void>): Promise<void> {
    const prefix = uniqueName();
    try {
      await work(prefix);
    } finally {
      for (const key of await keysOf(prefix)) await send(client, "DEL", `{${prefix}}:${key}`);
    }
  }

  function withLog(options: RedisEventLogOptions, work: (log: EventLog, prefix: string) => Promise<void>) {
    return within((prefix) => work(createRedisEventLog(client, { ...options, prefix }), prefix));
  }

  for (const { name, run } of tokenStoreContract) {
    test(`createRedisTokenStore ${name}`, () =>
      within((prefix) => run((setup) => createRedisTokenStore(client, { ...setup, prefix }))));
  }
  for (const { name, run } of eventLogContract) {
    test(`createRedisEventLog ${name}`, () =>
      within((prefix) => run((setup) => createRedisEventLog(client, { ...setup, prefix }))));
  }

  test("all stores let Redis expire what may be forgotten, and nothing else", () =>
    within(async (prefix) => {
      const tokens = createRedisTokenStore(client, { prefix });
      const log = createRedisEventLog(client, { prefix, maxAge: 60 });
      const expiresAt = Math.floor(Date.now() / 1000) + 60;
      await tokens.put("digest", {
        id: "t1",
        audience: "https://example.org/fhir",
        caller: { id: "alice" },
        subscriptions: ["s1"],
        issuedAt: expiresAt - 60,
        expiresAt,
      });
      await tokens.redeem("t1", "attempt", expiresAt);
      await tokens.revoke("tok:t1");
      await log.append(["a"], EVENT);
      for (const key of await keysOf(prefix)) {
        const left = Number(await send(client, "TTL", `{${prefix}}:${key}`));
        if (key === "generations" || key === "heads") assertEquals(left, -1, key);
        else {
          assertGreater(left, 640, key);
          assertLess(left, 661, key);
        }
      }
    }));

  test("createRedisEventLog lets nothing expire when events are kept for ever", () =>
    withLog({ maxAge: Infinity }, async (log, prefix) => {
      await log.append(["a"], EVENT);
      for (const key of await keysOf(prefix)) assertEquals(await send(client, "TTL", `{${prefix}}:${key}`), -1, key);
    }));

  test("createRedisEventLog stores an event of many keys once, and frees it with its last key", () =>
    withLog({ maxEvents: 2 }, async (log, prefix) => {
      async function events(): Promise<number> {
        return (await keysOf(prefix)).filter((key) => key.startsWith("event:")).length;
      }
      await log.append(["a", "b"], EVENT);
      assertEquals(await events(), 1);
      for (const _ of range(1, 3)) await log.append(["a"], EVENT);
      assertEquals(await events(), 3, "b still has the first");
      await log.drop("b");
      assertEquals(await events(), 2);
      await log.drop("a");
      assertEquals(await keysOf(prefix), []);
    }));

  test("createRedisEventLog appends once what a client sends twice", () =>
    withLog({}, async (_, prefix) => {
      const eager: RedisClient = {
        async sendCommand([name = "", ...args]) {
          await send(client, name, ...args);
          return await send(client, name, ...args);
        },
      };
      const log = createRedisEventLog(eager, { prefix });
      assertEquals(await log.append(["a", "b"], EVENT), [1, 1]);
      assertEquals(await log.append(["b"], EVENT), [2]);
      assertEquals((await log.read("b", 0, 9)).events, [{ ...EVENT, number: 1 }, { ...EVENT, number: 2 }]);
    }));

  test("createRedisEventLog shows events that Redis has lost as pruned, with all before them", () =>
    withLog({}, async (log, prefix) => {
      for (const n of range(1, 9)) await log.append(["a"], { ...EVENT, focus: `Patient/p${n}` });
      const entries = await send(client, "LRANGE", `{${prefix}}:log:a`, "0", "-1") as string[];
      for (const n of [3, 5]) await send(client, "DEL", `{${prefix}}:event:${entries[n - 1]?.split(" ")[1]}`);
      const { events, oldest, head } = await log.read("a", 0, 100);
      assertEquals([oldest, head], [6, 9]);
      assertEquals(events.map(({ number, focus }) => [number, focus]), range(6, 9).map((n) => [n, `Patient/p${n}`]));
      await assertNoGap(log, "a");
      assertEquals(await log.append(["a"], EVENT), [10]);
    }));

  test("createRedisEventLog leaves no gap when it keeps fewer events for a while", () =>
    within((prefix) => assertNoGapWhenLimitChanges((maxEvents) => createRedisEventLog(client, { prefix, maxEvents }))));

  test("createRedisEventLog begins after the head when Redis has lost all events of a key", () =>
    withLog({}, async (log, prefix) => {
      for (const _ of range(1, 3)) await log.append(["a"], EVENT);
      await send(client, "DEL", `{${prefix}}:log:a`);
      assertEquals(await log.read("a", 0, 9), { events: [], oldest: 4, head: 3 });
      assertEquals(await log.append(["a"], EVENT), [4]);
      assertEquals(await log.read("a", 3, 9), { events: [{ ...EVENT, number: 4 }], oldest: 4, head: 4 });
    }));

  test("createRedisEventLog appends nothing when the event cannot be written as JSON", () =>
    withLog({}, async (log) => {
      const resource = { resourceType: "Basic", extra: 1n };
      await assertRejects(async () => await log.append(["a"], { ...EVENT, resource }), TypeError);
      assertEquals(await log.append(["a"], EVENT), [1]);
    }));
}

describe("Redis", () => {
  const client: RedisClient = { sendCommand: () => Promise.reject(new Error("it was asked")) };

  test("all stores throw TypeError for a prefix that cannot be a hash tag", () => {
    for (const prefix of ["", "{a}", "a}b", "a{"]) {
      for (const create of FACTORIES) assertThrows(() => create(client, { prefix }), TypeError, "Cannot use prefix");
    }
  });

  test("createRedisEventLog throws RangeError when a limit is not positive", () => {
    for (const maxEvents of [0, 1.5, NaN]) assertThrows(() => createRedisEventLog(client, { maxEvents }), RangeError);
    for (const maxAge of [0, -1, NaN]) assertThrows(() => createRedisEventLog(client, { maxAge }), RangeError);
  });

  for (const library of libraries) {
    // The reason is also in the name, since Deno does not report it.
    if (library.skip) test(`by ${library.name}: ${library.skip}`, { skip: library.skip }, () => {});
    else describe(`by ${library.name}`, () => testLibrary(library));
  }
});
