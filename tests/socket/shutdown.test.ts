// What a binder costs before its first socket and after its last, and how it ends.

import { assert, assertEquals, assertGreater } from "@std/assert";
import { describe, mock, test } from "node:test";
import { ALICE, EVENT, type FakeSocket, inHarness } from "./harness.ts";

describe("createSocketBinder", () => {
  test(
    "is pure: no timer, randomness or call of the host before the first socket",
    inHarness(async (h) => {
      const random = [mock.method(crypto, "randomUUID"), mock.method(crypto, "getRandomValues")];
      const sibling = h.sibling({ tokenInUrl: true });
      sibling.binder.stats();
      assertEquals((await sibling.admit()).refused, undefined);
      await sibling.settle();
      assertEquals(random.map((method) => method.mock.callCount()), [0, 0]);
      for (const method of random) method.mock.restore();
      assertEquals([h.time.armed, sibling.host.calls, sibling.told], [0, [], []]);
      await sibling.open();
      assertEquals(h.time.armed, 1);
    }),
  );

  test(
    "listens to the bus at the first bind, once",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.open();
      await socket.say("nonsense", { type: "ping" });
      assertEquals(h.host.count("listen"), 0);
      for (let n = 0; n < 3; n++) await h.bound(["s1"]);
      assertEquals(h.host.count("listen"), 1);
    }),
  );
});

describe("timers", () => {
  test(
    "are one for all sockets, and none without a socket",
    inHarness(async (h) => {
      for (const id of ["s1", "s2"]) await h.put(id, { heartbeatPeriod: 10 });
      assertEquals(h.time.armed, 0);
      const sockets: FakeSocket[] = [];
      for (let n = 0; n < 20; n++) {
        sockets.push(await h.bound(["s1", "s2"]));
        assertEquals(h.time.armed, 1);
      }
      await h.advance(60_000);
      assertEquals(h.time.armed, 1);
      for (const socket of sockets.slice(1)) socket.disconnect();
      await h.advance(60_000);
      assertEquals(h.time.armed, 1);
      sockets[0]?.disconnect();
      assertEquals(h.time.armed, 0);
    }),
  );

  test(
    "come back with the next socket",
    inHarness(async (h) => {
      await h.put("s1", { heartbeatPeriod: 10 });
      for (let n = 0; n < 3; n++) {
        const socket = await h.bound(["s1"]);
        await h.advance(10_000);
        assertEquals(socket.story(), ["heartbeat s1 0"]);
        socket.disconnect();
        assertEquals(h.time.armed, 0);
      }
    }),
  );

  test(
    "are none when the last socket goes while a round is under way",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      const heads = h.host.hold("heads");
      await h.advance(5000);
      assertEquals(heads.waiting, 1);
      socket.disconnect();
      heads.release();
      await h.settle();
      assertEquals(h.time.armed, 0);
      const next = await h.bound(["s1"]);
      h.host.deafen();
      await h.notifier.notify(["s1"], EVENT);
      await h.advance(5000);
      assertEquals(next.story(), ["event s1 1"]);
    }),
  );

  test(
    "do not keep the clock busy: an idle minute costs few wake-ups",
    inHarness(async (h) => {
      await h.put("s1");
      await h.bound(["s1"], ALICE, { lifetime: 7200, withoutPing: true });
      const { setTimeout } = globalThis;
      let wakeUps = 0;
      // By hand: on Bun a mocked global leaves its traces in the tests that follow.
      globalThis.setTimeout = ((...args: Parameters<typeof setTimeout>) => {
        wakeUps++;
        return setTimeout(...args);
      }) as typeof setTimeout; // Node's has more members than are called
      try {
        await h.advance(60_000);
      } finally {
        globalThis.setTimeout = setTimeout;
      }
      assert(wakeUps < 80, `${wakeUps} in a minute`);
    }),
  );
});

