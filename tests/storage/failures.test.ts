// Engines that fail, or say what they never should.

import type { FhirSubscription } from "@fhir-ws/binding";
import { createRedisTokenStore } from "@fhir-ws/binding/storage/redis";
import { createSqliteEventLog, createSqliteSubscriptionStore } from "@fhir-ws/binding/storage/sqlite";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "node:test";
import { DatabaseSync } from "node:sqlite";
import { decode } from "../../adapters/storage/kv_database.ts";

const OPTIONS = { base: "https://example.org/fhir/R5" };
const SUBSCRIPTION: FhirSubscription = { resourceType: "Subscription", id: "s1" };

describe("SQLite", () => {
  /** A connection whose statements may fail; they are done first, as where SQLite itself has done them. */
  function open(failing: (sql: string) => Error | undefined) {
    const db = new DatabaseSync(":memory:");
    function fail(sql: string): void {
      const failure = failing(sql);
      if (failure !== undefined) throw failure;
    }
    return {
      exec: (sql: string) => {
        db.exec(sql);
        fail(sql);
      },
      prepare: (sql: string) => {
        const statement = db.prepare(sql);
        return {
          run: (...values: (string | number | null)[]) => {
            const result = statement.run(...values);
            fail(sql);
            return result;
          },
          get: (...values: (string | number | null)[]) => {
            const row = statement.get(...values);
            fail(sql);
            return row;
          },
          all: (...values: (string | number | null)[]) => {
            const rows = statement.all(...values);
            fail(sql);
            return rows;
          },
        };
      },
      close: () => db.close(),
    };
  }

  it("tells why a transaction failed, and not that it could not be rolled back", async () => {
    const full = new Error("database or disk is full");
    let isFull = false;
    const db = open((sql) => {
      if (sql === "ROLLBACK") return new Error("cannot rollback - no transaction is active");
      return isFull && sql.includes("INSERT") ? full : undefined;
    });
    const log = createSqliteEventLog(db);
    const append = async () => await log.append(["a"], { interaction: "create", focus: "Patient/p1" });
    isFull = true;
    assertEquals(await assertRejects(append), full);
    isFull = false;
    assertEquals([await log.heads(["a"]), await append(), await log.heads(["a"])], [[0], [1], [1]]);
    db.close();
  });

  it("waits while another process changes the mode of the file", async () => {
    let times = 0;
    const db = open((sql) =>
      sql.startsWith("PRAGMA journal_mode") && times++ < 3 ? new Error("database is locked") : undefined
    );
    const store = createSqliteSubscriptionStore(db, OPTIONS);
    assertEquals(times, 4);
    await store.put(SUBSCRIPTION, { id: "alice" });
    assertEquals((await store.read("s1", { id: "alice" }))?.id, "s1");
    db.close();
  });

  it("does not wait for anything else", () => {
    let times = 0;
    const db = open((sql) =>
      sql.startsWith("PRAGMA journal_mode") && ++times ? new Error("disk I/O error") : undefined
    );
    assertThrows(
      () => createSqliteSubscriptionStore(db, OPTIONS),
      Error,
      "Cannot open the SQLite storage: disk I/O error",
    );
    assertEquals(times, 1);
    db.close();
  });
});

describe("Redis", () => {
  it("whose reply is no array is no answer", async () => {
    const store = createRedisTokenStore({ sendCommand: () => Promise.resolve("OK") });
    await assertRejects(
      async () => await store.generations(["a"]),
      Error,
      'Cannot read the reply of Redis: it is of type "string"',
    );
  });
});

describe("Deno KV", () => {
  it("gives no value of which a part is gone", () => {
    const bytes = new TextEncoder().encode('{"a":1}');
    assertEquals(decode(bytes.slice(0, 3), bytes.slice(3)), { a: 1 });
    assertThrows(() => decode(bytes.slice(0, 3), null), Error, "a part of it is gone");
  });
});
