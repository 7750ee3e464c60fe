// Whatever happens in whatever order: what a client sees is a sequence without gaps between a handshake and an end.

import { createMemoryBus, createMemoryEventLog } from "@fhir-ws/binding/storage/memory";
import { assert, assertEquals, assertGreaterOrEqual } from "@std/assert";
import fc from "fast-check";
import { describe, test } from "node:test";
import type { Callback } from "./fake_host.ts";
import { createCrowd, type Crowd, mintPlain } from "../tools/crowd.ts";
import { recordCollections } from "../tools/collections.ts";
import { intercept } from "../tools/gates.ts";
import {
  ALICE,
  EVENT,
  FakeSocket,
  FakeTime,
  type Harness,
  type HarnessOptions,
  inHarness,
  makeSubscription,
  type ServerFrame,
} from "./harness.ts";
import { readServerFrame } from "./server_frame.ts";

/** The same on every machine and every run: what a run finds can be run again. */
const SEED = 20_300_101;
const RUNS = 200;
const IDS = ["s1", "s2"] as const;
const SOCKETS = [0, 1, 2];
const SUBSCRIPTIONS = Array.from({ length: 10 }, (_, n) => `s${n}`);
/** How the news of an end begins. */
const ENDED = "The binding has ended";

type Id = typeof IDS[number];

/** A token as the test knows it; times are in milliseconds. */
interface Minted {
  readonly token: string;
  readonly jti: string;
  readonly ids: readonly Id[];
  readonly expiresAt: number;
  /** After this nothing may come by it, whatever it says. */
  deadAt: number;
}

/** What one client has seen, checked as it comes. */
class Witness {
  readonly socket: FakeSocket;
  readonly tokens: Minted[] = [];
  /** The number that comes next, by Subscription, while it is bound. */
  readonly next = new Map<string, number>();
  readonly #now: () => number;

  /** What is wrong goes into `wrong`: the library catches what a socket throws. */
  constructor(socket: FakeSocket, now: () => number, wrong: unknown[]) {
    this.socket = socket;
    this.#now = now;
    socket.send = (text) => {
      const taken = FakeSocket.prototype.send.call(socket, text);
      try {
        if (taken !== false) this.#see(readServerFrame(text));
      } catch (cause) {
        wrong.push(cause);
      }
      return taken;
    };
  }

  get isOpen(): boolean {
    return this.socket.closing === undefined && !this.socket.gone;
  }

  #see(frame: ServerFrame): void {
    if (frame.kind === "outcome") {
      for (const { details, diagnostics = "" } of frame.issues) this.#hear(details.text, diagnostics.slice(13));
    }
    if (frame.kind !== "notification") return;
    const { type, subscription, count, events } = frame;
    const next = this.next.get(subscription);
    if (type === "handshake") {
      assertGreaterOrEqual(Number(count) + 1, next ?? 0, "numbers never go back");
      if (next === undefined) this.next.set(subscription, Number(count) + 1);
      return;
    }
    assert(next !== undefined, `${type} of ${subscription} outside of a binding`);
    const numbers = events.map(({ number }) => Number(number));
    assertEquals(numbers, numbers.map((_, n) => next + n), "each event once and in order");
    this.next.set(subscription, next + numbers.length);
    assert(
      this.tokens.some(({ ids, expiresAt, deadAt }) =>
        ids.some((id) => id === subscription) && this.#now() < Math.min(expiresAt, deadAt)
      ),
      "a token that lives",
    );
  }

  #hear(text: string, id: string): void {
    if (text.startsWith(ENDED)) this.next.delete(id);
    const [, first, last] = /^Events (\d+) to (\d+) are not kept any more$/.exec(text) ?? [];
    if (first === undefined) return;
    assertEquals(Number(first), this.next.get(id));
    this.next.set(id, Number(last) + 1);
  }
}

/** A world with a bus and stores that do as they are told, and the clients in it. */
interface Scene {
  readonly h: Harness;
  readonly witnesses: Witness[];
  readonly minted: Minted[];
  readonly wrong: unknown[];
  bus: "works" | "loses" | "doubles" | "is late";
  readonly late: (() => void)[];
  /** Something fails or hangs: nobody knows when a frame is handled. */
  troubled: boolean;
}

type Deed = (scene: Scene) => Promise<void> | void;

function named(name: string, deed: Deed): Deed & { toString(): string } {
  return Object.assign(deed, { toString: () => name, [fc.toStringMethod]: () => name });
}

