import { eventLogContract, subscriptionStoreContract, tokenStoreContract } from "@fhir-ws/binding/contracts";
import {
  createSqliteEventLog,
  createSqliteSubscriptionStore,
  createSqliteTokenStore,
} from "@fhir-ws/binding/storage/sqlite";
import type { BindingGrant, NotificationEvent } from "@fhir-ws/binding";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { after, describe, test } from "node:test";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Connection, type Driver, drivers } from "./drivers.ts";
import { assertNoGapWhenLimitChanges } from "./gaps.ts";

const BASE = "https://example.org/fhir";
const ALICE = { id: "alice" };
const EVENT: NotificationEvent = { interaction: "create", focus: "Patient/p1" };
const BIG: NotificationEvent = { ...EVENT, resource: { resourceType: "Basic", id: "x".repeat(20_000) } };
const FACTORIES = [
  (db: Connection) => createSqliteSubscriptionStore(db, { base: BASE }),
  (db: Connection) => createSqliteTokenStore(db),
  (db: Connection) => createSqliteEventLog(db),
];

function grant(id: string, expiresAt: number): BindingGrant {
  return { id, audience: BASE, caller: ALICE, subscriptions: ["s1"], issuedAt: expiresAt - 3600, expiresAt };
}

function count(db: Connection, table: string): number {
  return Number((db.prepare(`SELECT count(*) AS n FROM fhir_ws_${table}`).get() as { n: number }).n);
}

function freezeSize(db: Connection): void {
  const { page_count } = db.prepare("PRAGMA page_count").get() as { page_count: number };
  db.prepare(`PRAGMA max_page_count = ${page_count}`).get();
}

function thawSize(db: Connection): void {
  db.prepare("PRAGMA max_page_count = 1000000").get();
}

