// Revocations and live bindings: nothing is sent in doubt, and only what is dead ends.

import type { BindingGrant } from "@fhir-ws/binding";
import { assertEquals } from "@std/assert";
import { describe, test } from "node:test";
import { gateAll, intercept } from "../tools/gates.ts";
import { ALICE, BOB, type Harness, inHarness } from "./harness.ts";

/** The bus loses every message of one type. */
function lose({ host }: Harness, type: string): void {
  intercept(host, (pass, message) => {
    if (message.type !== type) pass();
  });
}

/** The Subscriptions of the grants that the signer was asked about, call by call. */
function askedOf({ host }: Harness): string[][] {
  const calls = host.calls.filter(({ name }) => name === "surviving");
  return calls.map(({ args: [grants] }) => (grants as BindingGrant[]).flatMap(({ subscriptions }) => subscriptions)); // as the hook hands it on
}

describe("a revocation", () => {
  const rows = [
    { what: { token: "jti-1" }, ends: ["a1"] },
    { what: { subscription: "s1" }, ends: ["a1", "a2"] },
    { what: { caller: "alice" }, ends: ["a1", "a2", "a3"] },
    { what: { caller: "alice", tenant: "t" }, ends: ["t1"] },
    { what: { subscription: "s1", tenant: "t" }, ends: ["t1"] },
    { what: { token: "jti-9" }, ends: [] },
    { what: { caller: "carol" }, ends: [] },
  ];
  for (const bus of ["works", "loses it"] as const) {
    for (const { what, ends } of rows) {
      test(
        `of ${JSON.stringify(what)} ends ${ends.join(", ") || "nothing"} when the bus ${bus}`,
        inHarness(async (h) => {
          const tenant = { id: "alice", tenant: "t" };
          await h.put("s1");
          await h.put("s2");
          await h.put("b1", {}, BOB);
          await h.put("s1", {}, tenant);
          const sockets = {
            a1: await h.bound(["s1"], ALICE, { id: "jti-1" }),
            a2: await h.bound(["s1"], ALICE, { id: "jti-2" }),
            a3: await h.bound(["s2"], ALICE, { id: "jti-3" }),
            b1: await h.bound(["b1"], BOB, { id: "jti-4" }),
            t1: await h.bound(["s1"], tenant, { id: "jti-5" }),
          };
          if (bus === "loses it") lose(h, "revoked");
          await h.notifier.revoke(what);
          await h.advance(bus === "works" ? 0 : 5000);
          const ended = Object.entries(sockets).filter(([, socket]) => socket.closing !== undefined);
          assertEquals(ended.map(([name]) => name), ends);
          for (const [, socket] of ended) assertEquals(socket.closing?.reason, "revoked");
        }),
      );
    }
  }

  test(
    "of one Subscription of several ends that one",
    inHarness(async (h) => {
      await h.put("s1");
      await h.put("s2");
      const socket = await h.bound(["s1", "s2"]);
      await h.notifier.revoke({ subscription: "s1" });
      await h.notify(["s1", "s2"]);
      assertEquals(socket.story(), ["unknown Subscription/s1", "event s2 1"]);
      await h.notifier.revoke({ subscription: "s2" });
      await h.settle();
      assertEquals(socket.story(), ["unknown Subscription/s2", "close 1008 revoked"]);
    }),
  );

  test(
    "of a token leaves what another one on that socket holds",
    inHarness(async (h) => {
      await h.put("s1");
      await h.put("s2");
      const socket = await h.bound(["s1", "s2"], ALICE, { id: "jti-1" });
      await h.bind(socket, await h.mint(["s2"], ALICE, { id: "jti-2" }));
      await h.notifier.revoke({ token: "jti-1" });
      await h.notify(["s1", "s2"]);
      assertEquals(socket.story(), ["unknown Subscription/s1", "event s2 1"]);
    }),
  );

  test(
    "of a token finds a binding that a later bind by that token left out",
    inHarness(async (h) => {
      await h.put("s1");
      await h.put("s2");
      const token = await h.mint(["s1", "s2"], ALICE, { id: "jti-1" });
      const socket = await h.open();
      await h.bind(socket, token);
      await h.put("s2", { status: "off" });
      await h.bind(socket, token);
      await h.put("s2");
      socket.take();
      await h.notifier.revoke({ token: "jti-1" });
      await h.notify(["s1", "s2"]);
      assertEquals(socket.story(), ["unknown Subscription/s1", "unknown Subscription/s2", "close 1008 revoked"]);
    }),
  );

  test(
    "of a caller is one on every base and in every process",
    inHarness(async (h) => {
      const other = h.sibling({ base: "https://example.org/fhir/other" });
      const process = h.sibling();
      await h.put("s1");
      const sockets = [await h.bound(["s1"]), await other.bound(["s1"]), await process.bound(["s1"])];
      await h.notifier.revoke({ caller: "alice" });
      await h.settle();
      assertEquals(sockets.map(({ closing }) => closing?.reason), ["revoked", "revoked", "revoked"]);
    }),
  );

  test(
    "of a Subscription is one of its base alone",
    inHarness(async (h) => {
      const other = h.sibling({ base: "https://example.org/fhir/other" });
      await h.put("s1");
      const [here, there] = [await h.bound(["s1"]), await other.bound(["s1"])];
      await h.notifier.revoke({ subscription: "s1" });
      await h.advance(5000);
      assertEquals([here.closing?.reason, there.closing], ["revoked", undefined]);
    }),
  );

  test(
    "asks about the tokens of all the sockets that it concerns at once, and of no other",
    inHarness(async (h) => {
      await h.put("s1");
      await h.put("s2");
      for (let n = 0; n < 5; n++) await h.bound(["s1"]);
      for (let n = 0; n < 5; n++) await h.bound(["s2"]);
      await h.notifier.revoke({ subscription: "s1" });
      await h.settle();
      assertEquals(askedOf(h), [["s1", "s1", "s1", "s1", "s1"]]);
    }),
  );

  test(
    "asks about a hundred tokens at a time, and ends the bindings of each",
    inHarness({ limits: { socketsPerCaller: 250 } }, async (h) => {
      await h.put("s1");
      const sockets = [];
      for (let n = 0; n < 250; n++) sockets.push(await h.bound(["s1"]));
      await h.notifier.revoke({ subscription: "s1" });
      await h.settle();
      assertEquals(askedOf(h).map(({ length }) => length), [100, 100, 50]);
      for (const { closing } of sockets) assertEquals(closing?.reason, "revoked");
    }),
  );

  test(
    "of a legacy binding's caller ends it",
    inHarness({ legacy: { authenticate: () => ALICE }, origins: ["https://example.org"] }, async (h) => {
      await h.put("s1");
      const socket = await h.open();
      await socket.say("bind s1");
      await h.notifier.revoke({ caller: "alice" });
      await h.settle();
      assertEquals(socket.story(), ["bound s1", "unknown Subscription/s1", "close 1008 revoked"]);
    }),
  );
});