const ids = fc.constantFrom<readonly Id[]>(["s1"], ["s2"], ["s1", "s2"]);
const id = fc.constantFrom(...IDS);
const socketNumber = fc.constantFrom(...SOCKETS);

const bind = fc.record({
  n: socketNumber,
  ids,
  lifetime: fc.constantFrom(20, 120, 3600),
  dialect: fc.constantFrom("text", "json"),
}).map(({ n, ids, lifetime, dialect }) =>
  named(`bind ${n} ${ids} ${lifetime} ${dialect}`, async (scene) => {
    const { h, witnesses, minted } = scene;
    const witness = await openAt(scene, n);
    const jti = `jti-${minted.length}`;
    const token = await h.mint(ids, ALICE, { id: jti, lifetime });
    const expiresAt = Math.floor(h.time.now() / 1000) * 1000 + lifetime * 1000;
    const one: Minted = { token, jti, ids, expiresAt, deadAt: Infinity };
    minted.push(one);
    witnesses[n] = witness;
    witness.tokens.push(one);
    const payload = { type: "bind-with-token", payload: { token } };
    await witness.socket.say(dialect === "text" ? `bind-with-token ${token}` : payload);
  })
);

const rebind = socketNumber.map((n) =>
  named(`rebind ${n}`, async ({ witnesses }) => {
    const witness = witnesses[n];
    const last = witness?.tokens.at(-1);
    if (witness?.isOpen && last) await witness.socket.say(`bind-with-token ${last.token}`);
  })
);

const unbind = socketNumber.map((n) =>
  named(`unbind ${n}`, async ({ witnesses, troubled }) => {
    const witness = witnesses[n];
    if (!witness?.isOpen || troubled) return;
    for (const { token } of witness.tokens.toReversed()) {
      await witness.socket.say({ type: "unbind-from-token", payload: { token } });
    }
    witness.next.clear();
  })
);

const disconnect = socketNumber.map((n) =>
  named(`disconnect ${n}`, ({ witnesses }) => witnesses[n]?.socket.disconnect())
);

const notify = fc.tuple(ids, fc.integer({ min: 1, max: 6 })).map(([ids, times]) =>
  named(`notify ${ids} ${times}`, async ({ h }) => {
    for (let n = 0; n < times; n++) await h.notify(ids);
  })
);

const change = fc.tuple(
  id,
  fc.constantFrom("active", "active", "error", "off"),
  fc.boolean(),
  fc.integer({ min: 1, max: 3 }),
)
  .map(([id, status, told, maxCount]) =>
    named(`${id} is ${status}, at most ${maxCount}${told ? "" : ", and nobody is told"}`, async ({ h }) => {
      await h.put(id, { status, maxCount });
      if (told) await h.notifier.changed(id);
      await h.settle();
    })
  );

const remove = id.map((id) =>
  named(`${id} is deleted`, async ({ h }) => {
    await h.subscriptions.delete(id, ALICE);
    await h.notifier.deleted(id);
    await h.settle();
  })
);

const revoke = fc.constantFrom("token", "subscription", "caller").chain((what) =>
  id.map((id) =>
    named(`revoke ${what} ${id}`, async (scene) => {
      const { h, minted, bus } = scene;
      const last = minted.at(-1);
      if (what === "token" && last === undefined) return;
      const dying = minted.filter((one) =>
        what === "caller" || what === "token" && one === last || what === "subscription" && one.ids.join() === id
      );
      await h.notifier.revoke(
        what === "caller" ? { caller: "alice" } : what === "token" ? { token: last?.jti ?? "" } : { subscription: id },
      );
      // A lost message is made up for by the next round, which a store that hangs can hold up for a while.
      for (const one of dying) one.deadAt = Math.min(one.deadAt, h.time.now() + (bus === "works" ? 0 : 120_000));
      await h.settle();
    })
  )
);

const trouble = fc.tuple(
  fc.constantFrom<Callback>("read", "heads", "log", "surviving", "verify"),
  fc.constantFrom("throws", "rejects", "hangs", "is slow"),
).map(([name, how]) =>
  named(`${name} ${how}`, (scene) => {
    const { host } = scene.h;
    scene.troubled = true;
    if (how === "hangs") host.hang(name);
    else if (how === "is slow") host.slow(name, 700);
    else host.fail(name, new Error("down"), how === "throws" ? "throws" : "rejects");
  })
);

const heal = fc.constant(named("all is well again", healAll));

const busMode = fc.constantFrom<Scene["bus"]>("works", "loses", "doubles", "is late").map((mode) =>
  named(`the bus ${mode}`, (scene) => setBus(scene, mode))
);

