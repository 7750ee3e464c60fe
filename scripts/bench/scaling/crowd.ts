// Sockets that are not there, as many as one likes: what is left is the library's own cost.

import type { SocketSession } from "@fhir-ws/binding";
import { createCrowd, Sink } from "../sockets/crowd.ts";
import type { Point } from "./point.ts";
import { held, timePerUnit } from "./timing.ts";

/** Binds that are measured on top of the crowd, taken back at once. */
const BINDS = 100;
const EVENT = { interaction: "update", focus: "Patient/p1" } as const;

/** A crowd of sockets, spread evenly over some Subscriptions. */
export async function measureCrowd(sockets: number, subscriptions: number): Promise<Point> {
  const crowd = await createCrowd(undefined, { recheck: 3600, reconcile: 3600 });
  const ids = Array.from({ length: subscriptions }, (_, n) => `s${n}`);
  const frames: string[] = [];
  for (const id of ids) frames.push(`bind-with-token ${await crowd.mint([id])}`);
  const more: string[] = [];
  for (let n = 0; n < BINDS; n++) {
    more.push(subscriptions === 1 ? frames[0] ?? "" : `bind-with-token ${await crowd.mint([`t${n}`])}`);
  }
  await bindAll(more);
  const bare: object[] = [];
  const empty = await held("heapUsed");
  for (let n = 0; n < sockets; n++) bare.push(new Sink());
  const withBare = await held("heapUsed");
  const sessions: SocketSession[] = [];
  for (let n = 0; n < sockets; n++) sessions.push(await crowd.bind(frames[n % frames.length] ?? "", 1));
  const bound = await held("heapUsed");
  if (bare.length !== sessions.length) throw new Error("Cannot measure: sockets are missing");

  async function bindAll(all: readonly string[]): Promise<number> {
    for (const frame of all) (await crowd.bind(frame, 1)).closed();
    return all.length;
  }
  async function notify(wanted: readonly string[]): Promise<number> {
    await crowd.notifier.notify(wanted, EVENT);
    return sockets * wanted.length / subscriptions;
  }
  let next = 0;
  const point = {
    bind: await timePerUnit(() => bindAll(more)),
    // An event for all is that of a server whose write concerns everybody; most concern one.
    frame: await timePerUnit(() => notify(ids)),
    event: await timePerUnit(() => notify([ids[next = (next + 7919) % ids.length] ?? ""])),
    memory: (bound - withBare - (withBare - empty)) / sockets,
  };
  await crowd.binder.close();
  return point;
}
