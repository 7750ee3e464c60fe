import { assert, assertEquals, assertExists } from "@std/assert";
import { describe, test } from "node:test";
import { ALICE, BOB, type FakeSocket, inHarness } from "./harness.ts";

describe("limits.sockets", () => {
  test(
    "lets no more in, and the next one in when one has gone",
    inHarness({ limits: { sockets: 2 } }, async (h) => {
      const first = await h.open();
      await h.open();
      const { refused } = await h.admit();
      assertEquals([refused?.status, refused?.headers.get("retry-after")], [503, "5"]);
      first.disconnect();
      await h.open();
      assertEquals(h.binder.stats().sockets, 2);
    }),
  );

  test(
    "holds when many are admitted before any opens",
    inHarness({ limits: { sockets: 2 } }, async (h) => {
      await h.put("s1");
      const admissions = [await h.admit(), await h.admit(), await h.admit()];
      const sockets: FakeSocket[] = [];
      for (const admission of admissions) {
        assertEquals(admission.refused, undefined);
        if (admission.refused !== undefined) return;
        const socket = h.makeSocket();
        sockets.push(socket);
        socket.opened(admission.open(socket));
        await socket.say(`bind-with-token ${await h.mint(["s1"])}`);
      }
      assertEquals(h.binder.stats().sockets, 2);
      assertEquals(sockets.map((socket) => socket.story()), [
        ["handshake s1 0"],
        ["handshake s1 0"],
        ["close 1013 too many sockets"],
      ]);
    }),
  );

  test(
    "counts who has been closed but not gone, and cuts them off",
    inHarness({ limits: { sockets: 2 } }, async (h) => {
      const rude = await h.open({ answersClose: false });
      await rude.say(new Uint8Array(1));
      await h.open();
      assertEquals((await h.admit()).refused?.status, 503);
      assertEquals(rude.terminated, false);
      await h.advance(9999);
      assertEquals(rude.terminated, false);
      await h.advance(1);
      assertEquals(rude.terminated, true);
      await h.open();
      assertEquals(h.binder.stats().sockets, 2);
    }),
  );
});

describe("a socket that was closed", () => {
  test(
    "is closed once, where the runtime cannot cut it off",
    inHarness(async (h) => {
      const rude = await h.open({ answersClose: false, withoutTerminate: true });
      await rude.say(new Uint8Array(1));
      await h.advance(300_000);
      assertEquals(rude.story(), ["close 1003"]);
      assertEquals(h.toldOf("error"), []);
    }),
  );

  test(
    "binds nothing by the token of its URL",
    inHarness({ tokenInUrl: true, limits: { sockets: 1 } }, async (h) => {
      await h.put("s1");
      const token = await h.mint(["s1"]);
      const late = await h.admit(`wss://example.org/ws?token=${token}`);
      await h.bound(["s1"]);
      h.host.calls.length = 0;
      const socket = h.makeSocket({ answersClose: false });
      assert(late.refused === undefined);
      socket.opened(late.open(socket));
      await h.settle();
      assertEquals(socket.story(), ["close 1013 too many sockets"]);
      assertEquals(h.host.calls, []);
    }),
  );
});

describe("limits.unboundSockets", () => {
  test(
    "makes the oldest give way, never one that is bound",
    inHarness({ limits: { unboundSockets: 2 } }, async (h) => {
      await h.put("s1");
      const bound = await h.bound(["s1"]);
      const first = await h.open();
      const second = await h.open();
      const third = await h.open();
      assertEquals(first.story(), ["close 1013 too many sockets without a binding"]);
      const fourth = await h.open();
      assertEquals(second.story(), ["close 1013 too many sockets without a binding"]);
      assertEquals([bound, third, fourth].map((socket) => socket.story()), [[], [], []]);
      assertEquals(h.binder.stats().sockets, 3);
      assertEquals(h.toldOf("dropped"), [{ type: "dropped", code: 1013 }, { type: "dropped", code: 1013 }]);
    }),
  );

  test(
    "counts from when a socket lost its last binding",
    inHarness({ limits: { unboundSockets: 2 } }, async (h) => {
      await h.put("s1");
      const token = await h.mint(["s1"]);
      const returned = await h.open();
      await h.bind(returned, token);
      const older = await h.open();
      await returned.say({ type: "unbind-from-token", payload: { token } });
      await h.open();
      assertEquals([older.story().length, returned.story().length], [1, 0]);
      await h.open();
      assertEquals(returned.story().length, 1);
    }),
  );
});