function testDriver({ open }: Driver): void {
  const folder = mkdtempSync(join(tmpdir(), "fhir-ws-sqlite-"));
  after(() => rmSync(folder, { recursive: true }));
  let files = 0;
  const newPath = (): string => join(folder, `${++files}.db`);

  async function within<T>(work: (db: Connection) => T, path = ":memory:"): Promise<Awaited<T>> {
    const db = open(path);
    try {
      return await work(db);
    } finally {
      db.close();
    }
  }

  for (const { name, run } of subscriptionStoreContract) {
    test(`createSqliteSubscriptionStore ${name}`, () =>
      within((db) => run(() => createSqliteSubscriptionStore(db, { base: BASE }))));
  }
  for (const { name, run } of tokenStoreContract) {
    test(`createSqliteTokenStore ${name}`, () => within((db) => run((setup) => createSqliteTokenStore(db, setup))));
  }
  for (const { name, run } of eventLogContract) {
    test(`createSqliteEventLog ${name}`, () => within((db) => run((setup) => createSqliteEventLog(db, setup))));
  }

  test("createSqliteSubscriptionStore keeps bases of one file apart", () =>
    within(async (db) => {
      const [one, two] = [BASE, `${BASE}/R5`].map((base) => createSqliteSubscriptionStore(db, { base }));
      await one!.put({ resourceType: "Subscription", id: "s1" }, ALICE);
      await two!.put({ resourceType: "Subscription", id: "s1" }, { id: "bob" });
      assertEquals(await one!.read("s1", { id: "bob" }), undefined);
      assertEquals((await two!.list({ id: "bob" }, 9)).length, 1);
      assertEquals((await two!.list(ALICE, 9)).length, 0);
    }));

  test("createSqliteSubscriptionStore throws TypeError when a Subscription has no id", () =>
    within((db) => {
      const store = createSqliteSubscriptionStore(db, { base: BASE });
      assertThrows(() => void store.put({ resourceType: "Subscription" }, ALICE), TypeError, "it has no id");
    }));

  test("createSqliteEventLog throws RangeError when a limit is not positive", () =>
    within((db) => {
      for (const maxEvents of [0, 1.5, NaN]) assertThrows(() => createSqliteEventLog(db, { maxEvents }), RangeError);
      for (const maxAge of [0, NaN]) assertThrows(() => createSqliteEventLog(db, { maxAge }), RangeError);
      for (const busyTimeout of [-1, 1.5]) assertThrows(() => createSqliteEventLog(db, { busyTimeout }), RangeError);
    }));

  test("createSqliteEventLog appends nothing when the event cannot be written as JSON", () =>
    within(async (db) => {
      const log = createSqliteEventLog(db);
      const resource = { resourceType: "Basic", extra: 1n };
      assertThrows(() => void log.append(["a"], { ...EVENT, resource }), TypeError);
      assertEquals(await log.append(["a"], EVENT), [1]);
    }));

  test("createSqliteEventLog stores an event of many keys once, and frees it with its last key", () =>
    within(async (db) => {
      const log = createSqliteEventLog(db, { maxEvents: 2 });
      await log.append(["a", "b"], BIG);
      assertEquals([count(db, "event"), count(db, "entry")], [1, 2]);
      await log.append(["a"], EVENT);
      await log.append(["a"], EVENT);
      assertEquals([count(db, "event"), count(db, "entry")], [3, 3], "b still has the first");
      await log.append(["a"], EVENT);
      assertEquals([count(db, "event"), count(db, "entry")], [3, 3], "the second of a is gone");
      await log.drop("b");
      assertEquals([count(db, "event"), count(db, "entry"), count(db, "log")], [2, 2, 1]);
      await log.drop("a");
      assertEquals([count(db, "event"), count(db, "entry"), count(db, "log")], [0, 0, 0]);
    }));

  test("createSqliteEventLog leaves no gap when it keeps fewer events for a while, nor space in use", () =>
    within(async (db) => {
      await assertNoGapWhenLimitChanges((maxEvents) => createSqliteEventLog(db, { maxEvents }));
      await createSqliteEventLog(db, { maxEvents: 2 }).append(["a"], EVENT);
      await createSqliteEventLog(db, { maxEvents: 1 }).append(["b"], EVENT);
      assertEquals([count(db, "event"), count(db, "entry")], [3, 3]);
    }));

  test("createSqliteEventLog frees old events of keys that nobody writes to any more", () =>
    within(async (db) => {
      let now = Date.now();
      const log = createSqliteEventLog(db, { maxAge: 60, now: () => now });
      const idle = Array.from({ length: 500 }, (_, index) => `idle-${index}`);
      for (let n = 0; n < 3; n++) await log.append(idle, BIG);
      for (let n = 0; n < 100; n++) await log.append(["idle-0"], EVENT);
      now += 61_000;
      for (let n = 0; n < 900; n++) await log.append(["busy"], EVENT);
      assertEquals([count(db, "event"), count(db, "entry")], [900, 900]);
      assertEquals(await log.read("idle-0", 0, 9), { events: [], oldest: 104, head: 103 });
    }));

  test("createSqliteEventLog leaves no gap in a page when the clock was set back", () =>
    within(async (db) => {
      let now = 1_000_000;
      const log = createSqliteEventLog(db, { maxAge: 60, now: () => now });
      await log.append(["a"], EVENT);
      now -= 50_000;
      await log.append(["a"], EVENT);
      now += 70_000;
      await log.append(Array.from({ length: 40 }, (_, index) => `other-${index}`), EVENT);
      assertEquals((await log.read("a", 0, 9)).events.map(({ number }) => number), [1, 2]);
    }));

  test("createSqliteTokenStore removes the rows of old grants and redemptions", () =>
    within(async (db) => {
      let now = Date.now();
      const store = createSqliteTokenStore(db, { now: () => now });
      const soon = Math.floor(now / 1000) + 60;
      for (let n = 0; n < 200; n++) {
        await store.put(`digest-${n}`, grant(`t${n}`, soon));
        await store.redeem(`t${n}`, "attempt", soon);
      }
      now += 3_600_000;
      for (let n = 0; n < 70; n++) await store.put(`later-${n}`, grant(`l${n}`, soon + 7200));
      assertEquals([count(db, "grant"), count(db, "redemption")], [70, 0]);
    }));

  test("all stores find after a restart what they had", async () => {
    const path = newPath();
    const later = Math.floor(Date.now() / 1000) + 3600;
    await within(async (db) => {
      await createSqliteSubscriptionStore(db, { base: BASE }).put({ resourceType: "Subscription", id: "s1" }, ALICE);
      const tokens = createSqliteTokenStore(db);
      await tokens.put("digest", grant("t1", later));
      await tokens.redeem("t1", "attempt", later);
      await tokens.revoke("sub:s1");
      await createSqliteEventLog(db).append(["a"], EVENT);
    }, path);
    await within(async (db) => {
      const subscriptions = createSqliteSubscriptionStore(db, { base: BASE });
      assertEquals((await subscriptions.read("s1", ALICE))?.id, "s1");
      const tokens = createSqliteTokenStore(db);
      assertEquals(await tokens.get("digest"), grant("t1", later));
      assertEquals(await tokens.redeem("t1", "another", later), false);
      assertEquals(await tokens.generations(["sub:s1"]), [1]);
      assertEquals((await createSqliteEventLog(db).read("a", 0, 9)).events, [{ ...EVENT, number: 1 }]);
    }, path);
  });

  test("all stores live in a file with tables and a user_version of the host", () =>
    within((db) => {
      db.exec("CREATE TABLE grant_of_host (id TEXT); PRAGMA user_version = 42");
      for (const create of FACTORIES) create(db);
      assertEquals(Number((db.prepare("PRAGMA user_version").get() as { user_version: number }).user_version), 42);
    }));

  test("all stores bring an older schema forward", () =>
    within(async (db) => {
      db.exec("CREATE TABLE fhir_ws_schema (version INTEGER NOT NULL) STRICT; INSERT INTO fhir_ws_schema VALUES (0)");
      assertEquals(await createSqliteEventLog(db).append(["a"], EVENT), [1]);
      assertEquals(count(db, "schema"), 1);
    }));

  test("all stores refuse a newer schema and leave it as it is", () =>
    within((db) => {
      createSqliteEventLog(db);
      db.exec("UPDATE fhir_ws_schema SET version = 99");
      for (const create of FACTORIES) {
        assertThrows(() => create(db), Error, 'Cannot open the SQLite storage: its schema has version "99"');
      }
      assertEquals(Number((db.prepare("SELECT version FROM fhir_ws_schema").get() as { version: number }).version), 99);
    }));

  test("all stores refuse a file that is no database", async () => {
    const path = newPath();
    writeFileSync(path, "no database ".repeat(1000));
    await within((db) => {
      for (const create of FACTORIES) {
        assertThrows(() => create(db), Error, "Cannot open the SQLite storage: file is not a database");
      }
    }, path);
    assertEquals(readFileSync(path, "utf8"), "no database ".repeat(1000));
  });

  test("all stores refuse a damaged file", async () => {
    const path = newPath();
    await within(async (db) => {
      await createSqliteEventLog(db).append(["a"], BIG);
      db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    }, path);
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.fill(0xaa, 4096));
    await within((db) => {
      for (const create of FACTORIES) {
        assertThrows(() => create(db), Error, "Cannot open the SQLite storage: database disk image is malformed");
      }
    }, path);
  });

  test("all stores refuse a read-only connection", async () => {
    const path = newPath();
    await within((db) => createSqliteEventLog(db), path);
    const db = open(path, { readonly: true });
    for (const create of FACTORIES) {
      assertThrows(() => create(db), Error, "Cannot open the SQLite storage: attempt to write a readonly database");
    }
    db.close();
  });

  test("createSqliteEventLog writes nothing to a full disk, and goes on when there is room", () =>
    within(async (db) => {
      const log = createSqliteEventLog(db);
      await log.append(["a", "b"], EVENT);
      freezeSize(db);
      const keys = ["a", "b", ...Array.from({ length: 50 }, (_, index) => `key-${index}`)];
      for (let times = 0; times < 3; times++) {
        assertThrows(() => void log.append(keys, BIG), Error, "full");
        assertEquals(await log.heads(["a", "b", "key-0", "key-49"]), [1, 1, 0, 0]);
        assertEquals((await log.read("a", 0, 9)).events, [{ ...EVENT, number: 1 }]);
      }
      assertEquals([count(db, "event"), count(db, "entry"), count(db, "log")], [1, 2, 2]);
      thawSize(db);
      assertEquals((await log.append(keys, BIG)).slice(0, 3), [2, 2, 1]);
    }, newPath()));

  test("createSqliteTokenStore and createSqliteSubscriptionStore write nothing to a full disk", () =>
    within(async (db) => {
      const tokens = createSqliteTokenStore(db);
      const subscriptions = createSqliteSubscriptionStore(db, { base: BASE });
      const later = Math.floor(Date.now() / 1000) + 3600;
      const long = "x".repeat(20_000);
      await subscriptions.put({ resourceType: "Subscription", id: "s1" }, ALICE);
      freezeSize(db);
      assertThrows(() => void tokens.put("digest", { ...grant("t1", later), audience: long }), Error, "full");
      assertThrows(() => void tokens.redeem(long, "attempt", later), Error, "full");
      assertThrows(() => void tokens.revoke(long), Error, "full");
      const resource = { resourceType: "Subscription", id: "s1", reason: long } as const;
      assertThrows(() => void subscriptions.put(resource, ALICE), Error, "full");
      assertEquals(await tokens.get("digest"), undefined);
      assertEquals(await tokens.generations([long]), [0]);
      assertEquals(await subscriptions.read("s1", ALICE), { resourceType: "Subscription", id: "s1" });
      thawSize(db);
      assert(await tokens.redeem(long, "another attempt", later), "the refused attempt was not kept");
      await tokens.revoke(long);
      assertEquals(await tokens.generations([long]), [1]);
    }, newPath()));

  test("all stores throw when another connection holds the lock, and go on when it is free", async () => {
    const path = newPath();
    await within(async (db) => {
      const log = createSqliteEventLog(db, { busyTimeout: 10 });
      const tokens = createSqliteTokenStore(db, { busyTimeout: 10 });
      const later = Math.floor(Date.now() / 1000) + 3600;
      await within(async (other) => {
        other.exec("BEGIN IMMEDIATE");
        assertThrows(() => void log.append(["a"], EVENT), Error, "locked");
        assertThrows(() => void tokens.redeem("t1", "attempt", later), Error, "locked");
        assertEquals(await log.heads(["a"]), [0], "reading goes on");
        other.exec("ROLLBACK");
      }, path);
      assertEquals(await log.append(["a"], EVENT), [1]);
      assertEquals(await tokens.redeem("t1", "another", later), true);
    }, path);
  });
}

for (const driver of drivers) {
  if (driver.skip) test(`SQLite by ${driver.name}`, { skip: driver.skip }, () => {});
  else describe(`SQLite by ${driver.name}`, () => testDriver(driver));
}