const stall = fc.tuple(socketNumber, fc.boolean()).map(([n, takes]) =>
  named(`${n} ${takes ? "is slow" : "takes nothing"}`, ({ witnesses }) => {
    const socket = witnesses[n]?.socket;
    if (socket === undefined) return;
    if (takes) socket.bufferedAmount = 2 ** 21;
    else socket.full = true;
  })
);

const drain = socketNumber.map((n) => named(`${n} drains`, ({ witnesses }) => drainOne(witnesses[n])));

const advance = fc.constantFrom(0, 1, 250, 700, 4999, 5000, 12_000, 61_000).map((milliseconds) =>
  named(`${milliseconds} ms pass`, ({ h }) => h.advance(milliseconds))
);

const setWall = fc.constantFrom(-40_000, -1000, 1000, 40_000).map((milliseconds) =>
  named(`the clock is set by ${milliseconds} ms`, ({ h }) => h.time.setWall(milliseconds))
);

/** Two things at once: the second begins while the first is on its way. */
const together = fc.tuple(fc.oneof(bind, rebind), fc.oneof(notify, change, remove, revoke, advance)).map((
  [first, second],
) =>
  named(`${first} while ${second}`, async (scene) => {
    await Promise.all([first(scene), second(scene)]);
  })
);

const deeds = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: bind },
    { weight: 4, arbitrary: together },
    { weight: 8, arbitrary: notify },
    { weight: 6, arbitrary: advance },
    { weight: 3, arbitrary: trouble },
    { weight: 3, arbitrary: heal },
    { weight: 2, arbitrary: busMode },
    { weight: 2, arbitrary: change },
    { weight: 2, arbitrary: stall },
    { weight: 2, arbitrary: drain },
    rebind,
    unbind,
    disconnect,
    remove,
    revoke,
    setWall,
  ),
  { minLength: 5, maxLength: 50, size: "max" },
);

async function openAt({ h, witnesses, wrong }: Scene, n: number): Promise<Witness> {
  const known = witnesses[n];
  if (known?.isOpen) return known;
  return new Witness(await h.open({ reportsDrain: n === 0 }), h.time.now, wrong);
}

async function healAll(scene: Scene): Promise<void> {
  const { h } = scene;
  h.host.healAll();
  listen(scene);
  await h.advance(16_000); // what hangs is given up, one call after the other
  scene.troubled = false;
}

function listen(scene: Scene): void {
  intercept(scene.h.host, (pass) => {
    if (scene.bus === "loses") return;
    if (scene.bus === "is late") return void scene.late.push(pass);
    if (scene.bus === "doubles") pass();
    pass();
  });
}

async function setBus(scene: Scene, mode: Scene["bus"]): Promise<void> {
  scene.bus = mode;
  for (const hear of scene.late.splice(0).reverse()) hear();
  await scene.h.settle();
}

async function drainOne(witness: Witness | undefined): Promise<void> {
  if (witness?.isOpen) await witness.socket.drain();
}

/** In the end every store works, every reader reads, every Subscription is there, and some time has passed. */
async function end(scene: Scene): Promise<void> {
  const { h, witnesses } = scene;
  await setBus(scene, "works");
  for (const id of IDS) await h.put(id);
  await healAll(scene);
  for (const witness of witnesses) await drainOne(witness);
  await h.advance(30_000);
  const bound = witnesses.filter(({ isOpen }) => isOpen).flatMap(({ next }) => [...next]);
  assertEquals(h.binder.stats().bindings, bound.length, "client and server agree on what is bound");
  for (const [id, next] of bound) {
    const [head] = await h.log.heads([JSON.stringify([h.base, null, id])]);
    assertEquals(next - 1, head, `all of ${id} has been received`);
  }
}

async function play(deeds: readonly Deed[], options: HarnessOptions): Promise<void> {
  const limits = { framesPerSecond: 1000, refusedBinds: 1000, bindDeadline: 3600 };
  await inHarness({ limits, ...options }, async (h) => {
    const scene: Scene = { h, witnesses: [], minted: [], wrong: [], bus: "works", late: [], troubled: false };
    for (const id of IDS) await h.put(id);
    listen(scene);
    for (const deed of deeds) await deed(scene);
    await end(scene);
    for (const cause of scene.wrong) throw cause;
  })();
}

