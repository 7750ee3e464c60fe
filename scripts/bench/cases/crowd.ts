// What bindings cost while nothing happens, and what they leave behind.

import process from "node:process";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type LoggedEvent, notificationBundle } from "@fhir-ws/binding";
import type { BenchCase, BenchSetup, Figure } from "../bench_case.ts";
import { BASE, SUBSCRIPTION } from "../samples.ts";
import { createCrowd, Sink } from "../sockets/crowd.ts";

export const cases: readonly BenchCase[] = [
  { name: "replay", title: "10,000 events to a socket that binds and asks for them", setup: setupReplay },
  { name: "idle", title: "100,000 bindings with a heartbeat a minute and nothing else to do", weigh: weighIdle },
  { name: "heap", title: "what a bound socket holds, and what 100,000 binds and unbinds leave", weigh: weighHeap },
  { name: "recheck", title: "access reads for one event, by sockets of one caller", weigh: weighRecheck },
];

const EVENTS = 10_000;

async function setupReplay(): Promise<BenchSetup> {
  const crowd = await createCrowd();
  const resource = { resourceType: "Patient", id: "p1", note: "x".repeat(960) };
  for (let n = 0; n < EVENTS; n++) {
    await crowd.notifier.notify(["s1"], { interaction: "update", focus: "Patient/p1", resource });
  }
  const token = await crowd.mint(["s1"]);
  const frame = JSON.stringify({ type: "bind-with-token", payload: { token, eventsSinceNumber: { s1: "1" } } });
  const key = JSON.stringify([BASE, null, "s1"]);
  const subscription = { ...SUBSCRIPTION, id: "s1", content: "full-resource" };
  return {
    variants: {
      async ours() {
        (await crowd.bind(frame, EVENTS + 1)).closed();
      },
      async "by hand"() {
        for (let after = 0; after < EVENTS;) {
          const { events } = await crowd.events.read(key, after, 100);
          for (const event of events) sendByHand(event);
          after += events.length;
        }
      },
    },
    comparisons: [{ against: "by hand", speedAtLeast: 0.5 }],
    teardown: () => crowd.binder.close(),
  };

  function sendByHand(event: LoggedEvent): void {
    const content = { type: "event-notification", events: [event] } as const;
    const text = JSON.stringify(
      notificationBundle({ base: BASE, fhirVersion: "R5" }, subscription, content, { dialect: "json" }),
    );
    if (text.length === 0) throw new Error("Cannot measure: there is nothing to send");
  }
}

const BINDINGS = 100_000;
const SECONDS = 60;

/** A hundred Subscriptions on each of a thousand sockets. */
async function weighIdle(): Promise<readonly Figure[]> {
  let ahead = 0;
  const now = () => Date.now() + ahead;
  const crowd = await createCrowd(60, { now, recheck: 3600, limits: { bindingsPerSocket: 100 } });
  for (let n = 0; n < BINDINGS; n += 100) {
    const ids = Array.from({ length: 100 }, (_, k) => `s${n + k}`);
    // As if they came over a minute, so that their heartbeats do.
    ahead = n / BINDINGS * 60_000;
    await crowd.bind(`bind-with-token ${await crowd.mint(ids)}`, 100);
  }
  // What the binds left behind, and code that is new to the engine, are no cost of doing nothing.
  await heapUsed();
  await pause(10);
  const before = process.cpuUsage();
  await pause(SECONDS);
  const { user, system } = process.cpuUsage(before);
  await crowd.binder.close();
  const share = (user + system) / 1e6 / SECONDS * 100;
  return [{ name: "of one core, over a minute", value: share, unit: "%", atMost: 1 }];
}

/** One Subscription on each of many sockets, against sockets that hold nothing. */
async function weighHeap(): Promise<readonly Figure[]> {
  const count = 20_000;
  const crowd = await createCrowd();
  const token = await crowd.mint(["s1"]);
  // The first bind brings what all share.
  (await crowd.bind(`bind-with-token ${token}`, 1)).closed();
  const bare: object[] = [];
  const empty = await heapUsed();
  for (let n = 0; n < count; n++) bare.push(new Sink());
  const withBare = await heapUsed();
  const sessions = [];
  for (let n = 0; n < count; n++) sessions.push(await crowd.bind(`bind-with-token ${token}`, 1));
  const bound = await heapUsed();
  for (const session of sessions) session.closed();
  sessions.length = 0;
  const before = await heapUsed();
  for (let n = 0; n < BINDINGS; n++) (await crowd.bind(`bind-with-token ${token}`, 1)).closed();
  const after = await heapUsed();
  const left = crowd.binder.stats();
  if (bare.length !== count || left.sockets + left.bindings > 0) throw new Error("Cannot measure: sockets are left");
  return [
    {
      name: "a bound socket above a bare one",
      value: (bound - withBare - (withBare - empty)) / count,
      unit: "bytes",
      atMost: 2048,
    },
    { name: "after 100,000 binds and unbinds", value: (after / before - 1) * 100, unit: "% more heap", atMost: 2 },
  ];
}

async function weighRecheck(): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  for (const sockets of [1, 100, 10_000]) {
    let now = Date.now();
    const crowd = await createCrowd(undefined, { now: () => now });
    const frame = `bind-with-token ${await crowd.mint(["s1"])}`;
    for (let n = 0; n < sockets; n++) await crowd.bind(frame, 1);
    now += 6000; // older than a decision may be
    const before = crowd.reads();
    await crowd.notifier.notify(["s1"], { interaction: "update", focus: "Patient/p1" });
    await pause(0.5);
    figures.push({ name: `reads with ${sockets} sockets`, value: crowd.reads() - before, unit: "", atMost: 1 });
    await crowd.binder.close();
  }
  return figures;
}

function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}

/** Bytes after a collection, which each runtime hides elsewhere. */
async function heapUsed(): Promise<number> {
  const { Bun } = globalThis as { Bun?: { gc(force: boolean): void } }; // only there
  await pause(0.1);
  if (Bun !== undefined) Bun.gc(true);
  else {
    setFlagsFromString("--expose-gc");
    runInNewContext("gc")();
  }
  return process.memoryUsage().heapUsed;
}
