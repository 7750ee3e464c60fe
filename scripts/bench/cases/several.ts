// Two processes over one engine: from notify() in this one to the frame that the other one sends.

import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { createJwtSigner, createNotifier, type NotificationEvent } from "@fhir-ws/binding";
import { clearBackend, openBackend } from "../../../tests/several/backend.ts";
import { type Engine, postgresEngine, redisEngine, uniqueName } from "../../../tests/several/engines.ts";
import type { BenchCase, BenchSetup, Comparison } from "../bench_case.ts";
import { ALICE, BASE, makeSecret, SUBSCRIPTION } from "../samples.ts";
import { openByHand, type Place } from "../several/by_hand.ts";

export const cases: readonly BenchCase[] = [
  ...casesOf("postgres", postgresEngine),
  ...casesOf("redis", redisEngine),
];

/** None, and a line that says so, where there is no such engine. */
function casesOf(engine: Place["engine"], { url, skip }: Engine): BenchCase[] {
  if (skip !== undefined) {
    console.error(`several-${engine} is left out: ${skip}`);
    return [];
  }
  return [
    make(`several-${engine}`, "one event", 1, { speedAtLeast: 0.5 }),
    make(`several-${engine}-burst`, "100 events at once", 100, {}),
  ];

  function make(name: string, what: string, count: number, limit: Pick<Comparison, "speedAtLeast">): BenchCase {
    const title = `${what} of 1 KiB, from notify() in one process to the frame from another`;
    const comparisons = [{ against: "hand", ...limit }];
    return { name, title, setup: () => setup({ engine, url, name: uniqueName() }, count, comparisons) };
  }
}

const RESOURCE = { resourceType: "Patient", id: "p1", note: "x".repeat(960) };
const EVENT: NotificationEvent = { interaction: "update", focus: "Patient/p1", resource: RESOURCE };
const CONTENT = JSON.stringify(EVENT);

async function setup(place: Place, count: number, comparisons: readonly Comparison[]): Promise<BenchSetup> {
  const secret = makeSecret();
  const { events, bus, close } = await openBackend({ ...place, busUrl: place.url });
  await events.heads(["any"]); // what is needed is made by now
  const hand = await openByHand(place);
  const peer = await startPeer({ ...place, secret: [...secret] });
  const notifier = createNotifier({ base: BASE, events, bus });
  const bound = await connect(`ws://127.0.0.1:${peer.port}/ws`);
  const bare = await connect(`ws://127.0.0.1:${peer.port}/bare`);
  await bound.bind(await mint(secret));

  function times(write: () => Promise<unknown>): Promise<unknown> {
    return Promise.all(Array.from({ length: count }, write));
  }
  return {
    variants: {
      async ours() {
        await Promise.all([bound.receives(count), times(() => notifier.notify([SUBSCRIPTION.id], EVENT))]);
      },
      async hand() {
        await Promise.all([bare.receives(count), times(() => hand.write(CONTENT))]);
      },
    },
    comparisons,
    async teardown() {
      bound.close();
      bare.close();
      await peer.stop();
      await hand.close();
      await close();
      await clearBackend({ ...place, busUrl: place.url });
    },
  };
}

async function mint(secret: Uint8Array<ArrayBuffer>): Promise<string> {
  const signer = await createJwtSigner({ sign: { kid: "k1", key: secret } });
  const issuedAt = Math.floor(Date.now() / 1000);
  const subscriptions = [SUBSCRIPTION.id];
  return await signer.sign({
    id: "t1",
    audience: BASE,
    caller: ALICE,
    subscriptions,
    issuedAt,
    expiresAt: issuedAt + 3600,
  });
}

interface Peer {
  readonly port: number;
  stop(): Promise<void>;
}

async function startPeer(config: object): Promise<Peer> {
  const script = fileURLToPath(new URL("../several/peer.ts", import.meta.url));
  const args = process.versions.deno ? ["run", "-A", script] : [script];
  const child = spawn(process.execPath, [...args, JSON.stringify(config)], { stdio: ["pipe", "pipe", "inherit"] });
  const { value, done } = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
  if (done) throw new Error("Cannot measure: the other process has gone");
  return {
    port: Number(value),
    async stop() {
      child.stdin.end();
      await once(child, "exit");
    },
  };
}

interface Receiver {
  bind(token: string): Promise<void>;
  /** Resolves when so many frames more have come. */
  receives(count: number): Promise<void>;
  close(): void;
}

async function connect(url: string): Promise<Receiver> {
  const socket = new WebSocket(url);
  await once(socket, "open");
  let missing = 0;
  let arrived = (): void => {};
  socket.onmessage = () => {
    if (--missing === 0) arrived();
  };
  function receives(count: number): Promise<void> {
    missing = count;
    return new Promise((resolve) => {
      arrived = resolve;
    });
  }
  return {
    async bind(token) {
      const handshake = receives(1);
      socket.send(`bind-with-token ${token}`);
      await handshake;
    },
    receives,
    close: () => socket.close(),
  };
}