describe("while a revocation is being looked into", () => {
  test(
    "events wait, and follow in order where it was another's",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      const asked = gateAll(h.host, "surviving");
      const late = await h.mint(["s1"], ALICE, { id: "jti-2" });
      await h.notifier.revoke({ caller: "bob" });
      await h.bus.publish({ type: "revoked", subject: 'caller:[null,"alice"]' });
      for (let n = 0; n < 3; n++) await h.notify("s1");
      assertEquals(socket.story(), []);
      asked[0]?.open();
      await h.settle();
      assertEquals(socket.story(), ["event s1 1", "event s1 2", "event s1 3"]);
      h.host.heal("surviving");
      await h.bind(socket, late);
    }),
  );

  test(
    "a second one is looked into as well, before anything is sent",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"], ALICE, { id: "jti-1" });
      const asked = gateAll(h.host, "surviving");
      await h.bus.publish({ type: "revoked", subject: 'caller:[null,"alice"]' });
      asked[0]?.look();
      await h.settle();
      await h.notifier.revoke({ token: "jti-1" });
      asked[0]?.open();
      await h.notify("s1");
      assertEquals(socket.story(), [], "what was seen before the second counts for nothing");
      asked[1]?.open();
      await h.settle();
      assertEquals(socket.story(), ["unknown Subscription/s1", "close 1008 revoked"]);
    }),
  );

  test(
    "any number of messages makes for two looks at most",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      const asked = gateAll(h.host, "surviving");
      for (let n = 0; n < 100; n++) await h.bus.publish({ type: "revoked", subject: 'caller:[null,"alice"]' });
      await h.settle();
      assertEquals(asked.length, 1);
      asked[0]?.open();
      await h.settle();
      assertEquals(asked.length, 2);
      asked[1]?.open();
      await h.notify("s1");
      assertEquals(asked.length, 2);
      assertEquals(socket.story(), ["event s1 1"]);
    }),
  );

  test(
    "a handshake waits too",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.open();
      const heads = gateAll(h.host, "heads");
      await socket.say(`bind-with-token ${await h.mint(["s1"])}`);
      const asked = gateAll(h.host, "surviving");
      await h.bus.publish({ type: "revoked", subject: 'caller:[null,"alice"]' });
      heads[0]?.open();
      h.host.heal("heads");
      await h.settle();
      assertEquals(socket.story(), []);
      asked[0]?.open();
      await h.settle();
      await h.notify("s1");
      assertEquals(socket.story(), ["handshake s1 0", "event s1 1"]);
    }),
  );

  test(
    "a log that is slow to answer delays no end",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.open();
      h.host.hang("heads");
      await socket.say(`bind-with-token ${await h.mint(["s1"])}`);
      await h.bus.publish({ type: "revoked", subject: 'caller:[null,"alice"]' });
      await h.settle();
      await h.notifier.revoke({ caller: "alice" });
      await h.settle();
      assertEquals(socket.story(), ["unknown Subscription/s1"]);
    }),
  );
});

