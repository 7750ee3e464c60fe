// Three servers over one engine: what is minted on one, bound on another and written on the third reaches its client.
// They run at full length on Deno; `SEVERAL_EVENTS=10000` has them do so elsewhere, and print figures.

import { assertEquals, assertGreater, assertLess } from "@std/assert";
import { after, before, describe, test } from "node:test";
import process from "node:process";
import { clearBackend } from "./backend.ts";
import type { Server } from "./cluster.ts";
import { type Engine, postgresEngine, redisEngine, uniqueName } from "./engines.ts";
import { Follower } from "./follower.ts";
import { bind, follow, haveAll, NEVER, range, SERVERS, SOCKETS, startServers, WINDOW, writeAll } from "./load.ts";
import { type EngineKit, engineKits } from "./own_engine.ts";
import { type Proxy, startProxy } from "./proxy.ts";
import type { ServerConfig } from "./server.ts";

type EngineName = ServerConfig["engine"];

const EVENTS = Number(process.env.SEVERAL_EVENTS ?? ("Deno" in globalThis ? 10_000 : 600));

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

async function until(isTrue: () => boolean): Promise<void> {
  for (let attempt = 0; !isTrue(); attempt++) {
    assertLess(attempt, 1000, "it did not happen in ten seconds");
    await sleep(10);
  }
}

/** Waits until all have all, and compares with what was acknowledged. */
async function checkAll(followers: readonly Follower[], acknowledged: ReadonlyMap<number, string>): Promise<void> {
  const head = Math.max(...acknowledged.keys());
  await haveAll(followers, head);
  for (const follower of followers) {
    assertEquals(follower.focuses.length, head, `${follower}`);
    assertEquals(follower.focuses, followers[0]!.focuses);
    for (const [number, focus] of acknowledged) assertEquals(follower.focuses[number - 1], focus);
    assertEquals(follower.issues, []);
    follower.close();
  }
}

/** How much each has, once nobody gets any more. */
async function settled(followers: readonly Follower[]): Promise<number[]> {
  let [before, now]: number[][] = [];
  do {
    before = now;
    await sleep(200);
    now = followers.map(({ focuses }) => focuses.length);
  } while (`${before}` !== `${now}`);
  return now;
}

function tokenIdOf(token: string): string {
  return JSON.parse(atob(token.split(".")[1]!.replaceAll("-", "+").replaceAll("_", "/"))).jti;
}

function testEngine(engine: EngineName, url: string): void {
  const name = uniqueName();
  let proxy: Proxy;
  let servers: Server[] = [];
  before(async () => {
    const busUrl = new URL(url);
    proxy = await startProxy(Number(busUrl.port || { postgres: 5432, redis: 6379 }[engine]));
    busUrl.port = String(proxy.port);
    servers = await startServers({ engine, url, busUrl: busUrl.href, name, reconcile: NEVER });
  });
  after(async () => {
    await Promise.all(servers.map((server) => server.stop()));
    proxy.close();
    await clearBackend({ engine, url, busUrl: url, name });
  });

  test(`${EVENTS} events written on three servers reach ${SOCKETS} sockets in order and without gaps`, async () => {
    const followers = await follow(servers, "plain", SOCKETS);
    const started = performance.now();
    const acknowledged = await writeAll(() => servers, "plain", EVENTS);
    const written = performance.now();
    assertEquals(acknowledged.size, EVENTS);
    await checkAll(followers, acknowledged);
    assertEquals(followers.map(({ repeats }) => repeats), followers.map(() => 0));
    if (process.env.SEVERAL_EVENTS) report(engine, started, written);
  });

  test("events reach all sockets in order and without gaps though the bus is cut and restored twice", async () => {
    const followers = await follow(servers, "cut", SOCKETS);
    const share = Math.ceil(EVENTS / 5);
    const acknowledged = new Map<number, string>();
    async function writeShare(onWritten?: (written: number) => void): Promise<void> {
      for (const [number, focus] of await writeAll(() => servers, "cut", share, onWritten)) {
        acknowledged.set(number, focus);
      }
    }
    for (const _ of ["once", "twice"]) {
      await until(() => proxy.connections === SERVERS);
      await writeShare((written) => {
        if (written === Math.round(share / 2)) proxy.cut();
      });
      const had = await settled(followers); // who was reading the log when the bus was cut has come to its end
      await writeShare();
      assertEquals(followers.map(({ focuses }) => focuses.length), had, "nobody has heard of these");
      proxy.restore();
    }
    await writeShare();
    assertEquals(acknowledged.size, 5 * share);
    await checkAll(followers, acknowledged);
  });

  test("a single-use token that one server redeemed is refused by the others, also at the same moment", async () => {
    const { token } = await servers[0]!.mint("single-0");
    const followers = servers.map(() => new Follower("single-0"));
    await followers[1]!.bind(servers[1]!.port, token);
    for (const n of [0, 2]) await followers[n]!.bind(servers[n]!.port, token);
    assertEquals(followers.map(({ handshakes }) => handshakes), [0, 1, 0]);
    assertEquals(followers.map(({ issues }) => issues), [["unknown"], [], ["unknown"]]);
    for (const follower of followers) follower.close();
    for (const round of range(10)) {
      const { token } = await servers[round % SERVERS]!.mint("single-0");
      const rivals = servers.map(() => new Follower("single-0"));
      await Promise.all(rivals.map((rival, n) => rival.bind(servers[n]!.port, token)));
      assertEquals(rivals.map(({ handshakes }) => handshakes).sort(), [0, 0, 1]);
      for (const rival of rivals) rival.close();
    }
  });

  test("a revocation on one server ends a binding on another within a second, and no other binding", async () => {
    const { token } = await servers[1]!.mint("revoked-0");
    const [revoked, other] = [new Follower("revoked-0"), new Follower("revoked-0")];
    await revoked.bind(servers[2]!.port, token);
    await bind(other, servers, 2);
    const started = performance.now();
    await servers[0]!.revoke(tokenIdOf(token));
    await revoked.until(() => revoked.isClosed);
    assertLess(performance.now() - started, 1000);
    assertEquals([revoked.issues, other.issues, other.isClosed], [["unknown"], [], false]);
    other.close();
  });

  test("events reach all sockets, each once, though a server is killed and its clients bind elsewhere", async () => {
    const followers = await follow(servers, "killed", SOCKETS);
    let alive: readonly Server[] = servers;
    const moves: Promise<void>[] = [];
    async function killFirst(): Promise<void> {
      const [killed, ...others] = servers;
      alive = others;
      killed!.kill();
      const lost = followers.filter((_, n) => n % SERVERS === 0);
      await Promise.all(lost.map(async (follower, n) => {
        await follower.until(() => follower.isClosed);
        await bind(follower, others, n);
      }));
    }
    const acknowledged = await writeAll(() => alive, "killed", EVENTS, (written) => {
      if (written === Math.round(EVENTS / 3)) moves.push(killFirst());
    });
    await Promise.all(moves);
    // What the killed server was writing may or may not be there; this one comes after all of it.
    acknowledged.set(await alive[0]!.write("killed", EVENTS) ?? 0, `Patient/${EVENTS}`);
    assertGreater(acknowledged.size, EVENTS - WINDOW);
    await checkAll(followers, acknowledged);
    assertEquals(followers.map(({ handshakes }) => handshakes), followers.map((_, n) => n % SERVERS === 0 ? 2 : 1));
  });
}

