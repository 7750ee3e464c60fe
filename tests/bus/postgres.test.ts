import { createPostgresBus, type PostgresBus, type PostgresConnection } from "@fhir-ws/binding/bus/postgres";
import { notificationBusContract } from "@fhir-ws/binding/contracts";
import { createPostgresEventLog, type PostgresClient } from "@fhir-ws/binding/storage/postgres";
import { BindingError, createNotifier, type NotificationEvent } from "@fhir-ws/binding";
import type { PGlite } from "@electric-sql/pglite";
// @ts-types="pg-types"
import pg from "pg";
import postgres from "postgres";
import { assert, assertEquals, assertLess, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { EventEmitter } from "node:events";
import { after, before, describe, test } from "node:test";
import { postgresEngine, uniqueName } from "../several/engines.ts";
import { type Database, type Driver, drivers } from "../storage/postgres_drivers.ts";
import { eventFor, firstError, listen, numbersIn } from "./channels.ts";

const EVENT: NotificationEvent = { interaction: "create", focus: "Patient/p1" };

async function connectPg(connectionString = postgresEngine.url): Promise<pg.Client> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 2000 });
  await client.connect();
  return client;
}

/** The one connection of PGlite in the shape of one that listens. */
function connectPglite(db: PGlite): PostgresConnection {
  let stop = (): void => {};
  let channel = "";
  return {
    query(text) {
      channel = text;
      return db.query(text);
    },
    on(event: string, listener: (message: { channel: string; payload: string }) => void) {
      if (event === "notification") stop = db.onNotification((channel, payload) => listener({ channel, payload }));
    },
    end() {
      stop();
      return db.query(channel.replace("LISTEN", "UNLISTEN"));
    },
  };
}

/** The same of `postgres`, which comes back by itself: it ends when it was lost and is back. */
function connectPostgres(): PostgresConnection {
  const [sql, events] = [postgres(postgresEngine.url), new EventEmitter()];
  let isListening = false;
  return {
    query(text) {
      const channel: string = JSON.parse(text.slice("LISTEN ".length));
      return sql.listen(channel, (payload) => events.emit("notification", { channel, payload }), () => {
        if (isListening) events.emit("end");
        isListening = true;
      });
    },
    on: (event: string, listener: (message: { channel: string; payload: string }) => void) =>
      events.on(event, listener),
    end: () => sql.end(),
  };
}

