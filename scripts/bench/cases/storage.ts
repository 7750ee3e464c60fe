import { createKvEventLog, createKvSubscriptionStore, createKvTokenStore } from "@fhir-ws/binding/storage/kv";
import {
  createSqliteEventLog,
  createSqliteSubscriptionStore,
  createSqliteTokenStore,
} from "@fhir-ws/binding/storage/sqlite";
import type { NotificationEvent } from "@fhir-ws/binding";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { BenchCase, BenchSetup, Operation } from "../bench_case.ts";
import { ALICE, BASE, SUBSCRIPTION } from "../samples.ts";

/** Only Deno has a KV of its own. */
const hasKv = "Deno" in globalThis && "openKv" in Deno;

export const cases: readonly BenchCase[] = [
  { name: "sqlite-lookup", title: "one Subscription read from SQLite", setup: () => withSqlite(lookupInSqlite) },
  { name: "sqlite-redeem", title: "one token redeemed in SQLite", setup: () => withSqlite(redeemInSqlite) },
  { name: "sqlite-append", title: "one event appended to one key in SQLite", setup: () => withSqlite(appendToSqlite) },
  ...hasKv
    ? [
      { name: "kv-lookup", title: "one Subscription read from Deno KV", setup: () => withKv(lookupInKv) },
      { name: "kv-redeem", title: "one token redeemed in Deno KV", setup: () => withKv(redeemInKv) },
      { name: "kv-append", title: "one event appended to one key in Deno KV", setup: () => withKv(appendToKv) },
    ]
    : [],
];

/** The same job by the adapter, and written by hand on the same driver. */
interface Pair {
  readonly ours: Operation;
  readonly hand: Operation;
}

const KEY = JSON.stringify([BASE, null, SUBSCRIPTION.id]);
const EVENT: NotificationEvent = {
  interaction: "update",
  focus: "Patient/p1",
  resource: { resourceType: "Patient", id: "x".repeat(1024) },
  timestamp: "2026-01-02T03:04:05.678Z",
};

/** Without a flush per write: it would hide everything else. */
const SQLITE = { synchronous: "normal" } as const;

async function withSqlite(makePair: (db: DatabaseSync) => Pair | Promise<Pair>): Promise<BenchSetup> {
  const folder = await mkdtemp(join(tmpdir(), "fhir-ws-bench-"));
  const db = new DatabaseSync(join(folder, "bench.db"));
  return {
    variants: { ...await makePair(db) },
    comparisons: [{ against: "hand", speedAtLeast: 0.7 }],
    async teardown() {
      db.close();
      await rm(folder, { recursive: true });
    },
  };
}

async function lookupInSqlite(db: DatabaseSync): Promise<Pair> {
  const store = createSqliteSubscriptionStore(db, { ...SQLITE, base: BASE });
  await store.put(SUBSCRIPTION, ALICE);
  const select = db.prepare(
    "SELECT resource FROM fhir_ws_subscription WHERE base = ? AND tenant = ? AND id = ? AND owner = ?",
  );
  return {
    ours: () => store.read(SUBSCRIPTION.id, ALICE),
    hand: () => JSON.parse(String(select.get(BASE, "null", SUBSCRIPTION.id, ALICE.id)?.resource)),
  };
}

function redeemInSqlite(db: DatabaseSync): Pair {
  const store = createSqliteTokenStore(db, SQLITE);
  const insert = db.prepare(`INSERT INTO fhir_ws_redemption (token, attempt, expires_at) VALUES (?, ?, ?)
    ON CONFLICT (token) DO NOTHING`);
  const later = Math.floor(Date.now() / 1000) + 3600;
  return {
    ours: () => store.redeem(crypto.randomUUID(), "attempt", later),
    hand: () => insert.run(crypto.randomUUID(), "attempt", later).changes === 1,
  };
}

