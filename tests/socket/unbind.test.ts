import { assertEquals } from "@std/assert";
import { describe, test } from "node:test";
import { assertLivesFor } from "./assertions.ts";
import { ALICE, BOB, inHarness } from "./harness.ts";

function unbind(token: string): object {
  return { type: "unbind-from-token", payload: { token } };
}

describe("an unbind", () => {
  test(
    "by the newest token ends the binding, silently, and the socket stays",
    inHarness(async (h) => {
      await h.put("s1");
      const [older, newest] = [await h.mint(["s1"]), await h.mint(["s1"])];
      const socket = await h.open();
      await h.bind(socket, older);
      await h.bind(socket, newest);
      await socket.say(unbind(newest));
      await h.notify("s1");
      assertEquals(socket.story(), []);
      assertEquals(h.binder.stats(), { sockets: 1, bindings: 0, subscriptions: 0 });
      assertEquals(h.toldOf("ended"), [
        { type: "ended", caller: ALICE, subscription: "s1", reason: "unbound", lastOfSubscription: true },
      ]);
    }),
  );

  test(
    "by an older token forgets that one: the binding ends with the newest",
    inHarness(async (h) => {
      await h.put("s1");
      const older = await h.mint(["s1"], ALICE, { lifetime: 100 });
      const newest = await h.mint(["s1"], ALICE, { lifetime: 10 });
      const socket = await h.open();
      await h.bind(socket, older);
      await h.bind(socket, newest);
      await socket.say(unbind(older));
      await h.notify("s1");
      assertEquals(socket.story(), ["event s1 1"]);
      await assertLivesFor(h, socket, 10_000);
    }),
  );

  test(
    "goes by the order of the binds on this socket, not by that of the tokens",
    inHarness(async (h) => {
      await h.put("s1");
      const first = await h.mint(["s1"], ALICE, { lifetime: 10 });
      await h.advance(1000);
      const second = await h.mint(["s1"], ALICE, { lifetime: 100 });
      const socket = await h.open();
      for (const token of [first, second, first]) await h.bind(socket, token);
      await socket.say(unbind(second));
      assertEquals(h.binder.stats().bindings, 1);
      await socket.say(unbind(first));
      assertEquals(h.binder.stats().bindings, 0);
    }),
  );

  test(
    "of a token that covers several ends those that it is the newest of",
    inHarness(async (h) => {
      await h.put("s1");
      await h.put("s2");
      const both = await h.mint(["s1", "s2"]);
      const socket = await h.open();
      await h.bind(socket, both);
      await h.bind(socket, await h.mint(["s2"]));
      await socket.say(unbind(both));
      await h.notify(["s1", "s2"]);
      assertEquals(socket.story(), ["event s2 1"]);
    }),
  );

  test(
    "of a stranger's, another socket's, an unknown, a used, a revoked or a dead token is silent and does nothing",
    inHarness({ singleUse: true, limits: { refusedBinds: 1 } }, async (h) => {
      await h.put("s1");
      await h.put("s2", {}, BOB);
      const elsewhere = await h.mint(["s1"]);
      const other = await h.open();
      await h.bind(other, elsewhere);
      const dead = await h.mint(["s1"], ALICE, { lifetime: 1 });
      const revoked = await h.mint(["s1"], ALICE, { id: "jti-1" });
      await h.notifier.revoke({ token: "jti-1" });
      await h.advance(1000);
      const socket = await h.bound(["s1"]);
      const unbound = await h.open();
      const tokens = [
        elsewhere,
        dead,
        revoked,
        await h.mint(["s1"]),
        await h.mint(["s2"], BOB),
        "garbage",
        "A".repeat(99),
      ];
      for (const token of tokens) {
        await socket.say(unbind(token));
        await unbound.say(unbind(token));
      }
      assertEquals([socket.story(), unbound.story()], [[], []]);
      assertEquals(h.toldOf("bind-refused"), []);
      await h.notify("s1");
      assertEquals([socket.story(), other.story()], [["event s1 1"], ["event s1 1"]]);
    }),
  );

  test(
    "of a token that has expired on this socket meanwhile ends nothing that a newer one holds",
    inHarness(async (h) => {
      await h.put("s1");
      const old = await h.mint(["s1"], ALICE, { lifetime: 10 });
      const socket = await h.open();
      await h.bind(socket, old);
      await h.bind(socket, await h.mint(["s1"], ALICE, { lifetime: 100 }));
      await h.advance(20_000);
      await socket.say(unbind(old));
      await h.notify("s1");
      assertEquals(socket.story(), ["event s1 1"]);
    }),
  );

  test(
    "waits for the bind before it",
    inHarness(async (h) => {
      await h.put("s1");
      const token = await h.mint(["s1"]);
      const socket = await h.open();
      const verify = h.host.hold("verify");
      await socket.say(`bind-with-token ${token}`, unbind(token), { type: "ping" });
      verify.release();
      await h.settle();
      assertEquals(socket.story(), ["handshake s1 0", "pong"]);
      assertEquals(h.binder.stats().bindings, 0);
    }),
  );

  test(
    "lets the same token bind again, where it is not single-use",
    inHarness(async (h) => {
      await h.put("s1");
      const token = await h.mint(["s1"]);
      const socket = await h.open();
      for (let n = 0; n < 3; n++) await socket.say(`bind-with-token ${token}`, unbind(token));
      assertEquals(socket.story(), Array(3).fill("handshake s1 0"));
    }),
  );
});