describe("limits.socketsPerCaller", () => {
  test(
    "refuses one too many as too-costly; others of the caller, and other callers, go on",
    inHarness({ limits: { socketsPerCaller: 2 } }, async (h) => {
      await h.put("s1");
      await h.put("s2");
      await h.put("s3", {}, BOB);
      await h.put("s4", {}, { id: "alice", tenant: "other" });
      const [first] = [await h.bound(["s1"]), await h.bound(["s1"])];
      const third = await h.open();
      assertEquals(await refusals(third, await h.mint(["s1"])), ["too-costly"]);
      assertEquals(h.toldOf("bind-refused"), [{ type: "bind-refused", code: "too-many-bindings" }]);
      await h.bind(first, await h.mint(["s2"]));
      await h.bound(["s3"], BOB);
      await h.bound(["s4"], { id: "alice", tenant: "other" });
      first.disconnect();
      assertEquals(await refusals(third, await h.mint(["s1"])), ["handshake s1 0"]);
    }),
  );

  test(
    "uses up no token when it refuses",
    inHarness({ singleUse: true, limits: { socketsPerCaller: 1 } }, async (h) => {
      await h.put("s1");
      const first = await h.bound(["s1"]);
      const token = await h.mint(["s1"]);
      const second = await h.open();
      assertEquals(await refusals(second, token), ["too-costly"]);
      first.disconnect();
      assertEquals(await refusals(second, token), ["handshake s1 0"]);
    }),
  );

  for (const singleUse of [true, false]) {
    test(
      `holds when many bind at the same time (${singleUse ? "single use" : "reusable"})`,
      inHarness({ singleUse, limits: { socketsPerCaller: 2 } }, async (h) => {
        await h.put("s1");
        const sockets: FakeSocket[] = [];
        const slow = h.host.hold(singleUse ? "redeem" : "read");
        for (let n = 0; n < 5; n++) {
          const socket = await h.open();
          sockets.push(socket);
          await socket.say(`bind-with-token ${await h.mint(["s1"])}`);
        }
        slow.release();
        await h.settle();
        assertEquals(h.binder.stats().bindings, 2);
        assertEquals(sockets.flatMap((socket) => socket.story()).sort(), [
          ...["handshake s1 0", "handshake s1 0"],
          ...["too-costly", "too-costly", "too-costly"],
        ]);
      }),
    );
  }

  async function refusals(socket: FakeSocket, token: string): Promise<string[]> {
    await socket.say(`bind-with-token ${token}`);
    return socket.story();
  }
});

describe("limits.bindingsPerSocket", () => {
  test(
    "refuses a token that would bind too many, all of it; a renewal is none more",
    inHarness({ singleUse: true, limits: { bindingsPerSocket: 2 } }, async (h) => {
      for (const id of ["s1", "s2", "s3"]) await h.put(id);
      const socket = await h.bound(["s1"]);
      const token = await h.mint(["s2", "s3"]);
      await socket.say(`bind-with-token ${token}`);
      assertEquals(socket.story(), ["too-costly"]);
      assertEquals(h.binder.stats().bindings, 1);
      await socket.say(`bind-with-token ${await h.mint(["s1", "s2"])}`);
      await socket.say(`bind-with-token ${await h.mint(["s2", "s1"])}`);
      assertEquals(socket.story(), ["handshake s1 0", "handshake s2 0", "handshake s2 0", "handshake s1 0"]);
      await h.bind(await h.open(), token).then((frames) => assertEquals(frames.length, 2));
    }),
  );
});

describe("limits.framesPerSecond", () => {
  test(
    "is averaged over ten seconds",
    inHarness({ limits: { framesPerSecond: 2 } }, async ({ open, advance, toldOf }) => {
      const socket = await open();
      await socket.say(...Array<object>(20).fill({ type: "ping" }));
      await advance(500);
      await socket.say({ type: "ping" });
      await advance(1000);
      await socket.say({ type: "ping" }, { type: "ping" });
      assertEquals(socket.story(), Array(23).fill("pong"));
      await socket.say({ type: "ping" });
      assertEquals(socket.story(), ["close 1008 too many frames"]);
      assertEquals(toldOf("dropped"), [{ type: "dropped", code: 1008 }]);
    }),
  );

  test(
    "lets who keeps to it go on for ever",
    inHarness({ limits: { framesPerSecond: 1 } }, async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      for (let n = 0; n < 100; n++) {
        await h.advance(1000);
        await socket.say({ type: "ping" });
      }
      assertEquals(socket.story(), Array(100).fill("pong"));
    }),
  );

  test(
    "saves up no more than ten seconds",
    inHarness({ limits: { framesPerSecond: 2 } }, async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      await h.advance(600_000);
      await socket.say(...Array<object>(20).fill({ type: "ping" }));
      assertEquals(socket.story(), Array(20).fill("pong"));
      await socket.say({ type: "ping" });
      assertEquals(socket.story(), ["close 1008 too many frames"]);
    }),
  );

  test(
    "gives nothing for a clock that was set back",
    inHarness({ limits: { framesPerSecond: 2 } }, async (h) => {
      const socket = await h.open();
      await socket.say(...Array<object>(20).fill({ type: "ping" }));
      h.time.setWall(-3_600_000);
      await socket.say({ type: "ping" });
      assertEquals(socket.story(), [...Array(20).fill("pong"), "close 1008 too many frames"]);
    }),
  );

  test(
    "bounds what waits behind a bind that hangs",
    inHarness({ limits: { framesPerSecond: 2 } }, async (h) => {
      const socket = await h.open();
      h.host.hang("verify");
      await socket.say("bind-with-token abc", ...Array<string>(20).fill("x".repeat(32_768)));
      assertEquals(socket.story(), ["close 1008 too many frames"]);
    }),
  );

  test(
    "counts per socket",
    inHarness({ limits: { framesPerSecond: 1 } }, async ({ open }) => {
      const sockets = [await open(), await open()];
      for (const socket of sockets) await socket.say(...Array<object>(10).fill({ type: "ping" }));
      assertEquals(sockets.map((socket) => socket.story().length), [10, 10]);
    }),
  );
});

