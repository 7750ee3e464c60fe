// Half of the clients of a soak, in a process of their own: `clients.ts <order as JSON>`. The heads of the Subscriptions,
// as JSON on one line of its input, end it; its last words are a `Tally` as JSON.

import process from "node:process";
import { createInterface } from "node:readline";
import { createRandom } from "../../tests/tools/random.ts";
import { createCalls } from "./calls.ts";
import { type Herd, pause } from "./client.ts";
import { live } from "./life.ts";
import { followersOf, type Plan } from "./plan.ts";
import { createSpans } from "./spans.ts";

/** What a process of clients is to do. */
export interface Order {
  readonly plan: Plan;
  readonly port: number;
  /** Which one of them this is, from 0. */
  readonly process: number;
}

/** What a process of clients has done and seen. */
export interface Tally {
  readonly violations: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
}

/** Milliseconds between the calls of the operation that nobody binds with. */
const CALL_EVERY = 25;
/** More of them would only repeat what the first ones say. */
const MAX_VIOLATIONS = 1000;

async function main({ plan, port, process: place }: Order): Promise<void> {
  const stop = new AbortController();
  const violations: string[] = [];
  const counts = new Map<string, number>();
  const spans = createSpans();
  const herd: Herd = {
    url: `ws://127.0.0.1:${port}/ws`,
    calls: createCalls(port, spans, (what) => violations.push(what)),
    spans,
    violations,
    counts,
    newest: new Map(),
    expired: undefined,
    stopping: stop.signal,
  };
  const seed = plan.seed * 1000 + place * 500;
  const followers = followersOf(plan, place, createRandom(seed));
  const heads = readHeads().then((heads) => {
    stop.abort();
    return heads;
  });
  const lives = followers.map((follower, n) => live(herd, follower, createRandom(seed + 1 + n * 7919), heads));
  const calling = callOn(herd, followers, createRandom(seed + 499));
  await Promise.all([...lives, calling]);
  const { calls, hostileCalls } = herd.calls.counts;
  const tally: Tally = {
    violations: violations.slice(0, MAX_VIOLATIONS),
    counts: { ...Object.fromEntries(counts), calls, hostileCalls },
  };
  console.log(JSON.stringify(tally));
}

async function readHeads(): Promise<ReadonlyMap<string, number>> {
  for await (const line of createInterface({ input: process.stdin })) return new Map(JSON.parse(line));
  throw new Error("Cannot go on: the server has gone");
}

/** Calls of the operation beside the binds, every other one hostile. */
async function callOn(
  herd: Herd,
  followers: readonly { caller: string; ids: readonly string[] }[],
  random: () => number,
): Promise<void> {
  while (!herd.stopping.aborted) {
    const { caller, ids } = followers[Math.floor(random() * followers.length)] ?? { caller: "", ids: [] };
    if (random() < 0.5) await herd.calls.mint(caller, ids, random() < 0.5);
    else await herd.calls.hostile(random() < 0.1 ? undefined : caller, random());
    await pause(herd, CALL_EVERY);
  }
}

await main(JSON.parse(process.argv[2] ?? ""));
process.exit(0);
