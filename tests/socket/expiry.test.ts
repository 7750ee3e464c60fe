// How long a binding lives: until the latest of its tokens, and never longer than its Subscription.

import { assertEquals } from "@std/assert";
import { describe, test } from "node:test";
import { assertLivesFor } from "./assertions.ts";
import { ALICE, inHarness, LIFETIME } from "./harness.ts";

describe("a binding ends", () => {
  for (const signer of ["opaque", "jwt", "stateless"] as const) {
    for (const lifetime of [1, 59, 3600, 86_400]) {
      test(
        `to the very second when its token of ${lifetime} s does (${signer})`,
        inHarness({ signer }, async (h) => {
          await h.put("s1");
          const socket = await h.bound(["s1"], ALICE, { lifetime });
          await assertLivesFor(h, socket, lifetime * 1000);
        }),
      );
    }
  }

  test(
    "at the token's second, whenever it was bound",
    inHarness(async (h) => {
      await h.put("s1");
      const token = await h.mint(["s1"], ALICE, { lifetime: 60 });
      await h.advance(42_857);
      const socket = await h.open();
      await h.bind(socket, token);
      await assertLivesFor(h, socket, 60_000 - 42_857);
    }),
  );

  const ends: readonly (readonly [string, number])[] = [
    ["2030-01-01T00:01:40Z", 100_000],
    ["2030-01-01T00:01:40.000Z", 100_000],
    ["2030-01-01T00:01:40.999Z", 100_000],
    ["2030-01-01T02:01:40+02:00", 100_000],
    ["2029-12-31T19:01:40.500-05:00", 100_000],
    ["2031-01-01T00:00:00Z", LIFETIME * 1000],
  ];
  for (const [end, after] of ends) {
    test(
      `with a Subscription whose end is ${end}, or with its token before`,
      inHarness(async (h) => {
        await h.put("s1", { end });
        await assertLivesFor(h, await h.bound(["s1"]), after);
      }),
    );
  }

  test(
    "earlier or later when the Subscription gets another end",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      await h.change("s1", { end: "2030-01-01T00:00:10Z" });
      await h.advance(9999);
      await h.change("s1", { end: "2030-01-01T00:00:20Z" });
      await assertLivesFor(h, socket, 10_001);
    }),
  );

  test(
    "each at its own time; the last closes the socket, the others do not",
    inHarness(async (h) => {
      await h.put("s1");
      await h.put("s2", { end: "2030-01-01T00:00:20Z" });
      await h.put("s3");
      const socket = await h.open();
      await h.bind(socket, await h.mint(["s1"], ALICE, { lifetime: 10 }));
      await h.bind(socket, await h.mint(["s2", "s3"], ALICE, { lifetime: 30 }));
      await h.advance(10_000);
      assertEquals(socket.story(), ["expired Subscription/s1"]);
      await h.advance(10_000);
      assertEquals(socket.story(), ["expired Subscription/s2"]);
      await h.notify(["s1", "s2", "s3"]);
      assertEquals(socket.story(), ["event s3 1"]);
      await h.advance(10_000);
      assertEquals(socket.story(), ["expired Subscription/s3", "close 1008 expired"]);
    }),
  );

  test(
    "and a socket that lost all is not closed when it binds again before the end is told",
    inHarness(async (h) => {
      await h.put("s1");
      await h.put("s2");
      const socket = await h.bound(["s1"], ALICE, { lifetime: 10 });
      const token = await h.mint(["s2"]);
      await h.advance(9_000);
      const verify = h.host.hold("verify");
      await socket.say(`bind-with-token ${token}`);
      await h.advance(2_000);
      verify.release();
      await h.settle();
      assertEquals(socket.story(), ["expired Subscription/s1", "handshake s2 0"]);
    }),
  );

  test(
    "and a socket that lost all is closed when the bind under way is refused",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"], ALICE, { lifetime: 10 });
      await h.advance(9_000);
      const verify = h.host.hold("verify");
      await socket.say("bind-with-token abc");
      await h.advance(1_000);
      assertEquals(socket.story(), ["expired Subscription/s1"]);
      verify.release();
      await h.settle();
      assertEquals(socket.story(), ["unknown", "close 1008 expired"]);
    }),
  );

  test(
    "nothing is sent at the second of expiry or after, though no timer has fired",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"], ALICE, { lifetime: 10 });
      h.time.setWall(9_999);
      await h.notify("s1");
      assertEquals(socket.story(), ["event s1 1"]);
      h.time.setWall(1);
      await h.notify("s1");
      assertEquals(socket.story(), ["expired Subscription/s1", "close 1008 expired"]);
    }),
  );
});

describe("a renewal", () => {
  test(
    "extends, with a handshake and no replay",
    inHarness({ replay: { last: 10 } }, async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"], ALICE, { lifetime: 10 });
      await h.notify("s1");
      await h.notify("s1");
      socket.take();
      await h.advance(5_000);
      await socket.say({
        type: "bind-with-token",
        payload: { token: await h.mint(["s1"], ALICE, { lifetime: 100 }), eventsSinceNumber: { s1: "1" } },
      });
      assertEquals(socket.story(), ["handshake s1 2"]);
      assertEquals(h.toldOf("bound").map(({ renewed }) => renewed), [false, true]);
      await h.notify("s1");
      assertEquals(socket.story(), ["event s1 3"]);
      await assertLivesFor(h, socket, 100_000);
    }),
  );

  test(
    "never shortens",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"], ALICE, { lifetime: 100 });
      await h.bind(socket, await h.mint(["s1"], ALICE, { lifetime: 10 }));
      await assertLivesFor(h, socket, 100_000);
    }),
  );

  test(
    "extends only what its token covers",
    inHarness(async (h) => {
      await h.put("s1");
      await h.put("s2");
      const socket = await h.bound(["s1", "s2"], ALICE, { lifetime: 10 });
      await h.bind(socket, await h.mint(["s2"], ALICE, { lifetime: 20 }));
      await h.advance(10_000);
      assertEquals(socket.story(), ["expired Subscription/s1"]);
      await assertLivesFor(h, socket, 10_000);
    }),
  );

  test(
    "by the same token is one more handshake and nothing else",
    inHarness(async (h) => {
      await h.put("s1");
      const token = await h.mint(["s1"], ALICE, { lifetime: 10 });
      const socket = await h.open();
      await socket.say(...Array<string>(3).fill(`bind-with-token ${token}`));
      assertEquals(socket.story(), Array(3).fill("handshake s1 0"));
      await h.notify("s1");
      assertEquals(socket.story(), ["event s1 1"]);
      await socket.say({ type: "unbind-from-token", payload: { token } });
      await h.notify("s1");
      assertEquals(socket.story(), []);
      assertEquals(h.binder.stats().bindings, 0);
    }),
  );

  test(
    "has a handshake for each Subscription of its token, every time",
    inHarness(async (h) => {
      const ids = ["s1", "s2", "s3", "s4"];
      for (const id of ids) await h.put(id);
      const socket = await h.open();
      for (let n = 0; n < 3; n++) {
        const frames = await h.bind(socket, await h.mint(ids));
        assertEquals(frames.map((frame) => frame.kind === "notification" && frame.subscription), ids);
      }
    }),
  );

  test(
    "does not outlive the Subscription's end",
    inHarness(async (h) => {
      await h.put("s1", { end: "2030-01-01T00:00:30Z" });
      const socket = await h.bound(["s1"], ALICE, { lifetime: 10 });
      await h.bind(socket, await h.mint(["s1"], ALICE, { lifetime: 100 }));
      await assertLivesFor(h, socket, 30_000);
    }),
  );
});
