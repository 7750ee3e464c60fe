// What a host's clients see while its SQLite file cannot be written, and afterwards.

import { createNotifier, createOpaqueSigner, createSocketBinder, handleGetWsBindingToken } from "@fhir-ws/binding";
import { createMemoryBus } from "@fhir-ws/binding/storage/memory";
import {
  createSqliteEventLog,
  createSqliteSubscriptionStore,
  createSqliteTokenStore,
} from "@fhir-ws/binding/storage/sqlite";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { mkdtempSync, rmSync } from "node:fs";
import { describe, test } from "node:test";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assertRefused, readAnswer, websocketSubscription } from "../operation/fake_host.ts";
import { inWords, readServerFrame } from "../socket/server_frame.ts";
import { produced } from "../tools/produced.ts";
import { type Connection, type Driver, drivers } from "./drivers.ts";

const BASE = "https://example.org/fhir";
const ALICE = { id: "alice" };
const BIG = { resourceType: "Basic", id: "x".repeat(20_000) };
/** A lock is not waited for. */
const OPTIONS = { busyTimeout: 0 };

async function makeHost(db: Connection) {
  const subscriptions = createSqliteSubscriptionStore(db, { ...OPTIONS, base: BASE });
  await subscriptions.put(websocketSubscription("s1"), ALICE);
  const [events, bus] = [createSqliteEventLog(db, OPTIONS), createMemoryBus()];
  const tokens = createOpaqueSigner({ store: createSqliteTokenStore(db, OPTIONS), singleUse: true });
  const endpoint = { base: BASE, fhirVersion: "R5", subscriptions, tokens } as const;
  const binder = createSocketBinder({ ...endpoint, events, bus, websocketUrl: "wss://example.org/ws" });
  const notifier = createNotifier({ base: BASE, events, bus });
  return {
    issue: () =>
      handleGetWsBindingToken(new Request(`${BASE}/Subscription/s1/$get-ws-binding-token`), {
        ...endpoint,
        authenticate: () => ALICE,
        sockets: binder,
      }),
    /** The first answer to a bind on a socket of its own, in a few words. */
    async bind(token: string): Promise<string> {
      const admission = await binder.admit(
        new Request("https://example.org/ws", { headers: { upgrade: "websocket" } }),
      );
      assert(admission.refused === undefined);
      const { promise, resolve } = Promise.withResolvers<string>();
      const session = admission.open({
        send(text) {
          produced(text);
          resolve(inWords(readServerFrame(text)));
        },
        close: () => queueMicrotask(() => session.closed()),
      });
      session.receive(`bind-with-token ${token}`);
      const answer = await promise;
      session.closed();
      return answer;
    },
    notify: () => notifier.notify(["s1"], { interaction: "create", focus: "Basic/b1", resource: BIG }),
    close: () => binder.close(),
  };
}

type Host = Awaited<ReturnType<typeof makeHost>>;

/** Nothing is written until what is returned is called. */
function lock(path: string, { open }: Driver): () => void {
  const other = open(path);
  other.exec("BEGIN IMMEDIATE");
  return () => {
    other.exec("ROLLBACK");
    other.close();
  };
}

/** Lets a file grow no more, and fills what room it has. */
async function fill(db: Connection, { issue }: Host): Promise<() => void> {
  const { page_count } = db.prepare("PRAGMA page_count").get() as { page_count: number };
  db.prepare(`PRAGMA max_page_count = ${page_count}`).get();
  for (let n = 0; (await issue()).status === 200; n++) assert(n < 1000, "it takes ever more");
  return () => void db.prepare("PRAGMA max_page_count = 1000000").get();
}

async function withHost(driver: Driver, work: (host: Host, db: Connection, path: string) => Promise<void>) {
  const folder = mkdtempSync(join(tmpdir(), "fhir-ws-host-"));
  const path = join(folder, "host.db");
  const db = driver.open(path);
  try {
    const host = await makeHost(db);
    await work(host, db, path);
    await host.close();
  } finally {
    db.close();
    rmSync(folder, { recursive: true });
  }
}

for (const driver of drivers.filter(({ skip }) => skip === undefined)) {
  describe(`a host on a SQLite file by ${driver.name}`, () => {
    test("refuses with no-store while the file is locked, spends no token, and goes on when it is free", () =>
      withHost(driver, async (host, _, path) => {
        const { token } = await readAnswer(await host.issue());
        const unlock = lock(path, driver);
        await assertRefused(await host.issue(), 503, "no-store");
        assertEquals(await host.bind(token), "no-store");
        await assertRejects(() => host.notify());
        unlock();
        assertEquals(await host.notify(), [1]);
        assertEquals(await host.bind(token), "handshake s1 1");
        assertEquals(await host.bind(token), "unknown", "it was spent by then");
        assertEquals((await host.issue()).status, 200);
      }));

    test("refuses with no-store while the disk is full, numbers nothing, and goes on when there is room", () =>
      withHost(driver, async (host, db) => {
        const { token } = await readAnswer(await host.issue());
        const free = await fill(db, host);
        await assertRefused(await host.issue(), 503, "no-store");
        await assertRejects(() => host.notify());
        free();
        assertEquals((await host.issue()).status, 200);
        assertEquals(await host.notify(), [1]);
        assertEquals(await host.bind(token), "handshake s1 1");
      }));
  });
}
