// The life of a client: it connects, binds, does what comes to its mind, and connects again when that has cost it the socket.

import { type Client, connect, count, createClient, type Herd, pause, renew } from "./client.ts";
import { DEEDS } from "./deeds.ts";
import type { Follower } from "./plan.ts";

/** Milliseconds for a client to catch up with everything at the end. */
const CATCHING_UP = 60_000;

/** Lives until the herd stops, then catches up with `heads` and leaves. */
export async function live(
  herd: Herd,
  follower: Follower,
  random: () => number,
  heads: Promise<ReadonlyMap<string, number>>,
): Promise<void> {
  await pause(herd, random() * 3000);
  const client = await createClient(herd, follower, random);
  while (!herd.stopping.aborted) {
    if (client.wire.code !== undefined) await connect(client);
    if (client.wire.ledger.bound.length === 0) await renew(client, follower.ids);
    await Promise.race([pause(herd, 1000 + random() * 8000), client.wire.closed]);
    if (herd.stopping.aborted || client.wire.code !== undefined) continue;
    const deed = pick(DEEDS, random, follower.isSlow);
    count(herd, deed.name);
    client.deed = deed.name;
    await deed.run(client);
  }
  await catchUp(client, await heads);
  client.wire.close();
  await client.wire.closed;
}

/** Nothing is lost when everything that was followed has come to its end. */
async function catchUp(client: Client, heads: ReadonlyMap<string, number>): Promise<void> {
  function missing(): string[] {
    return [...client.next].filter(([id, next]) => next <= (heads.get(id) ?? 0)).map(([id]) => id);
  }
  const end = Date.now() + CATCHING_UP;
  while (missing().length > 0 && Date.now() < end) {
    if (client.wire.code !== undefined) await connect(client);
    const { wire } = client;
    const unbound = missing().filter((id) => !wire.ledger.bound.includes(id));
    if (unbound.length > 0) await renew(client, unbound, true);
    const isOver = () => missing().every((id) => !wire.ledger.bound.includes(id));
    await wire.reaches(isOver, end - Date.now());
  }
  for (const id of missing()) {
    client.watcher.violated(`${id} was left at event ${(client.next.get(id) ?? 0) - 1} of ${heads.get(id)}`);
  }
}

function pick(deeds: typeof DEEDS, random: () => number, isSlow: boolean): (typeof DEEDS)[number] {
  const weights = deeds.map(({ weight, slowWeight = weight }) => isSlow ? slowWeight : weight);
  let left = random() * weights.reduce((sum, weight) => sum + weight, 0);
  const n = weights.findIndex((weight) => (left -= weight) < 0);
  const deed = deeds[n] ?? deeds[0];
  if (deed === undefined) throw new Error("Cannot pick: there is nothing to do");
  return deed;
}