describe("limits.frameSize", () => {
  test(
    "is what it says",
    inHarness({ limits: { frameSize: 20_000 } }, async ({ open }) => {
      const socket = await open();
      await socket.say("x".repeat(20_000), "x".repeat(20_001));
      assertEquals(socket.story(), ["close 1009"]);
    }),
  );

  test(
    "has room for the longest token at its least",
    inHarness({ limits: { frameSize: 16_512 } }, async ({ open, host }) => {
      const socket = await open();
      const token = "A".repeat(16_384);
      await socket.say(`bind-with-token: ${token}`, { type: "bind-with-token", payload: { token } });
      assertEquals(socket.story(), ["unknown", "unknown"]);
      assertExists(host.calls.find(({ name, args }) => name === "verify" && args[0] === token));
    }),
  );
});

describe("limits.refusedBinds", () => {
  for (const refusedBinds of [1, 2, 7]) {
    test(
      `closes after ${refusedBinds}`,
      inHarness({ limits: { refusedBinds } }, async ({ open }) => {
        const socket = await open();
        await socket.say(...Array<string>(refusedBinds - 1).fill("bind-with-token abc"));
        assertEquals(socket.story(), Array(refusedBinds - 1).fill("unknown"));
        await socket.say("bind-with-token abc");
        assertEquals(socket.story(), ["unknown", "close 1008 too many refusals"]);
      }),
    );
  }
});

describe("limits.bindDeadline, drainDeadline, sendBuffer", () => {
  test(
    "wake nobody up for a deadline to bind once that has been met",
    inHarness({ reconcile: 3600, limits: { bindDeadline: 10 } }, async (h) => {
      for (const id of ["s1", "s2"]) await h.put(id);
      await h.bound(["s1"]);
      await h.time.advance(300);
      await h.bound(["s2"]); // had until 10.3 seconds
      const before = h.time.fired;
      await h.time.advance(12_000);
      assertEquals(h.time.fired - before, 12); // no sleep is longer than a second
    }),
  );
  test(
    "are what they say",
    inHarness({ limits: { bindDeadline: 3, drainDeadline: 7, sendBuffer: 100 } }, async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      const unbound = await h.open();
      await h.advance(2999);
      assertEquals(unbound.story(), []);
      await h.advance(1);
      assertEquals(unbound.story(), ["close 1008 no binding"]);
      socket.bufferedAmount = 100;
      await h.notify("s1");
      assertEquals(socket.story(), ["event s1 1"]);
      socket.bufferedAmount = 101;
      await h.notify("s1");
      await h.advance(6999);
      assertEquals(socket.story(), []);
      await h.advance(1);
      assertEquals(socket.story(), ["close 1013 slow reader"]);
    }),
  );

  test(
    "a runtime that reports its drain is waited for",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"], ALICE, { reportsDrain: true });
      socket.full = true;
      await h.notify("s1");
      socket.full = false;
      await h.notify("s1");
      await h.advance(10_000);
      assertEquals(socket.story(), []);
      await socket.drain();
      assertEquals(socket.story(), ["event s1 1", "event s1 2"]);
    }),
  );

  test(
    "a slow reader that reads again in time gets all that it missed",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      socket.bufferedAmount = 2_000_000;
      for (let n = 0; n < 5; n++) await h.notify("s1");
      await h.advance(29_000);
      assertEquals(socket.story(), []);
      socket.bufferedAmount = 0;
      await h.advance(250);
      assertEquals(socket.story(), [1, 2, 3, 4, 5].map((n) => `event s1 ${n}`));
      await h.advance(60_000);
      assertEquals(socket.story(), []);
    }),
  );
});

describe("limits.maxReplay", () => {
  test(
    "cuts what a first bind asks for, and says so",
    inHarness({ limits: { maxReplay: 2 } }, async (h) => {
      await h.put("s1");
      for (let n = 0; n < 5; n++) await h.notify("s1");
      const socket = await h.open();
      await socket.say({
        type: "bind-with-token",
        payload: { token: await h.mint(["s1"]), eventsSinceNumber: { s1: "1" } },
      });
      assertEquals(socket.story(), ["handshake s1 5", "incomplete Subscription/s1", "event s1 4", "event s1 5"]);
    }),
  );
});