/** The figures of a full run, for people. */
function report(engine: EngineName, started: number, written: number): void {
  const [writing, all] = [written - started, performance.now() - started];
  console.log(
    `${engine}: ${EVENTS} events to ${SOCKETS} sockets: written at ${Math.round(EVENTS / writing * 1000)}/s, ` +
      `${Math.round(EVENTS * SOCKETS / all * 1000)} frames/s, all there ${Math.round(all - writing)} ms after the last`,
  );
}

function testRestart(engine: EngineName, kit: EngineKit & { readonly skip?: never }): void {
  test("nothing is lost when the engine is restarted, and there is a 503 meanwhile", async () => {
    const own = await kit.make();
    let servers: Server[] = [];
    try {
      servers = await startServers({ engine, url: own.url, busUrl: own.url, name: uniqueName(), reconcile: 1 });
      const followers = await follow(servers, "restart", 9);
      const [{ token }, { token: used }] = [await servers[0]!.mint("restart-0"), await servers[0]!.mint("restart-0")];
      const again = new Follower("restart-0");
      await again.bind(servers[0]!.port, used);
      again.close();
      const before = await writeAll(() => servers, "restart", 100);
      const during = writeAll(() => servers, "restart", 300);
      await own.crash();
      assertEquals((await servers[0]!.mint("restart-0")).status, 503);
      assertEquals(await servers[1]!.write("restart", 1000), undefined);
      const late = new Follower("restart-0");
      await late.bind(servers[2]!.port, token);
      assertEquals(late.issues, ["no-store"]);
      await own.start();
      const crashed = await during;
      for (const server of servers) while (await server.write("restart", 2000) === undefined) await sleep(20);
      const after = await writeAll(() => servers, "restart", 100);
      assertEquals((await servers[0]!.mint("restart-0")).status, 200);
      await again.bind(servers[1]!.port, used);
      assertEquals([again.handshakes, again.issues], [1, ["unknown"]]);
      await late.bind(servers[1]!.port, token); // it was not used up
      late.issues.length = 0;
      assertEquals([before.size, after.size], [100, 100]);
      await checkAll([...followers, late], new Map([...before, ...crashed, ...after]));
    } finally {
      await Promise.all(servers.map((server) => server.stop()));
      await own.remove();
    }
  });
}

const engines: { readonly [engine in EngineName]: Engine } = { postgres: postgresEngine, redis: redisEngine };

for (const name of ["postgres", "redis"] as const) {
  const { url, skip } = engines[name];
  // The reason is also in the name, since Deno does not report it.
  if (skip) test(`three servers on ${name}: ${skip}`, { skip }, () => {});
  else describe(`three servers on ${name}`, () => testEngine(name, url));
  const kit = engineKits[name];
  if (kit.skip !== undefined) {
    test(`three servers on a ${name} of their own: ${kit.skip}`, { skip: kit.skip }, () => {});
  } else describe(`three servers on a ${name} of their own`, () => testRestart(name, kit));
}
