// What several processes on one SQLite file, and the death of any of them, leave behind.

import { createSqliteEventLog, createSqliteTokenStore } from "@fhir-ws/binding/storage/sqlite";
import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { mkdtempSync, rmSync } from "node:fs";
import { describe, test } from "node:test";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Connection, type Driver, drivers } from "./drivers.ts";
import { type Helper, startHelper } from "./processes.ts";

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

async function withFile(driver: Driver, work: (path: string, db: Connection) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "fhir-ws-processes-"));
  const path = join(folder, "shared.db");
  try {
    const db = driver.open(path);
    try {
      await work(path, db);
    } finally {
      db.close();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Starts processes that do the same job at the same time. */
async function startAll(driver: Driver, path: string, job: string, names: readonly string[]): Promise<Helper[]> {
  const helpers = names.map((name) => startHelper("sqlite_helper.ts", driver.name, path, job, name));
  await Promise.all(helpers.map((helper) => helper.printed(1)));
  for (const helper of helpers) helper.tell("go");
  return helpers;
}

/** The numbers that each process has printed, when all have done their job. */
async function numbersOf(helpers: readonly Helper[]): Promise<number[][]> {
  const codes = await Promise.all(helpers.map(({ ended }) => ended));
  assertEquals(codes, helpers.map(() => 0));
  return helpers.map(({ lines }) => lines.slice(1).map(Number));
}

/** What one killed process was told, by kind of write. */
function acknowledged({ lines }: Helper): { appends: (number | undefined)[][]; puts: number; redeems: number } {
  const words = lines.slice(1).map((line) => line.split(" "));
  return {
    appends: words.filter(([kind]) => kind === "append").map(([, ...numbers]) => numbers.map(Number)),
    puts: words.filter(([kind]) => kind === "put").length,
    redeems: words.filter(([kind]) => kind === "redeem").length,
  };
}

/** Checks one killed process's writes, and that it left at most one that it was not told of. */
async function checkWrites(db: Connection, name: string, helper: Helper): Promise<void> {
  const log = createSqliteEventLog(db, { maxEvents: 10_000 });
  const tokens = createSqliteTokenStore(db);
  const { appends, puts, redeems } = acknowledged(helper);
  const own = await log.read(`key-${name}`, 0, 10_000);
  assertEquals(
    own.events.map(({ number, focus }) => [number, focus]),
    range(1, own.head).map((n) => [n, `Basic/${name}-${n}`]),
  );
  const later = Math.floor(Date.now() / 1000) + 3600;
  for (const n of range(1, puts)) assertEquals((await tokens.get(`token-${name}-${n}`))?.id, `token-${name}-${n}`);
  for (const n of range(1, redeems)) assertEquals(await tokens.redeem(`token-${name}-${n}`, "thief", later), false);
  for (const [index, [shared, number]] of appends.entries()) {
    assertEquals(number, index + 1);
    const [event] = (await log.read("shared", (shared ?? 0) - 1, 1)).events;
    assertEquals([event?.number, event?.focus], [shared, `Basic/${name}-${number}`]);
  }
  const unheard = [
    own.head - appends.length,
    await tokens.get(`token-${name}-${puts + 1}`) ? 1 : 0,
    await tokens.redeem(`token-${name}-${redeems + 1}`, "attempt of the test", later) ? 0 : 1,
  ];
  assertLessOrEqual(unheard.reduce((sum, n) => sum + n), 1, `writes of "${name}" that it was not told of: ${unheard}`);
}

// One driver a runtime, the one that is most its own: they differ in how they call SQLite and not in how it locks.
const driver = drivers.findLast(({ skip }) => skip === undefined)!;

describe(`processes that share a file by ${driver.name}`, () => {
  test("two redeem the same 500 tokens, each token once", () =>
    withFile(driver, async (path) => {
      const [one, two] = await numbersOf(await startAll(driver, path, "redeem", ["one", "two"]));
      assertEquals([...one!, ...two!].sort((a, b) => a - b), range(0, 499));
    }));

  test("four append 10,000 events to one key, numbered 1 to 10,000", () =>
    withFile(driver, async (path, db) => {
      const numbers = await numbersOf(await startAll(driver, path, "append", ["a", "b", "c", "d"]));
      assertEquals(numbers.flat().sort((a, b) => a - b), range(1, 10_000));
      const { events, oldest, head } = await createSqliteEventLog(db, { maxEvents: 10_000 }).read("key", 0, 10_000);
      assertEquals([oldest, head], [1, 10_000]);
      assertEquals(events.map(({ number }) => number), range(1, 10_000));
      for (const [index, name] of ["a", "b", "c", "d"].entries()) {
        const order = numbers[index]!.map((number) => events[number - 1]?.focus);
        assertEquals(order, range(0, 2499).map((n) => `Basic/${name}-${n}`));
      }
    }));

  test("twenty killed at random moments lose nothing that was acknowledged", () =>
    withFile(driver, async (path, db) => {
      const helpers = new Map<string, Helper>();
      for (const round of range(1, 5)) {
        const names = range(1, 4).map((n) => `${round}-${n}`);
        const started = await startAll(driver, path, "everything", names);
        await Promise.all(started.map(async (helper, index) => {
          helpers.set(names[index]!, helper);
          await helper.printed(2);
          await new Promise((resolve) => setTimeout(resolve, Math.random() * 100));
          helper.kill();
          assertEquals(await helper.ended, null);
        }));
      }
      for (const [name, helper] of helpers) await checkWrites(db, name, helper);
      const { events, head } = await createSqliteEventLog(db, { maxEvents: 10_000 }).read("shared", 0, 100_000);
      assertEquals(events.map(({ number }) => number), range(1, head));
      assert(head >= [...helpers.values()].reduce((sum, helper) => sum + acknowledged(helper).appends.length, 0));
    }));
});
