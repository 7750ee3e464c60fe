// One event to all sockets of a process, whose other ends are in a second one.

import type { EventLog, NotificationBus } from "@fhir-ws/binding";
import { createMemoryBus, createMemoryEventLog } from "@fhir-ws/binding/storage/memory";
import { openBackend } from "../../../tests/several/backend.ts";
import { createCrowd } from "../sockets/crowd.ts";
import { serve } from "../sockets/serve.ts";
import { startClients } from "../sockets/start_clients.ts";
import { engineOf, EVENT, type Place, repeat, SOCKETS } from "./place.ts";

const ROUNDS = 9;

/** Milliseconds from notify() to the last frame, for sockets spread evenly over some Subscriptions. */
export async function measureFanOut(place: Place, subscriptions: number): Promise<number[]> {
  const crowd = await createCrowd(undefined, { websocketUrl: "ws://127.0.0.1/ws", ...await open(place) });
  const server = await serve(crowd.binder);
  const clients = startClients();
  const ids = Array.from({ length: subscriptions }, (_, n) => `s${n}`);
  const tokens = await Promise.all(ids.map((id) => crowd.mint([id])));
  const frames = Array.from({ length: SOCKETS }, (_, n) => `bind-with-token ${tokens[n % tokens.length]}`);
  let expected = await clients.ask({ url: `ws://127.0.0.1:${server.port}/ws`, count: SOCKETS, frames });
  const figures = await repeat(ROUNDS, async () => {
    const start = performance.now();
    await crowd.notifier.notify(ids, EVENT);
    await clients.reach(expected += SOCKETS);
    return performance.now() - start;
  });
  clients.stop();
  return figures;
}

async function open(place: Place): Promise<{ readonly events: EventLog; readonly bus: NotificationBus }> {
  if (place.store === "memory") return { events: createMemoryEventLog(), bus: createMemoryBus() };
  const { events, bus } = await openBackend({ ...place, engine: engineOf(place) });
  return { events, bus };
}
