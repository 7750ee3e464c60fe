// What several servers are put to: clients on each of them, and events written round robin.

import { type Server, startServer, SUBSCRIPTIONS_PER_GROUP } from "./cluster.ts";
import { Follower } from "./follower.ts";
import type { ServerConfig } from "./server.ts";

export const SERVERS = 3;
export const SOCKETS = 30;

/** Events on their way at the same time. */
export const WINDOW = 24;

/** Seconds, longer than any test: what comes is brought by the bus and by nothing else. */
export const NEVER = 3600;

export function range(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n);
}

export async function startServers(config: Omit<ServerConfig, "secret">): Promise<Server[]> {
  const secret = crypto.randomUUID().replaceAll("-", "").repeat(2);
  return await Promise.all(range(SERVERS).map(() => startServer({ ...config, secret })));
}

/** Followers of a group, spread over the servers, each with a token that another server minted. */
export async function follow(servers: readonly Server[], group: string, count: number): Promise<Follower[]> {
  return await Promise.all(
    range(count).map(async (n) => {
      const follower = new Follower(`${group}-${n % SUBSCRIPTIONS_PER_GROUP}`);
      await bind(follower, servers, n);
      return follower;
    }),
  );
}

export async function bind(follower: Follower, servers: readonly Server[], n: number): Promise<void> {
  const { token } = await servers[(n + 1) % servers.length]!.mint(follower.subscription);
  await follower.bind(servers[n % servers.length]!.port, token);
}

/** Writes events round robin, some at a time; the focus of each number that was acknowledged. */
export async function writeAll(
  servers: () => readonly Server[],
  group: string,
  count: number,
  onWritten: (written: number) => void = () => {},
): Promise<Map<number, string>> {
  const acknowledged = new Map<number, string>();
  let next = 0;
  let written = 0;
  await Promise.all(
    range(WINDOW).map(async () => {
      while (next < count) {
        const n = next++;
        const alive = servers();
        const number = await alive[n % alive.length]!.write(group, n).catch(() => undefined); // killed meanwhile
        if (number !== undefined) acknowledged.set(number, `Patient/${n}`);
        onWritten(++written);
      }
    }),
  );
  return acknowledged;
}

/** Resolves when all have so many events. */
export async function haveAll(followers: readonly Follower[], events: number): Promise<void> {
  await Promise.all(followers.map((follower) => follower.until(() => follower.focuses.length >= events)));
}
