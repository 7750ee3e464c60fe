// Workers of one process over one SQLite file, which the bus on BroadcastChannel joins.

import { createJwtSigner, createNotifier } from "@fhir-ws/binding";
import { createBroadcastBus } from "@fhir-ws/binding/bus/broadcast";
import { createSqliteEventLog, createSqliteTokenStore } from "@fhir-ws/binding/storage/sqlite";
import { assertEquals, assertGreaterOrEqual } from "@std/assert";
import { mkdtempSync, rmSync } from "node:fs";
import { test } from "node:test";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { uniqueName } from "../several/engines.ts";
import { drivers } from "../storage/drivers.ts";
import { produced } from "../tools/produced.ts";
import type { WorkerServer } from "./broadcast_server.ts";

const BASE = "https://example.org/fhir";
const [EVENTS, WORKERS] = [200, 3];
/** Milliseconds: Deno checks the types of each worker's modules before it starts. */
const PATIENCE = 40_000;
const driver = drivers.find(({ name, skip }) => name === "node:sqlite" && skip === undefined);
const skip = driver === undefined ? "no node:sqlite here" : false;

/** The frames of one worker's socket. */
class Ear {
  readonly worker: Worker;
  readonly texts: string[] = [];
  #look = (): void => {};

  constructor(server: WorkerServer) {
    this.worker = new Worker(new URL("broadcast_server.ts", import.meta.url), { workerData: server });
    this.worker.on("message", (text: string) => {
      produced(text);
      this.texts.push(text);
      this.#look();
    });
  }

  async has(count: number): Promise<void> {
    const timer = setTimeout(() => this.#look(), PATIENCE);
    const end = performance.now() + PATIENCE;
    while (this.texts.length < count && performance.now() < end) {
      await new Promise<void>((resolve) => this.#look = resolve);
    }
    clearTimeout(timer);
    assertGreaterOrEqual(this.texts.length, count, "frames in time");
  }

  /** What stands in each frame from one on. */
  numbers(from: number): (string | undefined)[] {
    return this.texts.slice(from).map((text) => /"eventNumber":"(\d+)"/.exec(text)?.[1]);
  }
}

test("workers over one log hear by BroadcastChannel what the main thread writes and revokes", { skip }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "fhir-ws-workers-"));
  const [file, bus] = [join(folder, "shared.db"), uniqueName()];
  const db = driver!.open(file);
  const [events, tokenStore] = [createSqliteEventLog(db), createSqliteTokenStore(db)];
  const key = crypto.getRandomValues(new Uint8Array(32));
  const signer = await createJwtSigner({ sign: { kid: "k1", key }, store: tokenStore });
  const issuedAt = Math.floor(Date.now() / 1000);
  const grant = {
    audience: BASE,
    caller: { id: "alice" },
    subscriptions: ["s1"],
    issuedAt,
    expiresAt: issuedAt + 3600,
  };
  const ears: Ear[] = [];
  for (let n = 0; n < WORKERS; n++) {
    const token = await signer.sign({ ...grant, id: `t${n}` });
    ears.push(new Ear({ base: BASE, driver: driver!.name, file, bus, key, token }));
  }
  try {
    await Promise.all(ears.map((ear) => ear.has(1)));
    const notifier = createNotifier({ base: BASE, events, bus: createBroadcastBus(bus), tokenStore });
    for (let n = 1; n <= EVENTS; n++) await notifier.notify(["s1"], { interaction: "update", focus: `Patient/p${n}` });
    await Promise.all(ears.map((ear) => ear.has(1 + EVENTS)));
    const expected = Array.from({ length: EVENTS }, (_, n) => `${n + 1}`);
    for (const ear of ears) assertEquals(ear.numbers(1), expected);
    await notifier.revoke({ token: "t1" });
    await ears[1]!.has(2 + EVENTS);
    assertEquals(ears.map(({ texts }) => texts.length), [1 + EVENTS, 2 + EVENTS, 1 + EVENTS]);
    assertEquals(JSON.parse(ears[1]!.texts.at(-1)!).resourceType, "OperationOutcome");
  } finally {
    await Promise.all(ears.map(({ worker }) => worker.terminate()));
    db.close();
    rmSync(folder, { recursive: true });
  }
});
