import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { describe, test } from "node:test";
import { ALICE, type FakeSocket, FHIR_VERSIONS, type Harness, inHarness } from "./harness.ts";

/** What the socket hears in each of some spans of as many milliseconds. */
async function listen(h: Harness, socket: FakeSocket, spans: number, milliseconds: number): Promise<string[][]> {
  const heard: string[][] = [];
  for (let n = 0; n < spans; n++) {
    await h.advance(milliseconds);
    heard.push(socket.story());
  }
  return heard;
}

describe("heartbeats", () => {
  for (const fhirVersion of FHIR_VERSIONS) {
    for (const dialect of ["text", "json"] as const) {
      test(
        `come once per period in ${fhirVersion} ${dialect}, and none for who did not ask`,
        inHarness({ fhirVersion }, async (h) => {
          await h.put("s1", { heartbeatPeriod: 10 });
          await h.put("s2");
          const socket = await h.bound(["s1", "s2"], ALICE, { dialect });
          await h.advance(9_999);
          assertEquals(socket.story(), []);
          await h.advance(1);
          assertEquals(socket.story(), ["heartbeat s1 0"]);
          assertEquals(await listen(h, socket, 5, 10_000), Array(5).fill(["heartbeat s1 0"]));
        }),
      );
    }
  }

  for (const heartbeatPeriod of [0, -1, 1.5]) {
    test(
      `do not come for a period of ${heartbeatPeriod}`,
      inHarness(async (h) => {
        await h.put("s1", { heartbeatPeriod });
        const socket = await h.bound(["s1"]);
        await h.advance(60_000);
        assertEquals(socket.story(), []);
      }),
    );
  }

  test(
    "come every second for a period of one",
    inHarness(async (h) => {
      await h.put("s1", { heartbeatPeriod: 1 });
      const socket = await h.bound(["s1"]);
      assertEquals(await listen(h, socket, 20, 1000), Array(20).fill(["heartbeat s1 0"]));
    }),
  );

  test(
    "are reset by any notification: an event, a handshake",
    inHarness(async (h) => {
      await h.put("s1", { heartbeatPeriod: 10 });
      const socket = await h.bound(["s1"]);
      await h.advance(6_000);
      await h.notify("s1");
      assertEquals(socket.story(), ["event s1 1"]);
      await h.advance(6_000);
      await h.bind(socket, await h.mint(["s1"]));
      await h.advance(6_000);
      await socket.say({ type: "ping" });
      assertEquals(socket.story(), ["pong"]);
      await h.advance(3_999);
      assertEquals(socket.story(), []);
      await h.advance(1);
      assertEquals(socket.story(), ["heartbeat s1 1"]);
    }),
  );

  test(
    "carry the head of the log and change no count",
    inHarness(async (h) => {
      await h.put("s1", { heartbeatPeriod: 10 });
      const socket = await h.bound(["s1"]);
      await h.notify("s1");
      await h.notify("s1");
      socket.take();
      assertEquals(await listen(h, socket, 3, 10_000), Array(3).fill(["heartbeat s1 2"]));
      await h.notify("s1");
      await h.bind(socket, await h.mint(["s1"])).then(([frame]) => {
        assert(frame?.kind === "notification");
        assertEquals(frame.count, "3");
      });
      assertEquals(await h.log.heads([JSON.stringify([h.base, null, "s1"])]), [3]);
    }),
  );

  test(
    "are one Bundle for each Subscription",
    inHarness(async (h) => {
      const ids = ["s1", "s2", "s3"];
      for (const id of ids) await h.put(id, { heartbeatPeriod: 10 });
      const socket = await h.bound(ids);
      await h.advance(10_000);
      assertEquals(socket.story().sort(), ids.map((id) => `heartbeat ${id} 0`));
    }),
  );

  test(
    "of one tick look at the log once",
    inHarness(async (h) => {
      const ids = Array.from({ length: 20 }, (_, n) => `s${n}`);
      for (const id of ids) await h.put(id, { heartbeatPeriod: 4 });
      const sockets = [await h.bound(ids), await h.bound(ids)];
      const before = h.host.count("heads");
      await h.advance(4_000);
      assertEquals(sockets.map((socket) => socket.take().length), [20, 20]);
      assertEquals(h.host.count("heads") - before, 1);
    }),
  );

  test(
    "go on while the Subscription is in error, and say so; events are held",
    inHarness(async (h) => {
      await h.put("s1", { heartbeatPeriod: 10 });
      const socket = await h.bound(["s1"]);
      await h.change("s1", { heartbeatPeriod: 10, status: "error" });
      await h.notify("s1");
      await h.advance(10_000);
      const [frame, ...more] = socket.take();
      assert(frame?.kind === "notification");
      assertEquals([frame.type, frame.status, frame.count, more.length], ["heartbeat", "error", "1", 0]);
      await h.change("s1", { heartbeatPeriod: 10 });
      assertEquals(socket.story(), ["event s1 1"]);
    }),
  );

  test(
    "begin, end and change their period with the Subscription",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      await h.change("s1", { heartbeatPeriod: 4 });
      assertEquals(await listen(h, socket, 2, 4_000), Array(2).fill(["heartbeat s1 0"]));
      await h.change("s1", { heartbeatPeriod: 8 });
      assertEquals(await listen(h, socket, 4, 4_000), [[], ["heartbeat s1 0"], [], ["heartbeat s1 0"]]);
      await h.change("s1", {});
      assertEquals(await listen(h, socket, 4, 4_000), [[], [], [], []]);
    }),
  );

  test(
    "read access again before they are sent",
    inHarness(async (h) => {
      await h.put("s1", { heartbeatPeriod: 10 });
      await h.put("s2", { heartbeatPeriod: 10 });
      const socket = await h.bound(["s1", "s2"]);
      await h.subscriptions.delete("s1", ALICE);
      await h.put("s2", { heartbeatPeriod: 10, status: "off" });
      await h.advance(10_000);
      const story = socket.story();
      assertEquals(story.slice(0, 2).sort(), ["business-rule Subscription/s2", "not-found Subscription/s1"]);
      assertEquals(socket.closing?.code, 1008);
    }),
  );

  test(
    "read access once per caller, however many sockets",
    inHarness(async (h) => {
      await h.put("s1", { heartbeatPeriod: 10 });
      for (let n = 0; n < 10; n++) await h.bound(["s1"]);
      const before = h.host.count("read");
      await h.advance(10_000);
      assertEquals(h.host.count("read") - before, 1);
    }),
  );

  test(
    "are not sent while access cannot be read, nor while the log is down, and come when it is back",
    inHarness(async (h) => {
      await h.put("s1", { heartbeatPeriod: 10 });
      const socket = await h.bound(["s1"]);
      for (const name of ["read", "heads"] as const) {
        h.host.fail(name);
        await h.advance(15_000);
        assertEquals(socket.story(), []);
        h.host.heal(name);
        await h.advance(5_000);
        assertEquals(socket.story()[0], "heartbeat s1 0");
      }
    }),
  );

  test(
    "are not sent past the end of the binding",
    inHarness(async (h) => {
      await h.put("s1", { heartbeatPeriod: 10 });
      const socket = await h.bound(["s1"], ALICE, { lifetime: 10 });
      await h.advance(10_000);
      assertEquals(socket.story(), ["expired Subscription/s1", "close 1008 expired"]);
    }),
  );

  test(
    "are not sent into a full buffer, and come when it has drained",
    inHarness(async (h) => {
      await h.put("s1", { heartbeatPeriod: 10 });
      const socket = await h.bound(["s1"]);
      socket.bufferedAmount = 2_000_000;
      await h.advance(20_000);
      assertEquals(socket.story(), []);
      await socket.drain();
      await h.advance(1_000);
      assertEquals(socket.story(), ["heartbeat s1 0"]);
    }),
  );

  test(
    "are not sent before the handshake",
    inHarness(async (h) => {
      await h.put("s1", { heartbeatPeriod: 1 });
      const socket = await h.open();
      let first = true;
      h.host.on("heads", (proceed) => {
        if (!first) return proceed();
        first = false;
        return new Promise(() => {});
      });
      await socket.say(`bind-with-token ${await h.mint(["s1"])}`);
      await h.advance(4_500);
      assertEquals(socket.story(), []);
      await h.advance(6_000);
      const [handshake, ...beats] = socket.story();
      assertEquals(handshake, "handshake s1 0");
      assertEquals(new Set(beats), new Set(["heartbeat s1 0"]));
    }),
  );

  test(
    "are not sent past the end of the binding, though no timer has fired",
    inHarness({ reconcile: 100 }, async (h) => {
      await h.put("s1", { heartbeatPeriod: 10 });
      const socket = await h.bound(["s1"], ALICE, { lifetime: 20 });
      const heads = h.host.hold("heads");
      await h.advance(10_000);
      assertEquals(heads.waiting, 1);
      h.time.setWall(10_000);
      heads.release();
      await h.settle();
      assertEquals(socket.story().filter((words) => words.startsWith("heartbeat")), []);
    }),
  );

  test(
    "wait for one look at the log, not for one each second",
    inHarness({ reconcile: 100 }, async (h) => {
      await h.put("s1", { heartbeatPeriod: 10 });
      const socket = await h.bound(["s1"]);
      const heads = h.host.hold("heads");
      await h.advance(14_000);
      assertEquals(heads.waiting, 1);
      heads.release();
      await h.settle();
      assertEquals(socket.story(), ["heartbeat s1 0"]);
    }),
  );

  test(
    "that wait for a log keep nobody beyond the very end of the binding",
    inHarness({ reconcile: 3600 }, async (h) => {
      for (const id of ["s1", "s2"]) await h.put(id, { heartbeatPeriod: 8 });
      const socket = await h.bound(["s1"], ALICE, { lifetime: 10 });
      const longer = await h.bound(["s2"], ALICE, { lifetime: 12 });
      h.host.hang("heads");
      await h.advance(9_999);
      assertEquals(socket.story(), []);
      await h.advance(1);
      assertEquals(socket.story(), ["expired Subscription/s1", "close 1008 expired"]);
      await h.advance(1_999);
      assertEquals(longer.story(), []);
      await h.advance(1);
      assertEquals(longer.story(), ["expired Subscription/s2", "close 1008 expired"]);
    }),
  );

  test(
    "are not doubled by a log that answers late",
    inHarness(async (h) => {
      await h.put("s1", { heartbeatPeriod: 4 });
      const socket = await h.bound(["s1"]);
      h.host.slow("heads", 1_500);
      await h.advance(40_000);
      const beats = socket.story();
      assertGreater(beats.length, 6);
      assertLess(beats.length, 11);
    }),
  );

  test(
    "are not sent where an event came while the log was asked",
    inHarness(async (h) => {
      await h.put("s1", { heartbeatPeriod: 10 });
      const socket = await h.bound(["s1"]);
      await h.advance(9_000);
      const heads = h.host.hold("heads");
      await h.advance(1_000);
      await h.notify("s1");
      assertEquals(socket.story(), ["event s1 1"]);
      heads.release();
      await h.advance(9_999);
      assertEquals(socket.story(), []);
      await h.advance(1);
      assertEquals(socket.story(), ["heartbeat s1 1"]);
    }),
  );

  test(
    "of a slow Subscription do not hold up those of another, nor its events",
    inHarness(async (h) => {
      await h.put("s1", { heartbeatPeriod: 10 });
      await h.put("s2", { heartbeatPeriod: 10 });
      const socket = await h.bound(["s1", "s2"]);
      h.host.on("read", (proceed, [id]) => id === "s1" ? new Promise(() => {}) : proceed());
      await h.advance(10_000);
      await h.notify("s2");
      assertEquals(socket.story(), ["heartbeat s2 0", "event s2 1"]);
    }),
  );
});

