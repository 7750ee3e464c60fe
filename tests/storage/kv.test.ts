import { eventLogContract, subscriptionStoreContract, tokenStoreContract } from "@fhir-ws/binding/contracts";
import {
  createKvEventLog,
  createKvSubscriptionStore,
  createKvTokenStore,
  type KvDatabase,
} from "@fhir-ws/binding/storage/kv";
import type { BindingGrant, EventLog, NotificationEvent } from "@fhir-ws/binding";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { mkdtempSync, rmSync } from "node:fs";
import { after, describe, test } from "node:test";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { deserialize, serialize } from "node:v8";
import { assertNoGap, assertNoGapWhenLimitChanges } from "./gaps.ts";

interface Connection extends KvDatabase {
  close(): void;
}
type Open = (path: string, options?: unknown) => Promise<Connection>;

/** Deno's own KV, or what npm has of it. */
async function findKv(): Promise<Open | string> {
  const deno = (globalThis as { readonly Deno?: { readonly openKv?: Open } }).Deno; // only there on Deno
  if (deno) return deno.openKv ?? "Deno runs without its KV: set --unstable-kv";
  try {
    // No literal, for a type checker looks into literals.
    const name = "@deno/kv";
    const module: { readonly openKv: Open } = await import(name);
    // Bun has not what @deno/kv writes values with.
    const codec = "bun" in process.versions ? { encodeV8: serialize, decodeV8: deserialize } : {};
    return (path) => module.openKv(path, codec);
  } catch (error) {
    return `@deno/kv does not load here: ${(error as { readonly code?: unknown }).code ?? error}`;
  }
}

const BASE = "https://example.org/fhir";
const ALICE = { id: "alice" };
const EVENT: NotificationEvent = { interaction: "create", focus: "Patient/p1" };
const KEY = JSON.stringify([BASE, "tenant", "5f0c3b1e-7a36-4f9e-8f0e-000000000000"]);

function eventOf(size: number): NotificationEvent {
  return { ...EVENT, resource: { resourceType: "Basic", id: "ü\u{1F489}x".repeat(size / 7) } };
}

function grant(id: string, expiresAt: number): BindingGrant {
  return { id, audience: BASE, caller: ALICE, subscriptions: ["s1"], issuedAt: expiresAt - 3600, expiresAt };
}