function testDriver({ name, open }: Driver): void {
  let database: Database;
  before(async () => {
    database = await open();
  });
  after(() => database.close());

  function connect(): Promise<PostgresConnection> {
    if (name === "pg") return connectPg();
    // Of the drivers only PGlite has no server to connect to.
    return Promise.resolve(name === "PGlite" ? connectPglite(database.client as PGlite) : connectPostgres());
  }

  function makeBus(options: { channel?: string; events?: boolean; onError?: (cause: unknown) => void } = {}) {
    return createPostgresBus(database.client, connect, { channel: uniqueName(), ...options });
  }

  async function withBus(bus: PostgresBus, work: (ear: Awaited<ReturnType<typeof listen>>) => Promise<void>) {
    const ear = await listen(bus);
    try {
      await work(ear);
    } finally {
      ear.unlisten();
    }
  }

  for (const { name, needs, run } of notificationBusContract) {
    test(`createPostgresBus with events ${name}`, () => run(() => makeBus({ events: true })));
    // Anybody who may connect could read an event on a channel, so without being asked to this bus carries none.
    if (needs !== "events") test(`createPostgresBus ${name}`, () => run(() => makeBus()));
  }

  test("createPostgresBus carries every kind of message, but only the numbers of an event", async () => {
    const bus = makeBus();
    await withBus(bus, async (ear) => {
      await bus.publish({ type: "event", keys: ["a", "ü\u0000"], numbers: [1, 2 ** 40], event: EVENT });
      await bus.publish({ type: "changed", key: "a\"'\\\n" });
      await bus.publish({ type: "revoked", subject: "tok:t1" });
      await bus.publish({ type: "resync" });
      assertEquals(await ear.until(({ length }) => length === 4), [
        { type: "event", keys: ["a", "ü\u0000"], numbers: [1, 2 ** 40] },
        { type: "changed", key: "a\"'\\\n" },
        { type: "revoked", subject: "tok:t1" },
        { type: "resync" },
      ]);
    });
  });

  test("createPostgresBus keeps every payload below the limit, whatever the number of keys", async () => {
    const bus = makeBus();
    const message = eventFor(5000, (n) => `["https://example.org/fhir/ü",null,"${n}"]`);
    await withBus(bus, async (ear) => {
      await bus.publish(message);
      const heard = await ear.until((heard) => numbersIn(heard).size === 5000);
      assertEquals(numbersIn(heard), numbersIn([message]));
      for (const one of heard) assertLess(new TextEncoder().encode(JSON.stringify(one)).length, 8000);
    });
  });

  test("createPostgresBus sends a small event with all of its keys, and a larger one with none where they are many", async () => {
    const bus = makeBus({ events: true });
    const larger = { ...EVENT, resource: { resourceType: "Basic", id: "x".repeat(3000) } };
    const [one, many] = [eventFor(1, () => "one"), eventFor(1000)];
    await withBus(bus, async (ear) => {
      await bus.publish({ ...one, event: larger });
      await bus.publish({ ...many, event: larger });
      await bus.publish({ ...many, event: EVENT });
      const heard = await ear.until((heard) => heard.filter((one) => numbersIn([one]).has("key-999")).length === 2);
      const events = heard.map((message) => message.type === "event" ? message.event : message);
      const half = events.lastIndexOf(undefined) + 1;
      assertEquals(heard[0], { ...one, event: larger });
      assertEquals([numbersIn(heard.slice(1, half)), numbersIn(heard.slice(half))], [
        numbersIn([many]),
        numbersIn([many]),
      ]);
      assertEquals(new Set(events.slice(1, half)), new Set([undefined]));
      for (const event of events.slice(half)) assertEquals(event, EVENT);
    });
  });

  test("createPostgresBus leaves out an event that is too big, and asks for a resync where a key is", async () => {
    const bus = makeBus({ events: true });
    const big = { ...EVENT, resource: { resourceType: "Basic", id: "x".repeat(8000) } };
    await withBus(bus, async (ear) => {
      await bus.publish({ ...eventFor(1), event: big });
      await bus.publish({ ...eventFor(1), event: EVENT });
      await bus.publish(eventFor(2, (n) => `${n}`.repeat(n * 4000)));
      await bus.publish({ type: "revoked", subject: "ü".repeat(4000) });
      assertEquals(await ear.until(({ length }) => length === 5), [
        eventFor(1),
        { ...eventFor(1), event: EVENT },
        { type: "event", keys: ["1".repeat(4000)], numbers: [1] },
        { type: "resync" },
        { type: "resync" },
      ]);
    });
  });

  test("createPostgresBus sends together what comes together, in its order", async () => {
    let queries = 0;
    const counting = {
      query(text: string, values?: (string | number)[]) {
        queries++;
        return database.client.query(text, values);
      },
    };
    const bus = createPostgresBus(counting, connect, { channel: uniqueName() });
    await withBus(bus, async (ear) => {
      const messages = Array.from({ length: 500 }, (_, n) => ({ type: "changed", key: `key-${n}` } as const));
      await Promise.all(messages.map((message) => bus.publish(message)));
      assertEquals(await ear.until(({ length }) => length === 500), messages);
      assertLess(queries, 5);
    });
  });

  test("createPostgresBus ignores what is no message, and events that somebody made up", async () => {
    const channel = uniqueName();
    const bus = makeBus({ channel });
    const payloads = [
      "",
      "nonsense",
      "{}",
      "[null,1,[]]",
      '[{"type":"event","keys":["a"],"numbers":[]}]',
      '[{"type":"event","keys":["a"],"numbers":["1"]}]',
      '[{"type":"event","keys":"a","numbers":[1]}]',
      '[{"type":"changed"}]',
      '[{"type":"other","key":"a"}]',
      '[{"type":"event","keys":["a"],"numbers":[1],"event":{"interaction":"create","focus":"Patient/forged"}}]',
    ];
    await withBus(bus, async (ear) => {
      for (const payload of payloads) await database.client.query("SELECT pg_notify($1, $2)", [channel, payload]);
      await bus.publish({ type: "changed", key: "last" });
      assertEquals(await ear.until((heard) => heard.at(-1)?.type === "changed"), [
        { type: "event", keys: ["a"], numbers: [1] },
        { type: "changed", key: "last" },
      ]);
    });
  });

  test("within() of a bus is heard when the transaction commits, and never when it is rolled back", async () => {
    const bus = makeBus();
    await withBus(bus, async (ear) => {
      await assertRejects(() =>
        database.transaction(async (transaction) => {
          await bus.within(transaction).publish({ type: "changed", key: "rolled back" });
          throw new Error("refused");
        })
      );
      await database.transaction(async (transaction) => {
        await bus.within(transaction).publish({ type: "changed", key: "committed" });
        if (name !== "PGlite") await bus.publish({ type: "changed", key: "outside" });
      });
      await bus.publish({ type: "changed", key: "last" });
      const heard = await ear.until((heard) => heard.some((one) => one.type === "changed" && one.key === "last"));
      const keys = heard.map((one) => one.type === "changed" ? one.key : one.type);
      assertEquals(keys, name === "PGlite" ? ["committed", "last"] : ["outside", "committed", "last"]);
    });
  });

  test("a notifier over within() logs and tells with the transaction, or does neither", async () => {
    const schema = uniqueName();
    const bus = makeBus();
    const log = createPostgresEventLog(database.client, { schema });
    const base = "https://example.org/fhir";
    await withBus(bus, async (ear) => {
      async function change(isRefused: boolean): Promise<readonly number[]> {
        return await database.transaction(async (transaction) => {
          const notifier = createNotifier({ base, events: log.within(transaction), bus: bus.within(transaction) });
          const numbers = await notifier.notify(["s1", "s2"], EVENT);
          if (isRefused) throw new Error("refused");
          return numbers;
        });
      }
      await assertRejects(() => change(true), Error, "refused");
      assertEquals(await change(false), [1, 1]);
      const keys = ["s1", "s2"].map((id) => JSON.stringify([base, null, id]));
      assertEquals(await ear.until(({ length }) => length > 0), [{ type: "event", keys, numbers: [1, 1] }]);
      assertEquals((await log.read(keys[1]!, 0, 9)).events.map(({ focus }) => focus), ["Patient/p1"]);
    });
    await database.client.query(`DROP SCHEMA ${schema} CASCADE`);
  });

  test("a notifier over within() rejects when pg_notify fails, lest the host take its COMMIT for one", async () => {
    const schema = uniqueName();
    const log = createPostgresEventLog(database.client, { schema });
    const base = "https://example.org/fhir";
    await log.append(["own"], EVENT);
    async function change(payload: string): Promise<readonly number[]> {
      return await database.transaction(async (transaction) => {
        const failing: PostgresClient = {
          query: (text, values) =>
            transaction.query(text.includes("pg_notify") ? `SELECT pg_notify('any', ${payload})` : text, values && []),
        };
        await log.within(transaction).append(["own"], EVENT);
        const bus = makeBus().within(failing);
        return await createNotifier({ base, events: log.within(transaction), bus }).notify(["s1"], EVENT);
      });
    }
    const error = await assertRejects(() => change("repeat('x', 8000)"), BindingError);
    assertEquals([error.code, (error.cause as Error).message], ["unavailable", "payload string too long"]);
    assertEquals(await log.heads(["own", JSON.stringify([base, null, "s1"])]), [1, 0]);
    assertEquals(await change("repeat('x', 7999)"), [1]);
    assertEquals(await log.heads(["own", JSON.stringify([base, null, "s1"])]), [2, 1]);
    await database.client.query(`DROP SCHEMA ${schema} CASCADE`);
  });

  test("createPostgresBus throws at the publisher what the database refused, and goes on", async () => {
    let isDown = true;
    const bus = createPostgresBus(
      { query: (text, values) => isDown ? Promise.reject(new Error("down")) : database.client.query(text, values) },
      connect,
      { channel: uniqueName() },
    );
    await withBus(bus, async (ear) => {
      const both = [bus.publish({ type: "changed", key: "a" }), bus.publish({ type: "changed", key: "b" })];
      for (const one of both) await assertRejects(async () => await one, Error, "down");
      isDown = false;
      await bus.publish({ type: "changed", key: "c" });
      assertEquals(await ear.until(({ length }) => length > 0), [{ type: "changed", key: "c" }]);
    });
  });
}

