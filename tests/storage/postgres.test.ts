import { eventLogContract, tokenStoreContract } from "@fhir-ws/binding/contracts";
import {
  createPostgresEventLog,
  createPostgresTokenStore,
  type PostgresClient,
  type PostgresEventLogOptions,
  type PostgresOptions,
} from "@fhir-ws/binding/storage/postgres";
import type { BindingGrant, EventLog, NotificationEvent, TokenStore } from "@fhir-ws/binding";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { after, before, describe, test } from "node:test";
import { uniqueName } from "../several/engines.ts";
import { assertNoGap, assertNoGapWhenLimitChanges } from "./gaps.ts";
import { type Database, type Driver, drivers } from "./postgres_drivers.ts";

const EVENT: NotificationEvent = { interaction: "create", focus: "Patient/p1" };
const FACTORIES: readonly ((client: PostgresClient, options: PostgresOptions) => TokenStore | EventLog)[] = [
  createPostgresTokenStore,
  createPostgresEventLog,
];

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

/** The least that a store has to open its tables for. */
async function use(store: TokenStore | EventLog): Promise<void> {
  if ("append" in store) await store.heads(["a"]);
  else await store.generations(["a"]);
}

/** Waits for what happens in the background. */
async function until(isTrue: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; !await isTrue(); attempt++) {
    assert(attempt < 500, "it did not happen in five seconds");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function testDriver({ name: driver, open, isPool }: Driver): void {
  let database: Database;
  before(async () => {
    database = await open();
  });
  after(() => database.close());

  /** Hands out a schema that is gone afterwards. */
  async function within(work: (schema: string, client: PostgresClient) => Promise<void>): Promise<void> {
    const schema = uniqueName();
    try {
      await work(schema, database.client);
    } finally {
      await database.client.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
    }
  }

  function withLog(
    options: PostgresEventLogOptions,
    work: (log: ReturnType<typeof createPostgresEventLog>, schema: string) => Promise<void>,
  ): Promise<void> {
    return within((schema, client) => work(createPostgresEventLog(client, { ...options, schema }), schema));
  }

  async function version(schema: string): Promise<readonly unknown[]> {
    const { rows } = await database.client.query(`SELECT number FROM ${schema}.version`);
    return rows.map((row) => (row as { number: unknown }).number); // as the statement says
  }

  async function count(schema: string, table: string): Promise<number> {
    const { rows } = await database.client.query(`SELECT count(*) AS n FROM ${schema}.${table}`);
    return Number((rows[0] as { n: unknown }).n); // as the statement says
  }

  for (const { name, run } of tokenStoreContract) {
    test(`createPostgresTokenStore ${name}`, () =>
      within((schema, client) => run((setup) => createPostgresTokenStore(client, { ...setup, schema }))));
  }
  for (const { name, run } of eventLogContract) {
    test(`createPostgresEventLog ${name}`, () =>
      within((schema, client) => run((setup) => createPostgresEventLog(client, { ...setup, schema }))));
  }

  // Drivers differ in how they hand values over, which the contracts have shown; two are enough for the rest.
  if (driver === "postgres") return;

  test("all stores make their tables once, however many begin at the same time", () =>
    within(async (schema, client) => {
      const stores = range(1, 10).flatMap(() => FACTORIES.map((create) => create(client, { schema })));
      await Promise.all(stores.map(use));
      assertEquals(await count(schema, "version"), 1);
    }));

  test("all stores refuse a newer schema and leave it as it is", () =>
    within(async (schema, client) => {
      await use(createPostgresEventLog(client, { schema }));
      await client.query(`UPDATE ${schema}.version SET number = 99`);
      for (const create of FACTORIES) {
        await assertRejects(
          () => use(create(client, { schema })),
          Error,
          'Cannot open the PostgreSQL storage: its schema has version "99", and this library knows "2"',
        );
      }
      assertEquals(await version(schema), [99]);
    }));

  test("all stores bring an older schema forward", () =>
    within(async (schema, client) => {
      await client.query(`CREATE SCHEMA ${schema}`);
      await client.query(`CREATE TABLE ${schema}.version (number integer NOT NULL)`);
      await client.query(`INSERT INTO ${schema}.version VALUES (0)`);
      assertEquals(await createPostgresEventLog(client, { schema }).append(["a"], EVENT), [1]);
      assertEquals(await version(schema), [2]);
    }));

  test("createPostgresEventLog goes on where a schema without functions has stopped", () =>
    within(async (schema, client) => {
      await createPostgresEventLog(client, { schema }).append(["a"], EVENT);
      await client.query(`DROP FUNCTION ${schema}.append_event, ${schema}.read_events`);
      await client.query(`UPDATE ${schema}.version SET number = 1`);
      const log = createPostgresEventLog(client, { schema });
      assertEquals(await log.append(["a"], EVENT), [2]);
      assertEquals((await log.read("a", 0, 9)).events.map(({ number }) => number), [1, 2]);
      assertEquals(await version(schema), [2]);
    }));

  test("all stores work for a role that may not create anything, once the tables are there", () =>
    within(async (schema, client) => {
      for (const create of FACTORIES) await use(create(client, { schema }));
      await client.query(`CREATE ROLE ${schema}`);
      try {
        await client.query(`GRANT USAGE ON SCHEMA ${schema} TO ${schema}`);
        await client.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO ${schema}`);
        await database.transaction(async (connection) => {
          await connection.query(`SET LOCAL ROLE ${schema}`);
          assertEquals(await createPostgresEventLog(connection, { schema }).append(["a"], EVENT), [1]);
          await createPostgresTokenStore(connection, { schema }).revoke("tok:t1");
        });
      } finally {
        await client.query(`DROP OWNED BY ${schema}`);
        await client.query(`DROP ROLE ${schema}`);
      }
    }));

  test("all stores try again after the tables could not be made", () =>
    within(async (schema, client) => {
      for (const create of FACTORIES) {
        let isDown = true;
        const store = create({
          query: (text, values) => isDown ? Promise.reject(new Error("down")) : client.query(text, values),
        }, { schema });
        const error = await assertRejects(() => use(store), Error, "Cannot open the PostgreSQL storage: down");
        assertEquals((error.cause as Error).message, "down");
        isDown = false;
        await use(store);
      }
    }));

  test("createPostgresTokenStore frees what has long expired", () =>
    within(async (schema, client) => {
      let now = Date.now();
      const store = createPostgresTokenStore(client, { schema, now: () => now });
      const expiresAt = Math.floor(now / 1000) + 3600;
      const grant: BindingGrant = {
        id: "t",
        audience: "https://example.org/fhir",
        caller: { id: "alice" },
        subscriptions: ["s1"],
        issuedAt: expiresAt - 3600,
        expiresAt,
      };
      for (const n of range(1, 10)) {
        await store.put(`digest-${n}`, grant);
        await store.redeem(`t${n}`, "attempt", expiresAt);
      }
      now += 2 * 3600_000;
      for (const n of range(1, 40)) await store.redeem(`u${n}`, "attempt", expiresAt + 7200);
      await until(async () => await count(schema, "binding_grant") + await count(schema, "redemption") === 40);
    }));

  test("createPostgresEventLog appends nothing when the event cannot be written as JSON", () =>
    withLog({}, async (log) => {
      const resource = { resourceType: "Basic", extra: 1n };
      await assertRejects(async () => await log.append(["a"], { ...EVENT, resource }), TypeError);
      assertEquals(await log.append(["a"], EVENT), [1]);
    }));

  test("createPostgresEventLog stores an event of many keys once, and frees it with its last key", () =>
    withLog({ maxEvents: 2 }, async (log, schema) => {
      await log.append(["a", "b"], EVENT);
      assertEquals([await count(schema, "event"), await count(schema, "entry")], [1, 2]);
      for (let n = 0; n < 40; n++) await log.append(["a"], EVENT);
      await log.drop("c");
      // The first event is still b's; how far the upkeep has come with a is its own business.
      await until(async () => await count(schema, "event") < 40);
      assertEquals((await log.read("b", 0, 9)).events, [{ ...EVENT, number: 1 }]);
      await log.drop("b");
      await log.drop("a");
      await until(async () => await count(schema, "event") + await count(schema, "entry") === 0);
      assertEquals(await count(schema, "log"), 0);
    }));

  test("createPostgresEventLog frees what is too old, whoever it belongs to", () => {
    let now = Date.now();
    return withLog({ maxAge: 60, now: () => now }, async (log, schema) => {
      for (const n of range(1, 100)) await log.append([`key-${n}`], EVENT);
      now += 61_000;
      for (const n of range(1, 64)) await log.append([`other-${n}`], EVENT);
      await until(async () => await count(schema, "event") <= 64 && await count(schema, "entry") <= 64);
      assertEquals(await log.read("key-1", 0, 9), { events: [], oldest: 2, head: 1 });
    });
  });

  test("createPostgresEventLog shows events that are gone from the middle as pruned, with all before them", () =>
    withLog({}, async (log, schema) => {
      for (const _ of range(1, 9)) await log.append(["a"], EVENT);
      await database.client.query(`DELETE FROM ${schema}.entry WHERE number IN (3, 5)`);
      const { events, oldest, head } = await log.read("a", 0, 100);
      assertEquals([events.map(({ number }) => number), oldest, head], [[6, 7, 8, 9], 6, 9]);
      await assertNoGap(log, "a");
    }));

  test("createPostgresEventLog leaves no gap when it keeps fewer events for a while", () =>
    within((schema, client) =>
      assertNoGapWhenLimitChanges((maxEvents) => createPostgresEventLog(client, { schema, maxEvents }))
    ));

  test("within() of a log appends with the host's own transaction, or not at all", () =>
    withLog({}, async (log, schema) => {
      await log.append(["a"], EVENT);
      await database.client.query(`CREATE TABLE ${schema}.own (id text)`);
      async function change(id: string, isRefused: boolean): Promise<readonly number[]> {
        return await database.transaction(async (transaction) => {
          await transaction.query(`INSERT INTO ${schema}.own VALUES ($1)`, [id]);
          const inside = log.within(transaction);
          const numbers = await inside.append(["a", "b"], { ...EVENT, focus: `Patient/${id}` });
          assertEquals(await inside.heads(["a", "b"]), numbers);
          if (isPool) assertEquals(await log.heads(["a"]), [numbers[0]! - 1], "seen before the commit");
          if (isRefused) throw new Error("refused");
          return numbers;
        });
      }
      await assertRejects(() => change("p2", true), Error, "refused");
      assertEquals(await log.heads(["a", "b"]), [1, 0]);
      assertEquals(await change("p3", false), [2, 1]);
      assertEquals((await log.read("a", 0, 9)).events.map(({ focus }) => focus), ["Patient/p1", "Patient/p3"]);
      assertEquals(await count(schema, "own"), 1);
    }));

  test("within() of a log that nobody has used yet makes its tables, even when the transaction is rolled back", () =>
    withLog({}, async (log) => {
      await assertRejects(
        () =>
          database.transaction(async (transaction) => {
            assertEquals(await log.within(transaction).append(["a"], EVENT), [1]);
            throw new Error("refused");
          }),
        Error,
        "refused",
      );
      await database.transaction(async (transaction) => {
        assertEquals(await log.within(transaction).append(["a"], EVENT), [1]);
        assertEquals(await log.within(transaction).append(["b"], EVENT), [1]);
      });
      assertEquals(await log.append(["a"], EVENT), [2]);
    }));

  test("within() of a log keeps what it drops when the transaction is rolled back", () =>
    withLog({}, async (log, schema) => {
      for (const _ of range(1, 3)) await log.append(["a"], EVENT);
      await assertRejects(
        () =>
          database.transaction(async (transaction) => {
            await log.within(transaction).drop("a");
            assertEquals(await log.within(transaction).append(["a"], EVENT), [1]);
            throw new Error("refused");
          }),
        Error,
        "refused",
      );
      // Whatever the drop has set off comes before what this one does.
      await log.append(["b"], EVENT);
      await log.drop("b");
      await until(async () => await count(schema, "event") === 3);
      assertEquals((await log.read("a", 0, 9)).events.map(({ number }) => number), [1, 2, 3]);
    }));

  test("createPostgresEventLog numbers without gap or deadlock when the keys come in any order", () =>
    withLog({}, async (log) => {
      const keys = range(1, 8).map((n) => `key-${n}`);
      const appends = range(1, 200).map((n) => {
        const own = keys.filter((_, index) => (n >> index % 4) & 1 || index === n % 8);
        return async () => ({ own, numbers: await log.append(n % 2 ? own : own.toReversed(), EVENT), n });
      });
      const given = new Map(keys.map((key) => [key, [] as number[]]));
      for (const { own, numbers, n } of await Promise.all(appends.map((append) => append()))) {
        const inOrder = n % 2 ? numbers : numbers.toReversed();
        for (const [index, key] of own.entries()) given.get(key)!.push(inOrder[index]!);
      }
      for (const [key, numbers] of given) {
        assertEquals(numbers.sort((a, b) => a - b), range(1, numbers.length), key);
      }
    }));
}

describe("PostgreSQL", () => {
  test("all stores throw TypeError for a schema that is no lower-case name", () => {
    const client: PostgresClient = { query: () => Promise.reject(new Error("it was asked")) };
    for (const schema of ["", "Upper", "1st", 'x"; DROP SCHEMA public; --', "a b", "a.b", "ü", "x".repeat(64)]) {
      for (const create of FACTORIES) assertThrows(() => create(client, { schema }), TypeError, "Cannot use schema");
    }
  });

  test("createPostgresEventLog throws RangeError when a limit is not positive", () => {
    const client: PostgresClient = { query: () => Promise.reject(new Error("it was asked")) };
    for (const maxEvents of [0, 1.5, NaN]) {
      assertThrows(() => createPostgresEventLog(client, { maxEvents }), RangeError);
    }
    for (const maxAge of [0, -1, NaN]) assertThrows(() => createPostgresEventLog(client, { maxAge }), RangeError);
  });

  for (const driver of drivers) {
    // The reason is also in the name, since Deno does not report it.
    if (driver.skip) test(`by ${driver.name}: ${driver.skip}`, { skip: driver.skip }, () => {});
    else describe(`by ${driver.name}`, () => testDriver(driver));
  }
});