function appendToSqlite(db: DatabaseSync): Pair {
  const log = createSqliteEventLog(db, SQLITE);
  const [begin, commit] = [db.prepare("BEGIN IMMEDIATE"), db.prepare("COMMIT")];
  const addEvent = db.prepare("INSERT INTO fhir_ws_event (at, content) VALUES (?, ?)");
  const raiseHead = db.prepare(`INSERT INTO fhir_ws_log (key, head) VALUES (?, 1)
    ON CONFLICT (key) DO UPDATE SET head = head + 1 RETURNING id, head`);
  const addEntry = db.prepare("INSERT INTO fhir_ws_entry (log, number, event) VALUES (?, ?, ?)");
  const dropEntry = db.prepare("DELETE FROM fhir_ws_entry WHERE log = ? AND number = ? RETURNING event");
  const dropEvent = db.prepare(`DELETE FROM fhir_ws_event WHERE id = ?
    AND NOT EXISTS (SELECT 1 FROM fhir_ws_entry AS entry WHERE entry.event = fhir_ws_event.id)`);
  return {
    ours: () => log.append([KEY], EVENT),
    hand() {
      begin.run();
      const event = addEvent.run(Date.now(), JSON.stringify(EVENT)).lastInsertRowid;
      const { id, head } = raiseHead.get("by hand") as { id: number; head: number }; // as it returns them
      addEntry.run(id, head, event);
      const dropped = dropEntry.get(id, head - 1000);
      if (dropped) dropEvent.run(dropped.event ?? null);
      commit.run();
      return [head];
    },
  };
}

const KV_OPTIONS = { prefix: ["ours"] };

async function withKv(makePair: (kv: Deno.Kv) => Pair | Promise<Pair>): Promise<BenchSetup> {
  const folder = await mkdtemp(join(tmpdir(), "fhir-ws-bench-"));
  const kv = await Deno.openKv(join(folder, "bench.kv"));
  return {
    variants: { ...await makePair(kv) },
    comparisons: [{ against: "hand", speedAtLeast: 0.7 }],
    async teardown() {
      kv.close();
      await rm(folder, { recursive: true });
    },
  };
}

async function lookupInKv(kv: Deno.Kv): Promise<Pair> {
  const store = createKvSubscriptionStore(kv, { ...KV_OPTIONS, base: BASE });
  await store.put(SUBSCRIPTION, ALICE);
  const key = ["hand", BASE, SUBSCRIPTION.id];
  await kv.set(key, { owner: ALICE.id, subscription: SUBSCRIPTION });
  return {
    ours: () => store.read(SUBSCRIPTION.id, ALICE),
    hand: async () => {
      const { value } = await kv.get<{ owner: string; subscription: unknown }>(key);
      return value?.owner === ALICE.id ? value.subscription : undefined;
    },
  };
}

function redeemInKv(kv: Deno.Kv): Pair {
  const store = createKvTokenStore(kv, KV_OPTIONS);
  const later = Math.floor(Date.now() / 1000) + 3600;
  return {
    ours: () => store.redeem(crypto.randomUUID(), "attempt", later),
    hand: async () => {
      const key = ["hand", crypto.randomUUID()];
      const { versionstamp } = await kv.get(key);
      const value = { attempt: "attempt", expiresAt: later };
      return (await kv.atomic().check({ key, versionstamp }).set(key, value, { expireIn: 4_200_000 }).commit()).ok;
    },
  };
}

function appendToKv(kv: Deno.Kv): Pair {
  const log = createKvEventLog(kv, KV_OPTIONS);
  const headKey = ["hand", "head", KEY];
  return {
    ours: () => log.append([KEY], EVENT),
    hand: async () => {
      const { value, versionstamp } = await kv.get<number>(headKey);
      const number = (value ?? 0) + 1;
      const atomic = kv.atomic().check({ key: headKey, versionstamp }).set(headKey, number);
      atomic.set(["hand", "entry", KEY, number], { at: Date.now(), event: EVENT }, { expireIn: 87_000_000 });
      if (number > 1000) atomic.delete(["hand", "entry", KEY, number - 1000]);
      return (await atomic.commit()).ok ? number : undefined;
    },
  };
}