function testConnections(): void {
  let pool: pg.Pool;
  before(() => {
    pool = new pg.Pool({ connectionString: postgresEngine.url });
  });
  after(() => pool.end());

  /** Ends a connection from the side of the server. */
  async function terminate(connection: PostgresConnection): Promise<void> {
    const { processID } = connection as unknown as { processID: number }; // what `pg` calls the number of its backend
    await pool.query("SELECT pg_terminate_backend($1)", [processID]);
  }

  for (const [library, open] of [["pg", connectPg], ["postgres", connectPostgres]] as const) {
    test(`createPostgresBus listens again each time that ${library} lost its connection, and tells to resync`, async () => {
      const [channel, errors] = [uniqueName(), [] as unknown[]];
      let connections = 0;
      const bus = createPostgresBus(pool, () => {
        connections++;
        return Promise.resolve(open());
      }, { channel, onError: (cause) => errors.push(cause) });
      const ear = await listen(bus);
      for (const times of [1, 2]) {
        await pool.query(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE lower(query) = $1",
          [`listen "${channel}"`],
        );
        await ear.until((heard) => heard.filter(({ type }) => type === "resync").length === times);
        await bus.publish({ type: "changed", key: `after ${times}` });
        await ear.until((heard) => heard.at(-1)?.type === "changed");
      }
      assertEquals(ear.heard.map(({ type }) => type), ["resync", "changed", "resync", "changed"]);
      assertEquals(connections, 3);
      assert(errors.length >= 2, "the host was told of both");
      ear.unlisten();
    });
  }

  test("createPostgresBus tries until it can connect again", async () => {
    let attempts = 0;
    let current: PostgresConnection | undefined;
    const bus = createPostgresBus(pool, async () => {
      attempts++;
      if (attempts > 1 && attempts < 5) throw new Error("no connection");
      return current = await connectPg();
    }, { channel: uniqueName() });
    const ear = await listen(bus);
    await terminate(current!);
    await ear.until((heard) => heard.length > 0);
    assertEquals([attempts, ear.heard], [5, [{ type: "resync" }]]);
    ear.unlisten();
  });

  test("createPostgresBus is brought back by whoever begins to listen, and tells the others to resync", async () => {
    let isDown = false;
    let current: PostgresConnection | undefined;
    const { told, onError } = firstError();
    const bus = createPostgresBus(pool, async () => {
      if (isDown) throw new Error("no connection");
      return current = await connectPg();
    }, { channel: uniqueName(), onError });
    const ear = await listen(bus);
    isDown = true;
    await terminate(current!);
    await told;
    await assertRejects(() => listen(bus), Error, "no connection");
    isDown = false;
    const other = await listen(bus);
    await bus.publish({ type: "changed", key: "a" });
    await other.until((heard) => heard.at(-1)?.type === "changed");
    assertEquals(ear.heard, [{ type: "resync" }, { type: "changed", key: "a" }]);
    ear.unlisten();
    other.unlisten();
  });

  test("createPostgresBus throws at a listener what keeps it from listening, and can be asked again", async () => {
    const failures = [
      () => Promise.reject(new Error("no connection")),
      async () => {
        const connection = await connectPg();
        await connection.end();
        return connection;
      },
      async () => {
        const connection = await connectPg();
        return { ...connection, on: connection.on.bind(connection), end: () => connection.end(), query: refuse };
      },
    ];
    function refuse(): Promise<never> {
      return Promise.reject(new Error("no LISTEN here"));
    }
    const outcomes = ["no connection", "", "no LISTEN here"];
    const bus = createPostgresBus(pool, () => failures.shift()?.() ?? connectPg(), { channel: uniqueName() });
    for (const outcome of outcomes) await assertRejects(() => listen(bus), Error, outcome);
    const ear = await listen(bus);
    await bus.publish({ type: "changed", key: "a" });
    assertEquals(await ear.until(({ length }) => length > 0), [{ type: "changed", key: "a" }]);
    ear.unlisten();
  });

  test("createPostgresBus has a connection only while somebody listens", async () => {
    const channel = uniqueName();
    async function listening(): Promise<number> {
      const { rows } = await pool.query("SELECT FROM pg_stat_activity WHERE query = $1", [`LISTEN "${channel}"`]);
      return rows.length;
    }
    const bus = createPostgresBus(pool, connectPg, { channel });
    await bus.publish({ type: "resync" });
    assertEquals(await listening(), 0);
    const ears = [await listen(bus), await listen(bus)];
    assertEquals(await listening(), 1);
    ears[0]!.unlisten();
    assertEquals(await listening(), 1);
    ears[1]!.unlisten();
    ears[1]!.unlisten();
    while (await listening() > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const again = await listen(bus);
    assertEquals(await listening(), 1);
    again.unlisten();
  });
}

describe("PostgreSQL", () => {
  test("createPostgresBus throws TypeError for a channel that is no lower-case name", () => {
    function refuse(): Promise<never> {
      return Promise.reject(new Error("it was asked"));
    }
    for (const channel of ["", "Upper", 'x"; DROP SCHEMA public; --', "a b", "x".repeat(64)]) {
      const error = assertThrows(() => createPostgresBus({ query: refuse }, refuse, { channel }), TypeError);
      assertMatch(error.message, /^Cannot use channel/);
    }
  });

  for (const driver of drivers) {
    // The reason is also in the name, since Deno does not report it.
    if (driver.skip) test(`by ${driver.name}: ${driver.skip}`, { skip: driver.skip }, () => {});
    else describe(`by ${driver.name}`, () => testDriver(driver));
  }
  if (postgresEngine.skip) test(`connections: ${postgresEngine.skip}`, { skip: postgresEngine.skip }, () => {});
  else describe("connections", testConnections);
});