describe("whatever happens, events come once, in order, between a handshake and an end", () => {
  const worlds: readonly { readonly name: string; readonly options: HarnessOptions }[] = [
    { name: "by default", options: {} },
    { name: "of a log that keeps five, by tokens that bind once", options: { maxEvents: 5, singleUse: true } },
    { name: "asked about one by one, access read every second", options: { mayReceive: () => true, recheck: 1 } },
  ];
  for (const { name, options } of worlds) {
    test(name, async () => {
      await fc.assert(
        fc.asyncProperty(deeds, (deeds) => play(deeds, options)),
        { seed: SEED, numRuns: RUNS },
      );
    });
  }
});

/** A crowd, and the sizes of all maps that its binder was made with, those that hold something. */
function createRecorded(options: Parameters<typeof createCrowd>[0]): [Crowd, () => number[]] {
  const world = { events: createMemoryEventLog(), bus: createMemoryBus() };
  const { made, collections } = recordCollections(() => createCrowd({ ...world, ...options }));
  return [made, () => collections.map(({ size }) => size).filter((size) => size > 0)];
}

function inFakeTime(run: (time: FakeTime) => Promise<void>): () => Promise<void> {
  return async () => {
    const time = new FakeTime();
    const leave = time.install();
    try {
      await run(time);
      assertEquals(time.armed, 0, "no timer is left");
    } finally {
      leave();
    }
  };
}

describe("no map holds anything", () => {
  const CYCLES = 100_000;
  const SOCKETS = 100;

  test(
    `after ${CYCLES} binds and unbinds`,
    inFakeTime(async (time) => {
      const [crowd, sizes] = createRecorded({ time });
      const counters = await Promise.all(Array.from({ length: SOCKETS }, () => crowd.open()));
      const mints = Array.from(
        { length: 20 },
        (_, n) => mintPlain(time, [`s${n % 10}`], { id: "alice", claims: { n } }),
      );
      const tokens = await Promise.all(mints);
      for (let n = 0; n < CYCLES / SOCKETS; n++) {
        const token = tokens[n % tokens.length];
        for (const { session } of counters) {
          session.receive(`bind-with-token ${token}`);
          session.receive(JSON.stringify({ type: "unbind-from-token", payload: { token } }));
        }
        if (n % 50 === 0) await time.advance(100);
      }
      await time.advance(1000);
      for (const { handshakes, wrong } of counters) assertEquals([handshakes, wrong], [CYCLES / SOCKETS, undefined]);
      // What is known of sockets that are not bound: themselves twice, whose they were, and until when they may go on
      // so, which is one time for all and another for the next look at the log.
      assertEquals(sizes().sort((a, b) => a - b), [1, 2, SOCKETS, SOCKETS]);
      for (const { session } of counters) session.closed();
      assertEquals(sizes(), []);
      await crowd.binder.close();
    }),
  );

  const ends = [
    "the socket closes",
    "the token expires",
    "the Subscription goes off",
    "the lookup fails",
    "the log fails",
  ];
  for (const end of ends) {
    test(
      `when ${end}`,
      inFakeTime(async (time) => {
        const state = { status: "active", read: true, log: true };
        const log = createMemoryEventLog();
        const [crowd, sizes] = createRecorded({
          time,
          bus: { publish: () => {}, listen: () => () => {} },
          events: {
            ...log,
            read: (...args) => state.log ? log.read(...args) : Promise.reject(new Error("down")),
            heads: (...args) => state.log ? log.heads(...args) : Promise.reject(new Error("down")),
          },
          subscriptions: {
            read: (id) => state.read ? makeSubscription(id, "R5", state) : Promise.reject(new Error("down")),
          },
        });
        const counters = await Promise.all(Array.from({ length: SOCKETS }, () => crowd.open()));
        for (const [n, counter] of counters.entries()) {
          await crowd.bind(counter, await mintPlain(time, ["s1", `s${n % 7}`], { id: `user-${n % 3}` }));
        }
        await crowd.notifier.notify(["s1", "s2"], EVENT);
        if (end === "the socket closes") { for (const { session } of counters) session.closed(); }
        if (end === "the token expires") time.setWall(86_400_000);
        if (end === "the Subscription goes off") state.status = "off";
        if (end === "the lookup fails") state.read = false;
        if (end === "the log fails") state.log = false;
        for (let n = 0; n < 40; n++) {
          if (state.log) await crowd.notifier.notify(SUBSCRIPTIONS, EVENT);
          await time.advance(5000);
        }
        if (end === "the log fails") { for (const { session } of counters) session.closed(); }
        assertEquals(crowd.binder.stats(), { sockets: 0, bindings: 0, subscriptions: 0 });
        assertEquals(sizes(), []);
        await crowd.binder.close();
      }),
    );
  }
});
