// What three server processes write round robin and deliver to their sockets.

import { follow, haveAll, NEVER, SOCKETS, startServers, writeAll } from "../../../tests/several/load.ts";
import { engineOf, type Place, repeat } from "./place.ts";

const EVENTS = 1500;
const ROUNDS = 5;

/** Events per second, from the first write until every socket has all. */
export async function measureServers(place: Place): Promise<number[]> {
  const servers = await startServers({ ...place, engine: engineOf(place), reconcile: NEVER });
  const followers = await follow(servers, "sizing", SOCKETS);
  let total = 0;
  const figures = await repeat(ROUNDS, async () => {
    const start = performance.now();
    const { size } = await writeAll(() => servers, "sizing", EVENTS);
    if (size < EVENTS) throw new Error(`Cannot measure: ${EVENTS - size} events were not written`);
    await haveAll(followers, total += EVENTS);
    return EVENTS * 1000 / (performance.now() - start);
  });
  for (const follower of followers) follower.close();
  await Promise.all(servers.map((server) => server.stop()));
  return figures;
}