function keysOf(count: number, start = KEY): string[] {
  return Array.from({ length: count }, (_, index) => `${start}-${index}`);
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

/** Called before each commit, by its number from 1. */
type Watcher = (commit: number) => Promise<void> | void;

/** A database that tells of its commits; when the watcher throws there is none. */
function watch(kv: KvDatabase, watcher: Watcher): KvDatabase {
  let commits = 0;
  return {
    get: (key) => kv.get(key),
    getMany: (keys) => kv.getMany(keys),
    list: (selector, options) => kv.list(selector, options),
    atomic() {
      const atomic = kv.atomic();
      const commit = atomic.commit.bind(atomic);
      atomic.commit = async () => {
        await watcher(++commits);
        return await commit();
      };
      return atomic;
    },
  };
}

function fail(): never {
  throw new Error("the database is down");
}

function testKv(open: Open): void {
  const folder = mkdtempSync(join(tmpdir(), "fhir-ws-kv-"));
  after(() => rmSync(folder, { recursive: true }));

  async function within(work: (kv: Connection) => unknown, path = ":memory:"): Promise<void> {
    const kv = await open(path);
    try {
      await work(kv);
    } finally {
      kv.close();
    }
  }

  for (const { name, run } of subscriptionStoreContract) {
    test(`createKvSubscriptionStore ${name}`, () =>
      within((kv) => run(() => createKvSubscriptionStore(kv, { base: BASE }))));
  }
  for (const { name, run } of tokenStoreContract) {
    test(`createKvTokenStore ${name}`, () => within((kv) => run((setup) => createKvTokenStore(kv, setup))));
  }
  for (const { name, run } of eventLogContract) {
    test(`createKvEventLog ${name}`, () => within((kv) => run((setup) => createKvEventLog(kv, setup))));
  }

  test("createKvSubscriptionStore keeps bases and prefixes of one database apart", () =>
    within(async (kv) => {
      const stores = [{ base: BASE }, { base: `${BASE}/R5` }, { base: BASE, prefix: ["other", "place"] }]
        .map((options) => createKvSubscriptionStore(kv, options));
      for (const [index, store] of stores.entries()) {
        await store.put({ resourceType: "Subscription", id: "s1" }, { id: `owner-${index}` });
      }
      for (const [index, store] of stores.entries()) {
        for (const owner of [0, 1, 2]) {
          assertEquals((await store.list({ id: `owner-${owner}` }, 9)).length, owner === index ? 1 : 0);
        }
      }
    }));

  test("createKvSubscriptionStore throws TypeError when a Subscription has no id", () =>
    within(async (kv) => {
      const store = createKvSubscriptionStore(kv, { base: BASE });
      await assertRejects(async () => await store.put({ resourceType: "Subscription" }, ALICE), TypeError, "no id");
    }));

  test("all stores refuse with RangeError what is too large, before anything is written", () =>
    within(async (kv) => {
      const watched = watch(kv, fail);
      const long = "x".repeat(70_000);
      const subscriptions = createKvSubscriptionStore(watched, { base: BASE });
      const tokens = createKvTokenStore(watched);
      const log = createKvEventLog(watched);
      const subscription = { resourceType: "Subscription", id: "s1", reason: long } as const;
      const refused: (() => unknown)[] = [
        () => subscriptions.put(subscription, ALICE),
        () => subscriptions.put({ resourceType: "Subscription", id: "s1" }, { id: long }),
        () => tokens.put("digest", { ...grant("t1", 1), audience: long }),
        () => tokens.redeem(long, "attempt", 1),
        () => tokens.revoke(long),
        () => log.append(["a", long], EVENT),
      ];
      for (const call of refused) await assertRejects(async () => await call(), RangeError);
      assertEquals(await log.heads(["a"]), [0]);
    }));

  test("all stores take keys up to KV's limit and no longer", () =>
    within(async (kv) => {
      const tokens = createKvTokenStore(kv);
      // Each text has two bytes more, and U+0000 takes two.
      const room = 2048 - "fhir-ws".length - "generation".length - 3 * 2;
      for (const fill of ["x", "\u0000", "ü", "漢", "\u{1F489}"]) {
        const bytes = fill === "\u0000" ? 2 : new TextEncoder().encode(fill).length;
        const longest = fill.repeat(Math.floor(room / bytes)).padEnd(0);
        await tokens.revoke(longest + "x".repeat(room % bytes));
        await assertRejects(async () => await tokens.revoke(longest + "x".repeat(room % bytes + 1)), RangeError);
        assertEquals(await tokens.generations([longest + "x".repeat(room % bytes)]), [1]);
      }
    }));

  test("createKvEventLog throws RangeError when a limit is not positive and finite", () =>
    within((kv) => {
      for (const maxEvents of [0, 1.5, NaN]) assertThrows(() => createKvEventLog(kv, { maxEvents }), RangeError);
      for (const maxAge of [0, NaN, Infinity]) assertThrows(() => createKvEventLog(kv, { maxAge }), RangeError);
    }));

  test("createKvEventLog gives events of any size back", () =>
    within(async (kv) => {
      const log = createKvEventLog(kv);
      for (const size of [1000, 59_000, 60_500, 65_500, 131_100, 900_000]) {
        const keys = keysOf(3, `key-${size}`);
        assertEquals(await log.append(keys, eventOf(size)), [1, 1, 1]);
        assertEquals(await log.append([keys[0]!], eventOf(size)), [2]);
        const [first, second] = (await log.read(keys[0]!, 0, 9)).events;
        assertEquals([first, second], [{ ...eventOf(size), number: 1 }, { ...eventOf(size), number: 2 }]);
        assertEquals((await log.read(keys[2]!, 0, 9)).events, [{ ...eventOf(size), number: 1 }]);
      }
    }));

  test("createKvEventLog appends to three hundred keys in one commit, and to all or none of them", () =>
    within(async (kv) => {
      const log = createKvEventLog(watch(kv, (commit) => commit > 3 ? fail() : undefined), { maxEvents: 2 });
      const keys = keysOf(300);
      for (const number of [1, 2, 3]) assertEquals(await log.append(keys, EVENT), keys.map(() => number));
      await assertRejects(async () => await log.append(keys, EVENT), Error, "the database is down");
      assertEquals(await log.heads(keys), keys.map(() => 3));
    }));

  test("createKvEventLog keeps whole groups when the database fails between two, and goes on", () =>
    within(async (kv) => {
      const log = createKvEventLog(watch(kv, (commit) => commit === 3 ? fail() : undefined));
      const keys = keysOf(700);
      await assertRejects(async () => await log.append(keys, EVENT), Error, "the database is down");
      assertEquals(await log.heads(keys), [...range(1, 600).map(() => 1), ...range(1, 100).map(() => 0)]);
      assertEquals(await log.append(keys, EVENT), [...range(1, 600).map(() => 2), ...range(1, 100).map(() => 1)]);
    }));

  test("createKvEventLog takes many keys of the longest kind", () =>
    within(async (kv) => {
      const log = createKvEventLog(kv);
      const keys = keysOf(100, "x".repeat(2020));
      assertEquals(await log.append(keys, EVENT), keys.map(() => 1));
      assertEquals(await log.heads(keys), keys.map(() => 1));
    }));

  test("createKvEventLog numbers without gap or repeat when few and many keys are appended to at once", () =>
    within(async (kv) => {
      // Two logs of one database are two processes to each other.
      const logs: readonly EventLog[] = [createKvEventLog(kv), createKvEventLog(kv)];
      const keys = keysOf(40);
      const appends = range(0, 59).map(async (n) => {
        const some = n % 3 === 0 ? keys : [keys[n % 40]!];
        return [some, await logs[n % 2]!.append(some, { ...EVENT, focus: `Basic/${n}` })] as const;
      });
      const given = new Map<string, number[]>(keys.map((key) => [key, []]));
      for (const [some, numbers] of await Promise.all(appends)) {
        for (const [index, key] of some.entries()) given.get(key)!.push(numbers[index]!);
      }
      for (const [key, numbers] of given) {
        assertEquals(numbers.sort((a, b) => a - b), range(1, numbers.length));
        assertEquals((await logs[0]!.read(key, 0, 999)).events.map(({ number }) => number), numbers);
      }
    }));

  for (const [what, count] of [["few", 2], ["many", 40]] as const) {
    test(`createKvEventLog appends to ${what} keys anew when one is dropped or appended to meanwhile`, () =>
      within(async (kv) => {
        const keys = keysOf(count);
        const other = createKvEventLog(kv);
        await other.append(keys, EVENT);
        const log = createKvEventLog(watch(kv, async (commit) => {
          if (commit === 1) await other.drop(keys[0]!);
          if (commit === 2) await other.append([keys[1]!], EVENT);
        }));
        assertEquals(await log.append(keys, EVENT), [1, 3, ...keys.slice(2).map(() => 2)]);
        assertEquals((await log.read(keys[0]!, 0, 9)).events, [{ ...EVENT, number: 1 }]);
      }));
  }

  test("createKvEventLog deletes what is too much, and shows less when it is opened with less", () =>
    within(async (kv) => {
      const log = createKvEventLog(kv, { maxEvents: 5 });
      for (let n = 0; n < 12; n++) await log.append(["a"], EVENT);
      const entries = await Array.fromAsync(kv.list({ prefix: ["fhir-ws", "entry"] }));
      assertEquals(entries.map(({ key }) => key.at(-1)), [8, 9, 10, 11, 12]);
      const page = await createKvEventLog(kv, { maxEvents: 2 }).read("a", 0, 9);
      assertEquals([page.events.map(({ number }) => number), page.oldest, page.head], [[11, 12], 11, 12]);
    }));

  test("createKvEventLog leaves no gap when it keeps fewer events for a while, nor space in use", () =>
    within(async (kv) => {
      await assertNoGapWhenLimitChanges((maxEvents) => createKvEventLog(kv, { maxEvents }));
      await createKvEventLog(kv, { maxEvents: 2 }).append(["a"], EVENT);
      await createKvEventLog(kv, { maxEvents: 1 }).append(["b"], EVENT);
      assertEquals((await Array.fromAsync(kv.list({ prefix: ["fhir-ws", "entry"] }))).length, 3);
    }));

  test("createKvEventLog shows events that are gone from the middle or the end as pruned, with all before them", () =>
    within(async (kv) => {
      const log = createKvEventLog(kv);
      for (const _ of range(1, 9)) await log.append(["a"], EVENT);
      const entries = await Array.fromAsync(kv.list({ prefix: ["fhir-ws", "entry"] }));
      const gone = [3, 5, 9].map((n) => entries[n - 1]!.key as string[]); // as the log writes them
      for (const key of gone.slice(0, 2)) await kv.atomic().delete(key).commit();
      assertEquals((await log.read("a", 0, 9)).events.map(({ number }) => number), [6, 7, 8, 9]);
      await assertNoGap(log, "a");
      await kv.atomic().delete(gone[2]!).commit();
      assertEquals(await log.read("a", 0, 9), { events: [], oldest: 10, head: 9 });
    }));

  test("createKvEventLog leaves nothing of a dropped key but its shard", () =>
    within(async (kv) => {
      const log = createKvEventLog(kv);
      for (let n = 0; n < 10; n++) await log.append(["a"], EVENT);
      await log.drop("a");
      const left = [];
      for await (const { key } of kv.list({ prefix: [] })) left.push(String(key[1]));
      assertEquals(left, ["shard"]);
    }));

  test("createKvTokenStore lets two connections redeem each of 100 tokens once", async () => {
    const path = join(folder, "shared.kv");
    const later = Math.floor(Date.now() / 1000) + 3600;
    await within((one) =>
      within(async (two) => {
        const wins = await Promise.all([one, two].map((kv, index) => {
          const store = createKvTokenStore(kv);
          return Promise.all(range(1, 100).map((n) => store.redeem(`t${n}`, `attempt-${index}`, later)));
        }));
        assert(range(0, 99).every((n) => wins.filter((of) => of[n]).length === 1));
      }, path), path);
  });

  test("all stores find after a restart what they had", async () => {
    const path = join(folder, "restart.kv");
    const later = Math.floor(Date.now() / 1000) + 3600;
    await within(async (kv) => {
      await createKvSubscriptionStore(kv, { base: BASE }).put({ resourceType: "Subscription", id: "s1" }, ALICE);
      const tokens = createKvTokenStore(kv);
      await tokens.put("digest", grant("t1", later));
      await tokens.redeem("t1", "attempt", later);
      await tokens.revoke("sub:s1");
      await createKvEventLog(kv).append(["a"], EVENT);
    }, path);
    await within(async (kv) => {
      assertEquals((await createKvSubscriptionStore(kv, { base: BASE }).read("s1", ALICE))?.id, "s1");
      const tokens = createKvTokenStore(kv);
      assertEquals(await tokens.get("digest"), grant("t1", later));
      assertEquals(await tokens.redeem("t1", "another", later), false);
      assertEquals(await tokens.generations(["sub:s1"]), [1]);
      assertEquals((await createKvEventLog(kv).read("a", 0, 9)).events, [{ ...EVENT, number: 1 }]);
    }, path);
  });
}

const open = await findKv();
if (typeof open === "string") test("Deno KV", { skip: open }, () => {});
else describe("Deno KV", () => testKv(open));