describe("close", () => {
  test(
    "without drain closes all with 1001 at once, ends every binding and stops listening",
    inHarness(async (h) => {
      await h.put("s1");
      const sockets = [await h.bound(["s1"]), await h.bound(["s1"]), await h.open()];
      await h.binder.close();
      for (const socket of sockets) assertEquals(socket.story(), ["close 1001 going away"]);
      assertEquals(h.toldOf("ended").map(({ reason }) => reason), ["closed", "closed"]);
      assertEquals([h.time.armed, h.binder.stats().sockets], [0, 0]);
      h.host.calls.length = 0;
      await h.notify("s1");
      assertEquals(h.host.count("hear"), 0);
    }),
  );

  test(
    "with drain spreads 1001 over that time, and what is open goes on until then",
    inHarness(async (h) => {
      await h.put("s1");
      const sockets: FakeSocket[] = [];
      for (let n = 0; n < 10; n++) sockets.push(await h.bound(["s1"]));
      let done = false;
      const closing = h.binder.close({ drain: 10 }).then(() => done = true);
      const open = () => sockets.filter(({ closing }) => closing === undefined).length;
      const left: number[] = [];
      for (let n = 0; n < 10; n++) {
        await h.advance(n === 0 ? 0 : 1000);
        left.push(open());
      }
      assertEquals(left, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
      await closing;
      assert(done);
      assertEquals(sockets.map(({ closing }) => closing?.code), Array(10).fill(1001));
      assertEquals(h.time.armed, 0);
    }),
  );

  test(
    "waits for the same end as a call before it, and may hurry",
    inHarness(async (h) => {
      await h.put("s1");
      const sockets = [await h.bound(["s1"]), await h.bound(["s1"]), await h.bound(["s1"])];
      const done: string[] = [];
      void h.binder.close({ drain: 30 }).then(() => done.push("first"));
      void h.binder.close({ drain: 60 }).then(() => done.push("slower"));
      await h.advance(10_000);
      assertEquals(sockets.map(({ closing }) => closing?.code), [1001, 1001, undefined]);
      assertEquals(done, []);
      void h.binder.close().then(() => done.push("faster"));
      await h.settle();
      assertEquals(sockets.map(({ closing }) => closing?.code), [1001, 1001, 1001]);
      assertEquals(done, ["first", "slower", "faster"]);
      assertEquals([h.time.armed, h.binder.stats().sockets], [0, 0]);
      await h.binder.close();
    }),
  );

  test(
    "delivers to those still open while it drains",
    inHarness(async (h) => {
      await h.put("s1", { heartbeatPeriod: 2 });
      const sockets = [await h.bound(["s1"]), await h.bound(["s1"])];
      const closing = h.binder.close({ drain: 10 });
      await h.advance(1000);
      await h.notify("s1");
      await h.advance(2000);
      assertEquals(sockets.map((socket) => socket.story()), [
        ["close 1001 going away"],
        ["event s1 1", "heartbeat s1 1"],
      ]);
      await h.advance(2000);
      await closing;
      assertEquals(sockets[1]?.closing?.code, 1001);
    }),
  );

  test(
    "refuses new sockets meanwhile and after, with 503 and Retry-After; one admitted before is closed at open",
    inHarness(async (h) => {
      await h.open();
      const admitted = await h.admit();
      const closing = h.binder.close({ drain: 5 });
      for (const after of [0, 3000, 10_000]) {
        await h.advance(after);
        const { refused } = await h.admit();
        assertEquals([refused?.status, refused?.headers.get("retry-after")], [503, "5"]);
      }
      await closing;
      const late = h.makeSocket();
      assert(admitted.refused === undefined);
      late.opened(admitted.open(late));
      await h.settle();
      assertEquals(late.story(), ["close 1001 going away"]);
    }),
  );

  test(
    "cuts who does not answer within a second",
    inHarness(async (h) => {
      const rude = await h.open({ answersClose: false });
      const closing = h.binder.close();
      await h.advance(999);
      assertEquals(rude.terminated, false);
      await h.advance(1);
      assertEquals(rude.terminated, true);
      await closing;
      assertEquals(h.time.armed, 0);
    }),
  );

  test(
    "does not wait for ever for who can be neither closed nor cut",
    inHarness(async (h) => {
      await h.open({ answersClose: false, withoutTerminate: true });
      let done = false;
      const closing = h.binder.close().then(() => done = true);
      await h.advance(1000);
      assert(done);
      await closing;
      assertEquals(h.time.armed, 0, "nor does a timer");
    }),
  );

  test(
    "may be called twice, and without any socket ever",
    inHarness(async (h) => {
      await h.sibling().binder.close();
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      const both = Promise.all([h.binder.close(), h.binder.close({ drain: 5 })]);
      await h.advance(10_000);
      await both;
      await h.binder.close();
      assertEquals(socket.story(), ["close 1001 going away"]);
    }),
  );

  test(
    "ends a bind under way: its token may be used up, but nothing is bound",
    inHarness({ singleUse: true }, async (h) => {
      await h.put("s1");
      const socket = await h.open();
      const redeem = h.host.hold("redeem");
      await socket.say(`bind-with-token ${await h.mint(["s1"])}`);
      await h.binder.close();
      redeem.release();
      await h.settle();
      assertEquals(socket.story(), ["close 1001 going away"]);
      assertEquals(h.toldOf("bound"), []);
    }),
  );

  test(
    "of one process leaves another's sockets alone",
    inHarness(async (h) => {
      await h.put("s1");
      const other = h.sibling();
      const [here, there] = [await h.bound(["s1"]), await other.bound(["s1"])];
      await h.binder.close();
      await h.notify("s1");
      assertEquals([here.story(), there.story()], [["close 1001 going away"], ["event s1 1"]]);
      assertGreater(other.host.count("hear"), 0);
    }),
  );
});