describe("a token store that cannot say what survives", () => {
  for (const how of ["throws", "rejects", "hangs"] as const) {
    test(
      `(it ${how}) holds events, which follow in order once it answers`,
      inHarness(async (h) => {
        await h.put("s1");
        await h.put("b1", {}, BOB);
        const [alice, bob] = [await h.bound(["s1"]), await h.bound(["b1"], BOB)];
        if (how === "hangs") h.host.hang("surviving");
        else h.host.fail("surviving", new Error("down"), how);
        await h.bus.publish({ type: "revoked", subject: 'caller:[null,"alice"]' });
        for (let n = 0; n < 3; n++) await h.notify(["s1", "b1"]);
        await h.advance(30_000);
        assertEquals([alice.story(), bob.story().length], [[], 3]);
        h.host.heal("surviving");
        await h.advance(10_000);
        assertEquals(alice.story(), ["event s1 1", "event s1 2", "event s1 3"]);
      }),
    );

    test(
      `(it ${how}) ends bindings as no-store after a minute`,
      inHarness(async (h) => {
        await h.put("s1");
        const socket = await h.bound(["s1"]);
        if (how === "hangs") h.host.hang("surviving");
        else h.host.fail("surviving", new Error("down"), how);
        await h.bus.publish({ type: "revoked", subject: 'caller:[null,"alice"]' });
        await h.settle();
        h.time.setWall(-3_600_000);
        await h.advance(55_000);
        assertEquals(socket.story(), []);
        await h.advance(20_000);
        assertEquals(socket.story(), ["no-store Subscription/s1", "close 1008 store"]);
      }),
    );
  }

  test(
    "delays no event of who is not concerned, and no reconciliation with the log",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      h.host.hang("revocations");
      lose(h, "event");
      await h.notify("s1");
      await h.advance(5000);
      assertEquals(socket.story(), ["event s1 1"]);
    }),
  );

  test(
    "nor how often something was revoked finds a lost message when it can",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      lose(h, "revoked");
      h.host.fail("revocations");
      await h.notifier.revoke({ caller: "alice" });
      await h.advance(30_000);
      assertEquals(socket.closing, undefined);
      h.host.heal("revocations");
      await h.advance(5000);
      assertEquals(socket.story(), ["unknown Subscription/s1", "close 1008 revoked"]);
    }),
  );
});

