// The course of a soak: a warm-up, what the server holds then, the soak itself, what the server holds afterwards.

import type { EventLog, SocketBinder } from "@fhir-ws/binding";
import { fileURLToPath } from "node:url";
import { createRandom } from "../../tests/tools/random.ts";
import type { Order, Tally } from "./clients.ts";
import { type Held, measureHeld } from "./measure.ts";
import type { SoakOptions } from "./options.ts";
import { makePlan, type Plan } from "./plan.ts";
import { createWorld, type World } from "./world.ts";
import { startWriter } from "./writer.ts";

/** How it went. */
export interface SoakResult {
  /** Empty when all was well. */
  readonly violations: readonly string[];
  /** What clients did and saw, by name. */
  readonly clients: ReadonlyMap<string, number>;
  /** What the server's `onEvent` was told, by name. */
  readonly server: ReadonlyMap<string, number>;
  readonly written: number;
  readonly before: Held;
  readonly after: Held;
  /** The most that was there at once. */
  readonly peak: { readonly sockets: number; readonly bindings: number };
}

/** Seconds of warm-up: code is compiled, tables have grown to their size. */
const WARM_UP = 15;
/** Seconds after which sockets without a peer are gone. */
const CLOSING = 15;
/** The share of closes that frames of the client may cross. */
const MAY_CROSS = 0.05;
/** How much more the heap may hold afterwards: the revocations that a store in memory keeps, what engines keep. */
const HEAP_SHARE = 0.1;
const HEAP_BYTES = 2_000_000;

/** `wrapLog` stands between the library and its log. */
export async function soak(options: SoakOptions, wrapLog?: (log: EventLog) => EventLog): Promise<SoakResult> {
  const plan = makePlan(options);
  const world = await createWorld(plan, createRandom(options.seed), wrapLog);
  const seconds = options.minutes * 60;
  const warmUp = await run(world, { ...plan, seed: options.seed + 1 }, Math.min(WARM_UP, seconds));
  const before = await measureHeld();
  const counted = new Map(world.counts);
  const main = await run(world, plan, seconds);
  const after = await measureHeld();
  const server = new Map(Array.from(world.counts, ([name, n]) => [name, n - (counted.get(name) ?? 0)]));
  await world.stop();
  const violations = [...warmUp.violations, ...main.violations, ...world.errors, ...leaks(before, after)];
  return { ...main, violations, server, before, after };
}

type Run = Pick<SoakResult, "violations" | "clients" | "written" | "peak">;

/** Clients come, do their deeds for so long, and leave nothing behind. */
async function run(world: World, plan: Plan, seconds: number): Promise<Run> {
  const herds = Array.from(
    { length: plan.processes },
    (_, process) => startClients({ plan, port: world.port, process }),
  );
  const writer = startWriter(plan, world.notifier, createRandom(plan.seed));
  const watch = watchPeak(world.binder);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  await writer.stop();
  const heads = await world.heads();
  const tallies = await Promise.all(herds.map((herd) => herd.stop(heads)));
  const peak = watch.stop();
  const left = await emptied(world.binder);
  await world.forget();
  const clients = new Map<string, number>();
  for (const { counts } of tallies) {
    for (const [name, n] of Object.entries(counts)) clients.set(name, (clients.get(name) ?? 0) + n);
  }
  const violations = [...tallies.flatMap(({ violations }) => violations), ...left];
  violations.push(...crossings(clients));
  return { violations, clients, written: writer.written, peak };
}

/** Few closes may be crossed by a frame: who sends in that very moment is unlucky, who never hears why is not. */
function crossings(clients: ReadonlyMap<string, number>): string[] {
  const crossed = clients.get("close crossed by a frame") ?? 0;
  const closed = clients.get("reconnect") ?? 0;
  return crossed > 1 + closed * MAY_CROSS ? [`${crossed} of ${closed} closes did not reach their client`] : [];
}

interface Clients {
  stop(heads: ReadonlyMap<string, number>): Promise<Tally>;
}

function startClients(order: Order): Clients {
  const script = fileURLToPath(new URL("clients.ts", import.meta.url));
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", script, JSON.stringify(order)],
    stdin: "piped",
    stdout: "piped",
  });
  const child = command.spawn();
  const output = new Response(child.stdout).text();
  return {
    async stop(heads) {
      const input = child.stdin.getWriter();
      await input.write(new TextEncoder().encode(`${JSON.stringify([...heads])}\n`));
      await input.close();
      const { code } = await child.status;
      if (code !== 0) throw new Error(`Cannot soak: clients ended with ${code}`);
      return JSON.parse(await output);
    },
  };
}

function watchPeak(binder: SocketBinder): { stop(): SoakResult["peak"] } {
  const peak = { sockets: 0, bindings: 0 };
  const timer = setInterval(() => {
    const { sockets, bindings } = binder.stats();
    peak.sockets = Math.max(peak.sockets, sockets);
    peak.bindings = Math.max(peak.bindings, bindings);
  }, 500);
  return {
    stop() {
      clearInterval(timer);
      return peak;
    },
  };
}

/** What a binder still holds though all of its peers have gone. */
async function emptied(binder: SocketBinder): Promise<string[]> {
  for (let n = 0; n < CLOSING * 10; n++) {
    const { sockets, bindings, subscriptions } = binder.stats();
    if (sockets + bindings + subscriptions === 0) return [];
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return [`the binder still holds ${JSON.stringify(binder.stats())} after ${CLOSING} s`];
}

function leaks(before: Held, after: Held): string[] {
  const most = before.heap * (1 + HEAP_SHARE) + HEAP_BYTES;
  const found = after.heap > most ? [`the heap has grown from ${before.heap} to ${after.heap} bytes`] : [];
  if ((after.descriptors ?? 0) > (before.descriptors ?? 0)) {
    found.push(`${after.descriptors} descriptors are open, ${before.descriptors} were`);
  }
  return found;
}