describe("protocol pings", () => {
  test(
    "go out every 30 seconds to who is bound, and keep a silent peer that answers",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      await h.advance(29_999);
      assertEquals(socket.pings, 0);
      await h.advance(1);
      assertEquals(socket.pings, 1);
      await h.advance(300_000);
      assertEquals([socket.pings, socket.terminated, socket.closing], [11, false, undefined]);
      assertEquals(socket.story(), []);
    }),
  );

  test(
    "cut a peer that does not answer",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      socket.alive = false;
      await h.advance(59_999);
      assertEquals(socket.terminated, false);
      await h.advance(1);
      assertEquals([socket.terminated, socket.closing], [true, undefined]);
      assertEquals(h.binder.stats(), { sockets: 0, bindings: 0, subscriptions: 0 });
      assertEquals(h.toldOf("ended").map(({ reason }) => reason), ["closed"]);
    }),
  );

  test(
    "forgive a pong that comes just in time",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"], ALICE, { alive: false });
      await h.advance(59_000);
      socket.session.alive();
      await h.advance(30_000);
      assertEquals([socket.terminated, socket.pings], [false, 2]);
    }),
  );

  test(
    "are not sent where the runtime has none",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"], ALICE, { withoutPing: true });
      await h.advance(300_000);
      assertEquals([socket.terminated, socket.closing], [false, undefined]);
    }),
  );

  test(
    "that throw close one socket with 1011 and leave the others their timer",
    inHarness(async (h) => {
      await h.put("s1", { heartbeatPeriod: 40 });
      const broken = await h.bound(["s1"]);
      const other = await h.bound(["s1"]);
      broken.ping = () => {
        throw new Error("not open");
      };
      await h.advance(40_000);
      assertEquals(broken.story(), ["close 1011"]);
      assertEquals(other.story(), ["heartbeat s1 0"]);
      assertEquals(h.toldOf("error").map(({ during }) => during), ["send"]);
    }),
  );

  test(
    "that end in a cut that throws leave the others their timer",
    inHarness(async (h) => {
      await h.put("s1", { heartbeatPeriod: 70 });
      const broken = await h.bound(["s1"]);
      const other = await h.bound(["s1"]);
      broken.alive = false;
      broken.terminate = () => {
        throw new Error("already gone");
      };
      await h.advance(70_000);
      assertEquals(other.story(), ["heartbeat s1 0"]);
      assertEquals(h.toldOf("error").map(({ during }) => during), ["send"]);
    }),
  );
});