describe("a count of revocations", () => {
  test(
    "that stands still costs one call per round, however many sockets",
    inHarness(async (h) => {
      await h.put("s1");
      for (let n = 0; n < 20; n++) await h.bound(["s1"]);
      h.host.calls.length = 0;
      await h.advance(20_000);
      assertEquals([h.host.count("revocations"), h.host.count("surviving")], [4, 0]);
    }),
  );

  test(
    "that has moved is acted upon once",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      lose(h, "revoked");
      await h.notifier.revoke({ caller: "carol" });
      await h.advance(20_000);
      assertEquals(h.host.count("surviving"), 1);
      await h.notify("s1");
      assertEquals(socket.story(), ["event s1 1"]);
    }),
  );
});

describe("a Subscription that was deleted", () => {
  test(
    "and made anew at once is another one: its old bindings end, new tokens bind",
    inHarness(async (h) => {
      await h.put("s1");
      const old = await h.bound(["s1"]);
      await h.notify("s1");
      await h.notifier.deleted("s1");
      await h.put("s1");
      const next = await h.bound(["s1"]);
      await h.advance(5000);
      await h.notify("s1");
      assertEquals(old.story(), ["event s1 1", "not-found Subscription/s1", "close 1008 access-lost"]);
      assertEquals(next.story(), ["event s1 1"]);
    }),
  );

  test(
    "and made anew at once ends the bindings that had no event yet as well",
    inHarness(async (h) => {
      await h.put("s1");
      const old = await h.bound(["s1"]);
      await h.notifier.deleted("s1");
      await h.put("s1");
      await h.advance(5000);
      assertEquals(old.story(), ["unknown Subscription/s1", "close 1008 revoked"]);
    }),
  );

  test(
    "is named as not found, not as revoked",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      await h.subscriptions.delete("s1", ALICE);
      await h.notifier.revoke({ subscription: "s1" });
      await h.settle();
      assertEquals(socket.story(), ["not-found Subscription/s1", "close 1008 access-lost"]);
    }),
  );

  test(
    "ends many bindings at once though nobody can say whether it has gone",
    inHarness(async (h) => {
      const ids = Array.from({ length: 20 }, (_, n) => `s${n}`);
      for (const id of ids) await h.put(id);
      const socket = await h.bound(ids);
      h.host.hang("read");
      await h.notifier.revoke({ caller: "alice" });
      await h.notify(ids);
      await h.advance(5000);
      const story = socket.story();
      assertEquals(story.length, 21);
      assertEquals(story.at(-1), "close 1008 revoked");
    }),
  );
});

describe("a signer that cannot revoke", () => {
  test(
    "is not asked to by a change during a bind",
    inHarness({ signer: "stateless" }, async (h) => {
      await h.put("s1");
      const socket = await h.open();
      const token = await h.mint(["s1"]);
      // A message in every moment that a bind can have.
      for (let n = 0; n < 12; n++) {
        socket.session.receive(`bind-with-token ${token}`);
        for (let ticks = 0; ticks < n; ticks++) await Promise.resolve();
        await h.notifier.changed("s1");
        await h.settle();
      }
      const ends = socket.story().filter((words) => !words.startsWith("handshake"));
      assertEquals(ends, []);
    }),
  );
});
