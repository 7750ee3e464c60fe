// Real sockets over 127.0.0.1, whose other ends are in a second process.

import { type FhirResource, notificationBundle } from "@fhir-ws/binding";
import { BASE, SUBSCRIPTION } from "../samples.ts";
import { createCrowd } from "../sockets/crowd.ts";
import { serve } from "../sockets/serve.ts";
import { type Clients, startClients } from "../sockets/start_clients.ts";
import type { Point } from "./point.ts";
import { held, lowerQuartile } from "./timing.ts";

const EVENT = { interaction: "update", focus: "Patient/p1" } as const;
/** Frames that are sent to measure, and rounds of them. */
const FRAMES = 20_000;
const ROUNDS = 5;
/** The sockets that warm everything up. */
const WARM_UP = 100;

/** Sockets spread evenly over some Subscriptions. */
export async function measureReal(sockets: number, subscriptions: number): Promise<Point> {
  const crowd = await createCrowd(undefined, { websocketUrl: "ws://127.0.0.1/ws", recheck: 3600 });
  const server = await serve(crowd.binder);
  const url = `ws://127.0.0.1:${server.port}/ws`;
  const clients = startClients();
  const ids = Array.from({ length: subscriptions }, (_, n) => `s${n}`);
  const tokens: string[] = [];
  for (const id of ids) tokens.push(await crowd.mint([id]));
  const warm = await crowd.mint(["warm"]);
  await clients.ask({ url, count: WARM_UP, frames: Array(WARM_UP).fill(`bind-with-token ${warm}`) });
  for (let n = 0; n < 100; n++) await crowd.notifier.notify(["warm"], EVENT);
  await clients.reach(WARM_UP * 101);
  const before = await held("rss");
  const frames = Array.from({ length: sockets }, (_, n) => `bind-with-token ${tokens[n % tokens.length]}`);
  const start = performance.now();
  const expected = await clients.ask({ url, count: sockets, frames });
  const bind = (performance.now() - start) * 1000 / sockets;
  const after = await held("rss");
  const frame = await timeFrames(clients, sockets, expected, () => crowd.notifier.notify(ids, EVENT));
  await crowd.binder.close();
  clients.stop();
  server.stop();
  return { bind, frame, memory: (after - before) / sockets };
}

/** The same frames through bare sockets: what no library could save. */
export async function measureBare(sockets: number): Promise<Point> {
  const crowd = await createCrowd();
  const server = await serve(crowd.binder);
  const clients = startClients();
  const text = JSON.stringify(notification());
  await clients.ask({ url: `ws://127.0.0.1:${server.port}/bare`, count: sockets, frames: [] });
  const frame = await timeFrames(clients, sockets, 0, () => {
    for (const socket of server.bare) socket.send(text);
  });
  await crowd.binder.close();
  clients.stop();
  server.stop();
  return { frame };
}

function notification(): FhirResource {
  const content = { type: "event-notification", events: [{ ...EVENT, number: 1000 }] } as const;
  const subscription = { ...SUBSCRIPTION, content: "full-resource" };
  return notificationBundle({ base: BASE, fhirVersion: "R5" }, subscription, content);
}

/** Microseconds per frame, until it has arrived. */
async function timeFrames(
  clients: Clients,
  sockets: number,
  before: number,
  send: () => Promise<unknown> | void,
): Promise<number> {
  const events = Math.ceil(FRAMES / sockets);
  const rounds: number[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    const start = performance.now();
    for (let n = 0; n < events; n++) await send();
    await clients.reach(before + round * events * sockets);
    rounds.push((performance.now() - start) * 1000 / (events * sockets));
  }
  return lowerQuartile(rounds);
}
