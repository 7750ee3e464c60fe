// What is delivered, to whom, by which decision, and what holds it.

import type { BusMessage, Caller, FhirSubscription } from "@fhir-ws/binding";
import { assert, assertEquals } from "@std/assert";
import { describe, test } from "node:test";
import { answer, gateAll, intercept } from "../tools/gates.ts";
import {
  ALICE,
  BOB,
  EVENT,
  FakeSocket,
  type Harness,
  inHarness,
  makeSubscription,
  type ReadNotification,
} from "./harness.ts";

/** A clinician and an auditor under one login: what one may see says nothing of the other. */
const CLINICIAN: Caller = { id: "alice", claims: { role: "clinician" } };
const AUDITOR: Caller = { id: "alice", claims: { role: "auditor" } };

async function boundMany(h: Harness, count: number, id: string, caller = ALICE): Promise<FakeSocket[]> {
  const sockets: FakeSocket[] = [];
  for (let n = 0; n < count; n++) sockets.push(await h.bound([id], caller));
  h.host.calls.length = 0;
  return sockets;
}

/** Messages are hints without the event. */
function withoutEvents({ host }: Harness): void {
  intercept(host, (pass, message) => {
    Object.assign(message, { event: undefined });
    pass();
  });
}

function notifications(socket: FakeSocket): ReadNotification[] {
  return socket.take().filter((frame) => frame.kind === "notification");
}

describe("an event of several Subscriptions", () => {
  test("is sent to nobody by what was known before a change that comes while it is sent", async () => {
    const hears = new Set<(message: BusMessage) => void>();
    const tell = (message: BusMessage): void => hears.forEach((hear) => hear(message));
    const listen = (hear: (message: BusMessage) => void): () => void => {
      hears.add(hear);
      return () => void hears.delete(hear);
    };
    let base = "";
    await inHarness({
      bus: { publish: tell, listen },
      onEvent: (event) => {
        const isFirst = event.type === "delivered" && event.subscription === "s1";
        if (isFirst) tell({ type: "changed", key: JSON.stringify([base, null, "s2"]) });
      },
    }, async (h) => {
      base = h.base;
      for (const id of ["s1", "s2"]) await h.put(id);
      const [one, two] = [await h.bound(["s1"]), await h.bound(["s2"])];
      await h.subscriptions.delete("s2", ALICE);
      await h.notify(["s1", "s2"]);
      assertEquals(one.story(), ["event s1 1"]);
      assertEquals(two.story(), ["not-found Subscription/s2", "close 1008 access-lost"]);
    })();
  });
});

describe("access is read again", () => {
  test(
    "once per Subscription and caller before a delivery that is older than recheck, however many sockets",
    inHarness(async (h) => {
      await h.put("s1");
      const sockets = await boundMany(h, 50, "s1");
      await h.advance(4999);
      await h.notify("s1");
      assertEquals(h.host.count("read"), 0);
      await h.advance(1);
      await h.notify("s1");
      await h.notify("s1");
      assertEquals(h.host.count("read"), 1);
      for (const socket of sockets) assertEquals(socket.story(), ["event s1 1", "event s1 2", "event s1 3"]);
    }),
  );

  test(
    "once on changed, and at once",
    inHarness(async (h) => {
      await h.put("s1");
      await h.put("s2");
      await boundMany(h, 50, "s1");
      await boundMany(h, 3, "s2");
      await h.notifier.changed("s1");
      await h.settle();
      assertEquals(h.host.calls.filter(({ name }) => name === "read").map(({ args }) => args), [["s1", ALICE]]);
    }),
  );

  test(
    "by what recheck says",
    inHarness({ recheck: 60 }, async (h) => {
      await h.put("s1");
      await boundMany(h, 2, "s1");
      await h.advance(59_999);
      await h.notify("s1");
      assertEquals(h.host.count("read"), 0);
      await h.advance(1);
      await h.notify("s1");
      assertEquals(h.host.count("read"), 1);
    }),
  );

  test(
    "for each caller and each set of claims by itself, and no decision is shared",
    inHarness(async (h) => {
      const shared = makeSubscription("s1", h.version);
      const denied = new Set<string>();
      answer(h.host, "read", (_id, caller) => denied.has(JSON.stringify(caller)) ? undefined : shared);
      const callers = [ALICE, CLINICIAN, AUDITOR, BOB];
      const sockets: FakeSocket[] = [];
      for (const caller of callers) sockets.push(await h.bound(["s1"], caller), await h.bound(["s1"], caller));
      h.host.calls.length = 0;
      denied.add(JSON.stringify(AUDITOR));
      await h.advance(5000);
      await h.notify("s1");
      assertEquals(h.host.count("read"), 4);
      for (const [n, socket] of sockets.entries()) {
        const isDenied = callers[n >> 1] === AUDITOR;
        assertEquals(
          socket.story(),
          isDenied ? ["not-found Subscription/s1", "close 1008 access-lost"] : ["event s1 1"],
        );
      }
    }),
  );

  test(
    "never while it is fresh, and never by a clock that was set back",
    inHarness(async (h) => {
      await h.put("s1");
      await boundMany(h, 1, "s1");
      await h.notify("s1");
      assertEquals(h.host.count("read"), 0);
      h.time.setWall(-3_600_000);
      await h.notify("s1");
      assertEquals(h.host.count("read"), 1);
    }),
  );

  test(
    "twice at most for any number of changes during one read, and what was read before the last counts for nothing",
    inHarness(async (h) => {
      await h.put("s1");
      const [socket] = await boundMany(h, 1, "s1");
      const reads = gateAll(h.host, "read");
      await h.notifier.changed("s1");
      await h.settle();
      reads[0]?.look();
      await h.settle();
      await h.put("s1", { status: "off" });
      for (let n = 0; n < 100; n++) await h.notifier.changed("s1");
      reads[0]?.open();
      await h.notify("s1");
      assertEquals(reads.length, 2);
      assertEquals(socket?.story(), []);
      reads[1]?.open();
      await h.settle();
      assertEquals(reads.length, 2);
      assertEquals(socket?.story(), ["business-rule Subscription/s1", "close 1008 subscription-off"]);
    }),
  );

  test(
    "once more for a change during a read that delivery had asked for, and nothing is sent by that",
    inHarness(async (h) => {
      await h.put("s1");
      const [socket] = await boundMany(h, 1, "s1");
      await h.advance(5000);
      const reads = gateAll(h.host, "read");
      await h.notify("s1");
      reads[0]?.look();
      await h.settle();
      await h.subscriptions.delete("s1", ALICE);
      await h.notifier.changed("s1");
      reads[0]?.open();
      await h.settle();
      assertEquals(socket?.story(), []);
      reads[1]?.open();
      await h.settle();
      assertEquals(socket?.story(), ["not-found Subscription/s1", "close 1008 access-lost"]);
    }),
  );

  test(
    "after a log that was slow, and a change during that read counts as well",
    inHarness({ storeTimeout: 60_000 }, async (h) => {
      await h.put("s1");
      const [socket] = await boundMany(h, 1, "s1");
      withoutEvents(h);
      const logs = gateAll(h.host, "log");
      await h.notify("s1");
      await h.advance(5000);
      const reads = gateAll(h.host, "read");
      logs[0]?.open();
      await h.settle();
      reads[0]?.look();
      await h.settle();
      await h.subscriptions.delete("s1", ALICE);
      await h.notifier.changed("s1");
      reads[0]?.open();
      await h.settle();
      assertEquals(socket?.story(), []);
      reads[1]?.open();
      await h.settle();
      assertEquals(socket?.story(), ["not-found Subscription/s1", "close 1008 access-lost"]);
    }),
  );

  test(
    "at once, though delivery waits for a log that is slow",
    inHarness(async (h) => {
      await h.put("s1");
      const [socket] = await boundMany(h, 1, "s1");
      withoutEvents(h);
      h.host.hang("log");
      await h.notify("s1");
      const reads = gateAll(h.host, "read");
      await h.notifier.changed("s1");
      reads[0]?.look();
      await h.settle();
      await h.subscriptions.delete("s1", ALICE);
      await h.notifier.changed("s1");
      h.host.heal("read");
      reads[0]?.open();
      await h.settle();
      assertEquals(socket?.story(), ["not-found Subscription/s1", "close 1008 access-lost"]);
    }),
  );

  test(
    "and a change during the read of the log stops what that read was for",
    inHarness(async (h) => {
      await h.put("s1");
      const [socket] = await boundMany(h, 1, "s1");
      withoutEvents(h);
      const logs = gateAll(h.host, "log");
      await h.notify("s1");
      assertEquals(logs.length, 1);
      const reads = gateAll(h.host, "read");
      await h.subscriptions.delete("s1", ALICE);
      await h.notifier.changed("s1");
      logs[0]?.open();
      await h.settle();
      assertEquals(socket?.story(), []);
      reads[0]?.open();
      await h.settle();
      assertEquals(socket?.story(), ["not-found Subscription/s1", "close 1008 access-lost"]);
    }),
  );

  test(
    "and a slow read that began before a bind's does not undo what that one saw",
    inHarness(async (h) => {
      await h.put("s1");
      const [socket] = await boundMany(h, 1, "s1");
      const reads = gateAll(h.host, "read");
      await h.put("s1", { status: "off" });
      await h.advance(5000);
      await h.notify("s1");
      reads[0]?.look();
      await h.settle();
      h.host.heal("read");
      await h.put("s1");
      const second = await h.bound(["s1"]);
      reads[0]?.open();
      await h.settle();
      await h.notify("s1");
      assertEquals(socket?.story(), ["event s1 1", "event s1 2"]);
      assertEquals(second.story(), ["event s1 2"]);
    }),
  );

  test(
    "and a bind that read before a change does not make that change forgotten",
    inHarness({ singleUse: true }, async (h) => {
      await h.put("s1");
      const [socket] = await boundMany(h, 1, "s1");
      const late = await h.open();
      const redeem = h.host.hold("redeem");
      await late.say(`bind-with-token ${await h.mint(["s1"])}`);
      const reads = gateAll(h.host, "read");
      await h.subscriptions.delete("s1", ALICE);
      await h.notifier.changed("s1");
      redeem.release();
      await h.notify("s1");
      assertEquals([socket?.story(), late.story()], [[], []]);
      h.host.heal("read");
      for (const read of reads) read.open();
      await h.settle();
      for (const one of [socket, late]) {
        assertEquals(one?.story(), ["not-found Subscription/s1", "close 1008 access-lost"]);
      }
    }),
  );
});

describe("a lookup that fails", () => {
  for (const how of ["throws", "rejects", "hangs"] as const) {
    test(
      `(it ${how}) holds events, which follow in order once it answers`,
      inHarness(async (h) => {
        await h.put("s1");
        const [socket] = await boundMany(h, 1, "s1");
        if (how === "hangs") h.host.hang("read");
        else h.host.fail("read", new Error("down"), how);
        await h.advance(5000);
        for (let n = 0; n < 3; n++) await h.notify("s1");
        await h.advance(30_000);
        assertEquals(socket?.story(), []);
        h.host.heal("read");
        await h.advance(10_000);
        await h.notify("s1");
        assertEquals(socket?.story(), ["event s1 1", "event s1 2", "event s1 3", "event s1 4"]);
      }),
    );

    test(
      `(it ${how}) ends bindings as no-store after a minute`,
      inHarness(async (h) => {
        await h.put("s1");
        const [socket] = await boundMany(h, 1, "s1");
        if (how === "hangs") h.host.hang("read");
        else h.host.fail("read", new Error("down"), how);
        await h.advance(5000);
        await h.notify("s1");
        await h.advance(59_999);
        assertEquals(socket?.story(), []);
        await h.advance(16_000);
        assertEquals(socket?.story(), ["no-store Subscription/s1", "close 1008 store"]);
      }),
    );
  }

  test(
    "now and then ends nothing: only a whole minute does",
    inHarness(async (h) => {
      await h.put("s1");
      const [socket] = await boundMany(h, 1, "s1");
      let calls = 0;
      h.host.on("read", (proceed) => {
        calls += 1;
        if (calls % 3 > 0) throw new Error("down");
        return proceed();
      });
      for (let n = 0; n < 40; n++) {
        await h.notify("s1");
        await h.advance(5000);
      }
      h.host.heal("read");
      await h.advance(10_000);
      assertEquals(socket?.story(), Array.from({ length: 40 }, (_, n) => `event s1 ${n + 1}`));
    }),
  );

  test(
    "is asked again once per round, however many sockets and events wait",
    inHarness(async (h) => {
      await h.put("s1");
      await boundMany(h, 20, "s1");
      h.host.fail("read");
      await h.advance(5000);
      await h.notify("s1");
      h.host.calls.length = 0;
      await h.advance(10_000);
      assertEquals(h.host.count("read"), 2);
    }),
  );

  test(
    "while the log is down as well ends bindings as no-store after a minute",
    inHarness(async (h) => {
      await h.put("s1");
      const [socket] = await boundMany(h, 1, "s1");
      await h.notify("s1");
      h.host.fail("read");
      h.host.fail("heads");
      h.host.fail("log");
      await h.advance(5000);
      await h.notifier.changed("s1");
      await h.advance(66_000);
      assertEquals(socket?.story(), ["event s1 1", "no-store Subscription/s1", "close 1008 store"]);
    }),
  );

  test(
    "waits no longer than a minute when the clock is set back",
    inHarness(async (h) => {
      await h.put("s1");
      const [socket] = await boundMany(h, 1, "s1");
      h.host.fail("read");
      await h.advance(5000);
      await h.notify("s1");
      h.time.setWall(-3_600_000);
      await h.advance(70_000);
      assertEquals(socket?.story(), ["no-store Subscription/s1", "close 1008 store"]);
    }),
  );

  test(
    "in a way that nobody foresaw is one that fails",
    inHarness({ bugs: true }, async (h) => {
      await h.put("s1");
      const [socket] = await boundMany(h, 1, "s1");
      const odd = {
        resourceType: "Subscription",
        id: "s1",
        get status(): string {
          throw new Error("odd");
        },
      };
      answer(h.host, "read", () => odd);
      await h.notifier.changed("s1");
      await h.settle();
      h.host.heal("read");
      await h.advance(5000);
      await h.notify("s1");
      assertEquals(socket?.story(), ["event s1 1"]);
    }),
  );
});

describe("a Subscription that is requested", () => {
  test(
    "is activated once by a bind, before its handshake",
    inHarness(async (h) => {
      await h.put("s1", { status: "requested" });
      const socket = await h.open();
      await h.bind(socket, await h.mint(["s1"]));
      assertEquals(h.host.count("activate"), 1);
      const [handshake] = socket.frames;
      assertEquals(handshake?.kind === "notification" && handshake.status, "active");
      await h.notify("s1");
      assertEquals(socket.story(), ["event s1 1"]);
    }),
  );

  test(
    "is activated once for many that bind at once",
    inHarness(async (h) => {
      await h.put("s1", { status: "requested" });
      const sockets = await Promise.all(Array.from({ length: 10 }, () => h.open()));
      const token = await h.mint(["s1"]);
      for (const socket of sockets) socket.session.receive(`bind-with-token ${token}`);
      await h.settle();
      assertEquals(h.host.count("activate"), 1);
    }),
  );

  test(
    "holds events while it cannot be activated, and is tried again",
    inHarness(async (h) => {
      await h.put("s1", { status: "requested" });
      h.host.fail("activate");
      const socket = await h.bound(["s1"]);
      await h.notify("s1");
      await h.advance(10_000);
      assertEquals(socket.story(), []);
      h.host.heal("activate");
      await h.advance(5000);
      assertEquals(socket.story(), ["event s1 1"]);
    }),
  );

  test(
    "waits for the host where that cannot be asked to activate it",
    inHarness({ subscriptions: { read: () => held.subscription } }, async (h) => {
      held.subscription = makeSubscription("s1", h.version, { status: "requested" });
      const socket = await h.bound(["s1"]);
      await h.notify("s1");
      assertEquals(socket.story(), []);
      held.subscription = makeSubscription("s1", h.version);
      await h.notifier.changed("s1");
      await h.settle();
      assertEquals(socket.story(), ["event s1 1"]);
    }),
  );
  const held: { subscription?: FhirSubscription } = {};
});

describe("a Subscription in error", () => {
  test(
    "counts and holds events, and releases them in order when told that it is active",
    inHarness(async (h) => {
      await h.put("s1");
      const [socket] = await boundMany(h, 1, "s1");
      await h.change("s1", { status: "error" });
      for (let n = 0; n < 250; n++) await h.notify("s1");
      assertEquals(socket?.story(), []);
      await h.change("s1", {});
      assertEquals(socket?.story(), Array.from({ length: 250 }, (_, n) => `event s1 ${n + 1}`));
    }),
  );

  test(
    "releases them within recheck and reconcile when nobody tells",
    inHarness(async (h) => {
      await h.put("s1", { status: "error" });
      const [socket] = await boundMany(h, 1, "s1");
      await h.notify("s1");
      await h.put("s1");
      await h.advance(10_000);
      assertEquals(socket?.story(), ["event s1 1"]);
    }),
  );

  test(
    "is bound with a handshake that says so, and counts",
    inHarness(async (h) => {
      await h.put("s1", { status: "error" });
      await h.notify("s1");
      const socket = await h.open();
      const [handshake] = await h.bind(socket, await h.mint(["s1"]));
      assert(handshake?.kind === "notification");
      assertEquals([handshake.status, handshake.count], ["error", "1"]);
    }),
  );
});

describe("new facts apply from the next notification on", () => {
  test(
    "content",
    inHarness(async (h) => {
      await h.put("s1");
      const [socket] = await boundMany(h, 1, "s1");
      assert(socket !== undefined);
      for (const content of ["empty", "id-only", "full-resource"] as const) {
        await h.change("s1", { content });
        await h.notify("s1");
      }
      const seen = notifications(socket).map(({ events, entries }) => [events[0]?.focus, entries.length]);
      const focus = `${h.base}/${EVENT.focus}`;
      assertEquals(seen, [[undefined, 0], [focus, 0], [focus, 1]]);
    }),
  );

  test(
    "content without a word, once recheck is over",
    inHarness(async (h) => {
      await h.put("s1");
      const [socket] = await boundMany(h, 1, "s1");
      assert(socket !== undefined);
      await h.put("s1", { content: "id-only" });
      await h.notify("s1");
      await h.advance(5000);
      await h.notify("s1");
      assertEquals(notifications(socket).map(({ events }) => events[0]?.focus), [
        undefined,
        `${h.base}/${EVENT.focus}`,
      ]);
    }),
  );

  test(
    "end, sooner and later",
    inHarness(async (h) => {
      await h.put("s1");
      const [socket] = await boundMany(h, 1, "s1");
      const inSeconds = (seconds: number) => new Date(h.time.now() + seconds * 1000).toISOString();
      await h.change("s1", { end: inSeconds(20) });
      await h.advance(10_000);
      await h.change("s1", { end: inSeconds(30) });
      await h.advance(29_999);
      await h.notify("s1");
      assertEquals(socket?.story(), ["event s1 1"]);
      await h.advance(1);
      assertEquals(socket?.story(), ["expired Subscription/s1", "close 1008 expired"]);
    }),
  );

  test(
    "maxCount, in the middle of what has piled up",
    inHarness({ mayReceive: () => true }, async (h) => {
      await h.put("s1", { status: "error", maxCount: 10 });
      const socket = await h.bound(["s1"]);
      for (let n = 0; n < 25; n++) await h.notify("s1");
      const asked = gateAll(h.host, "may-receive");
      await h.change("s1", { maxCount: 10 });
      for (const event of asked.splice(0)) event.open();
      await h.settle();
      await h.change("s1", { maxCount: 3 });
      h.host.heal("may-receive");
      for (const event of asked) event.open();
      await h.settle();
      assertEquals(notifications(socket).map(({ events }) => events.length), [10, 3, 3, 3, 3, 3]);
    }),
  );
});

describe("maxCount", () => {
  test(
    "batches what has piled up, and says the highest number",
    inHarness(async (h) => {
      await h.put("s1", { status: "error", maxCount: 4 });
      const [socket] = await boundMany(h, 1, "s1");
      for (let n = 0; n < 10; n++) await h.notify("s1");
      await h.change("s1", { maxCount: 4 });
      assertEquals(socket?.story(), ["event s1 4 [1,2,3,4]", "event s1 8 [5,6,7,8]", "event s1 10 [9,10]"]);
      await h.notify("s1");
      assertEquals(socket?.story(), ["event s1 11"]);
    }),
  );

  test(
    "is one where it is not named, and in the JSON dialect",
    inHarness(async (h) => {
      await h.put("s1", { status: "error", maxCount: 4 });
      const socket = await h.bound(["s1"], ALICE, { dialect: "json" });
      for (let n = 0; n < 3; n++) await h.notify("s1");
      await h.change("s1", { maxCount: 4 });
      assertEquals(socket.story(), ["event s1 1", "event s1 2", "event s1 3"]);
    }),
  );

  test(
    "above a page of the log loses nothing",
    inHarness(async (h) => {
      await h.put("s1", { status: "error", maxCount: 150 });
      const socket = await h.bound(["s1"]);
      for (let n = 0; n < 320; n++) await h.notify("s1");
      await h.change("s1", { maxCount: 150 });
      const numbers = notifications(socket).flatMap(({ events }) => events.map(({ number }) => number));
      assertEquals(numbers, Array.from({ length: 320 }, (_, n) => String(n + 1)));
    }),
  );
});

describe("mayReceive", () => {
  test(
    "withholds one event from one caller, and the sequence goes on without it",
    inHarness({ mayReceive: ({ number }, _, { id }) => id === "bob" || number % 2 === 0 }, async (h) => {
      answer(h.host, "read", () => makeSubscription("s1", h.version)); // everybody's
      const alice = await h.bound(["s1"], ALICE);
      const bob = await h.bound(["s1"], BOB);
      for (let n = 0; n < 5; n++) await h.notify("s1");
      assertEquals(alice.story(), ["event s1 2", "event s1 4"]);
      assertEquals(bob.story(), [1, 2, 3, 4, 5].map((n) => `event s1 ${n}`));
    }),
  );

  test(
    "thins batches out",
    inHarness({ mayReceive: ({ number }) => ![2, 5, 6, 7, 8, 9].includes(number) }, async (h) => {
      await h.put("s1", { status: "error", maxCount: 4 });
      const socket = await h.bound(["s1"]);
      for (let n = 0; n < 9; n++) await h.notify("s1");
      await h.change("s1", { maxCount: 4 });
      await h.notify("s1");
      assertEquals(socket.story(), ["event s1 4 [1,3,4]", "event s1 10"]);
    }),
  );

  test(
    "is asked by the Subscription as it is now and with the claims of who is bound",
    inHarness({ mayReceive: () => true }, async (h) => {
      answer(h.host, "read", () => makeSubscription("s1", h.version, { content: "id-only" }));
      await h.bound(["s1"], CLINICIAN);
      await h.bound(["s1"], AUDITOR);
      await h.notify("s1");
      const asked = h.host.calls.filter(({ name }) => name === "may-receive").map(({ args }) => args.slice(1));
      const subscription = makeSubscription("s1", h.version, { content: "id-only" });
      assertEquals(asked, [[subscription, CLINICIAN], [subscription, AUDITOR]]);
    }),
  );

  for (const how of ["throws", "rejects", "hangs"] as const) {
    test(
      `that ${how} holds events, and ends bindings as no-store after a minute`,
      inHarness({ mayReceive: () => true }, async (h) => {
        await h.put("s1");
        await h.put("s2");
        const [one, two] = [await h.bound(["s1"]), await h.bound(["s2"])];
        const on = (id: string) =>
          h.host.on("may-receive", (proceed, [, subscription]) => {
            if (!JSON.stringify(subscription).includes(`"${id}"`)) return proceed();
            if (how === "throws") throw new Error("down");
            return how === "hangs" ? new Promise(() => {}) : Promise.reject(new Error("down"));
          });
        on("s1");
        await h.notify(["s1", "s2"]);
        await h.advance(30_000);
        assertEquals([one.story(), two.story()], [[], ["event s2 1"]]);
        on("s2");
        await h.advance(10_000);
        await h.notify(["s1", "s2"]);
        assertEquals([one.story(), two.story()], [["event s1 1", "event s1 2"], []]);
        await h.advance(80_000);
        assertEquals(two.story(), ["no-store Subscription/s2", "close 1008 store"]);
        await h.notify("s1");
        assertEquals(one.story(), ["event s1 3"]);
      }),
    );
  }

  test(
    "that answers after a change is asked again",
    inHarness({ mayReceive: () => true }, async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      const asked = gateAll(h.host, "may-receive");
      await h.notify("s1");
      await h.change("s1", { content: "id-only" });
      asked[0]?.open();
      await h.settle();
      assertEquals(socket.story(), []);
      asked[1]?.open();
      await h.settle();
      const [event] = notifications(socket);
      assertEquals(event?.events[0]?.focus, `${h.base}/${EVENT.focus}`);
    }),
  );

  test(
    "that answers after a renewal in the JSON dialect is asked again: that has one event in a frame",
    inHarness({ mayReceive: () => true }, async (h) => {
      await h.put("s1", { status: "error", maxCount: 5 });
      const socket = await h.bound(["s1"]);
      for (let n = 0; n < 5; n++) await h.notify("s1");
      const asked = gateAll(h.host, "may-receive");
      await h.change("s1", { maxCount: 5 });
      await h.bind(socket, await h.mint(["s1"]), "json");
      h.host.heal("may-receive");
      for (const event of asked) event.open();
      await h.settle();
      assertEquals(socket.story(), [1, 2, 3, 4, 5].map((n) => `event s1 ${n}`));
    }),
  );

  test(
    "that answers after a renewal with other claims is asked again with those",
    inHarness({ mayReceive: (_event, _subscription, { claims }) => claims?.role === "clinician" }, async (h) => {
      answer(h.host, "read", () => makeSubscription("s1", h.version));
      const socket = await h.bound(["s1"], CLINICIAN);
      const asked = gateAll(h.host, "may-receive");
      await h.notify("s1");
      await h.bind(socket, await h.mint(["s1"], AUDITOR));
      asked[0]?.open();
      h.host.heal("may-receive");
      await h.settle();
      assertEquals(socket.story(), []);
    }),
  );
});

describe("a slow reader", () => {
  test(
    "keeps its place, and goes on in order when its buffer has room again",
    inHarness({ limits: { sendBuffer: 1000 } }, async (h) => {
      await h.put("s1", { maxCount: 50 });
      const [slow, fast] = await boundMany(h, 2, "s1");
      assert(slow !== undefined && fast !== undefined);
      slow.bufferedAmount = 1001;
      for (let n = 0; n < 120; n++) await h.notify("s1");
      assertEquals(slow.story(), []);
      assertEquals(fast.story().length, 120);
      await slow.drain();
      const batches = notifications(slow).map(({ events }) => events.length);
      assertEquals(batches, [50, 50, 20]);
      await h.notify("s1");
      assertEquals([slow.story(), fast.story()], [["event s1 121"], ["event s1 121"]]);
    }),
  );

  test(
    "costs no memory but its send buffer",
    inHarness({ limits: { sendBuffer: 5000 } }, async (h) => {
      await h.put("s1");
      const slow = await h.open({ reportsDrain: true });
      slow.send = (text) => {
        slow.bufferedAmount += text.length;
        return FakeSocket.prototype.send.call(slow, text);
      };
      await h.bind(slow, await h.mint(["s1"]));
      for (let n = 0; n < 200; n++) await h.notify("s1");
      assert(slow.bufferedAmount < 6000, "it is at most one frame above the limit");
      const seen: string[] = [];
      for (let n = 0; n < 100; n++) {
        seen.push(...slow.story());
        await slow.drain();
      }
      assertEquals(seen, Array.from({ length: 200 }, (_, n) => `event s1 ${n + 1}`));
    }),
  );

  test(
    "whose runtime did not take a frame loses nothing",
    inHarness(async (h) => {
      await h.put("s1");
      const [socket] = await boundMany(h, 1, "s1");
      assert(socket !== undefined);
      await h.notify("s1");
      socket.full = true;
      await h.notify("s1");
      await h.notify("s1");
      await socket.drain();
      socket.full = true;
      await h.change("s1", { maxCount: 5 });
      await h.notify("s1");
      await h.notify("s1");
      await socket.drain();
      assertEquals(socket.story(), ["event s1 1", "event s1 2", "event s1 3", "event s1 5 [4,5]"]);
    }),
  );

  test(
    "whose runtime did not take the handshake gets it, then what follows",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.open();
      socket.full = true;
      await h.bind(socket, await h.mint(["s1"]));
      await h.notify("s1");
      assertEquals(socket.story(), []);
      await socket.drain();
      await h.notify("s1");
      assertEquals(socket.story(), ["handshake s1 1", "event s1 2"]);
    }),
  );

  test(
    "whose runtime did not take the news of an end, or a refusal, hears it in order when it has drained",
    inHarness(async (h) => {
      await h.put("s1");
      await h.put("s2");
      const socket = await h.bound(["s1", "s2"]);
      socket.full = true;
      await h.change("s1", { status: "off" });
      await socket.say("nonsense");
      await h.notify("s2");
      assertEquals(socket.story(), []);
      await socket.drain();
      assertEquals(socket.story(), ["business-rule Subscription/s1", "not-supported", "event s2 1"]);
    }),
  );

  test(
    "is closed with 1013 after drainDeadline, which begins anew each time that it drains",
    inHarness({ limits: { drainDeadline: 10 } }, async (h) => {
      await h.put("s1");
      const socket = await h.open({ reportsDrain: true });
      await h.bind(socket, await h.mint(["s1"]));
      socket.bufferedAmount = 2 ** 21;
      await h.notify("s1");
      await h.advance(9999);
      await socket.drain();
      assertEquals(socket.story(), ["event s1 1"]);
      socket.bufferedAmount = 2 ** 21;
      await h.notify("s1");
      await h.advance(9999);
      assertEquals(socket.closing, undefined);
      await h.advance(1);
      assertEquals(socket.story(), ["close 1013 slow reader"]);
      assertEquals(h.toldOf("ended").map(({ reason }) => reason), ["slow"]);
    }),
  );

  for (const reportsDrain of [true, false]) {
    test(
      `is ${reportsDrain ? "not looked at" : "looked at four times a second"} where its runtime ${
        reportsDrain ? "tells" : "does not tell"
      } that it has drained`,
      inHarness(async (h) => {
        await h.put("s1");
        const socket = await h.open({ reportsDrain });
        await h.bind(socket, await h.mint(["s1"]));
        let looks = 0;
        let buffered = 2 ** 21;
        Object.defineProperty(socket, "bufferedAmount", {
          get: () => {
            looks += 1;
            return buffered;
          },
        });
        await h.notify("s1");
        await h.notify("s1");
        looks = 0;
        await h.advance(4000);
        assertEquals(looks, reportsDrain ? 0 : 16);
        buffered = 0;
        await h.advance(250);
        assertEquals(socket.story(), reportsDrain ? [] : ["event s1 1", "event s1 2"]);
      }),
    );
  }

  test(
    "does not keep what was pruned meanwhile: it is told, and goes on with what there is",
    inHarness({ maxEvents: 10 }, async (h) => {
      await h.put("s1");
      const [socket] = await boundMany(h, 1, "s1");
      assert(socket !== undefined);
      socket.bufferedAmount = 2 ** 21;
      for (let n = 0; n < 15; n++) await h.notify("s1");
      await socket.drain();
      const [first] = socket.frames.slice(1);
      assert(first?.kind === "outcome");
      assertEquals(first.issues[0]?.details.text, "Events 1 to 5 are not kept any more");
      const expected = Array.from({ length: 10 }, (_, n) => `event s1 ${n + 6}`);
      assertEquals(socket.story(), ["incomplete Subscription/s1", ...expected]);
    }),
  );

  test(
    "that does not take the news of lost events hears it when it does",
    inHarness({ maxEvents: 2 }, async (h) => {
      await h.put("s1");
      const [socket] = await boundMany(h, 1, "s1");
      assert(socket !== undefined);
      socket.bufferedAmount = 2 ** 21;
      for (let n = 0; n < 4; n++) await h.notify("s1");
      socket.full = true;
      socket.bufferedAmount = 0;
      socket.session.drained();
      await h.settle();
      await h.notify("s1");
      await socket.drain();
      assertEquals(socket.story(), ["incomplete Subscription/s1", "event s1 4", "event s1 5"]);
    }),
  );
});

describe("the pump", () => {
  test(
    "is woken by a hint alone",
    inHarness(async (h) => {
      await h.put("s1");
      const sockets = await boundMany(h, 3, "s1");
      withoutEvents(h);
      for (let n = 0; n < 5; n++) await h.notify("s1");
      for (const socket of sockets) assertEquals(socket.story(), [1, 2, 3, 4, 5].map((n) => `event s1 ${n}`));
      assertEquals(h.host.count("log"), 5, "sockets at the same place share a read");
    }),
  );

  test(
    "shares no read that was begun before the event that it was woken for",
    inHarness(async (h) => {
      await h.put("s1");
      const [first, second] = await boundMany(h, 2, "s1");
      assert(first !== undefined && second !== undefined);
      withoutEvents(h);
      second.bufferedAmount = 2 ** 21;
      const logs = gateAll(h.host, "log");
      await h.notifier.changed("s1");
      await h.settle();
      assertEquals(logs.length, 1, "the first looks into the log, where there is nothing yet");
      logs[0]?.look();
      await h.settle();
      await h.notify("s1");
      await second.drain();
      h.host.heal("log");
      for (const log of logs) log.open();
      await h.settle();
      assertEquals([first.story(), second.story()], [["event s1 1"], ["event s1 1"]]);
    }),
  );

  test(
    "does not spin when the log's pages lag behind its head, and looks again in time",
    inHarness(async (h) => {
      await h.put("s1");
      const [socket] = await boundMany(h, 1, "s1");
      withoutEvents(h);
      answer(h.host, "log", () => ({ events: [], oldest: 1, head: 1 }));
      await h.notify("s1");
      assertEquals(h.host.count("log"), 1);
      h.host.heal("log");
      await h.advance(5000);
      assertEquals(socket?.story(), ["event s1 1"]);
    }),
  );

  test(
    "reads the log when nothing can be made of what the bus carries, and nobody else suffers",
    inHarness({ bugs: true }, async (h) => {
      await h.put("s1", { content: "full-resource" });
      await h.put("s2");
      const [one, two] = [await h.bound(["s1"]), await h.bound(["s2"])];
      intercept(h.host, (pass, message) => {
        const odd = {
          toJSON: () => {
            throw new Error("odd");
          },
        };
        Object.assign(message, { event: { ...EVENT, resource: odd } });
        pass();
      });
      await h.notify(["s1", "s2"]);
      assertEquals([one.story(), two.story()], [["event s1 1"], ["event s2 1"]]);
    }),
  );

  test(
    "sends nothing after an end that came while it read",
    inHarness(async (h) => {
      await h.put("s1");
      await h.put("s2");
      const socket = await h.bound(["s1", "s2"]);
      withoutEvents(h);
      const logs = gateAll(h.host, "log");
      await h.notify("s1");
      await h.change("s1", { status: "off" });
      for (const log of logs) log.open();
      h.host.heal("log");
      await h.notify("s2");
      assertEquals(socket.story(), ["business-rule Subscription/s1", "event s2 1"]);
    }),
  );

  test(
    "sends nothing at the second of expiry, though the log was read before",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"], ALICE, { lifetime: 10 });
      withoutEvents(h);
      const logs = gateAll(h.host, "log");
      await h.notify("s1");
      h.time.setWall(10_000);
      for (const log of logs) log.open();
      await h.settle();
      assertEquals(socket.story(), ["expired Subscription/s1", "close 1008 expired"]);
    }),
  );
});

describe("what has recovered", () => {
  for (const name of ["log", "may-receive", "read"] as const) {
    test(
      `(${name}) is not looked at any more without need`,
      inHarness({ ...(name === "may-receive" && { mayReceive: () => true }) }, async (h) => {
        await h.put("s1");
        const [socket] = await boundMany(h, 1, "s1");
        if (name === "log") withoutEvents(h);
        if (name === "read") await h.advance(5000);
        h.host.fail(name);
        await h.notify("s1");
        h.host.heal(name);
        await h.advance(5000);
        assertEquals(socket?.story(), ["event s1 1"]);
        h.host.calls.length = 0;
        await h.advance(30_000);
        assertEquals([h.host.count("log"), h.host.count("read"), h.host.count("may-receive")], [0, 0, 0]);
      }),
    );
  }

  test(
    "or was not needed meanwhile may fail again: its minute begins anew",
    inHarness(async (h) => {
      await h.put("s1");
      const [socket] = await boundMany(h, 1, "s1");
      withoutEvents(h);
      h.host.fail("log");
      await h.notify("s1");
      await h.change("s1", { status: "error" });
      await h.advance(120_000);
      await h.change("s1", {});
      await h.advance(30_000);
      assertEquals(socket?.closing, undefined);
      h.host.heal("log");
      await h.advance(5000);
      assertEquals(socket?.story(), ["event s1 1"]);
    }),
  );
});

describe("a message that comes twice", () => {
  test(
    "costs no read of the log",
    inHarness(async (h) => {
      await h.put("s1");
      const [socket] = await boundMany(h, 1, "s1");
      intercept(h.host, (pass) => {
        pass();
        pass();
      });
      for (let n = 0; n < 3; n++) await h.notify("s1");
      assertEquals([socket?.story(), h.host.count("log")], [["event s1 1", "event s1 2", "event s1 3"], 0]);
    }),
  );
});

describe("a log that fails", () => {
  for (const how of ["throws", "rejects", "hangs"] as const) {
    test(
      `(it ${how}) holds events, which follow in order once it answers`,
      inHarness(async (h) => {
        await h.put("s1");
        const [socket] = await boundMany(h, 1, "s1");
        withoutEvents(h);
        if (how === "hangs") h.host.hang("log");
        else h.host.fail("log", new Error("down"), how);
        for (let n = 0; n < 3; n++) await h.notify("s1");
        await h.advance(30_000);
        assertEquals(socket?.story(), []);
        h.host.heal("log");
        await h.advance(10_000);
        await h.notify("s1");
        assertEquals(socket?.story(), ["event s1 1", "event s1 2", "event s1 3", "event s1 4"]);
      }),
    );

    for (const heads of ["answers", "fails"] as const) {
      test(
        `(it ${how}, and the count of its events ${heads}) ends bindings as no-store after a minute`,
        inHarness(async (h) => {
          await h.put("s1");
          const [socket] = await boundMany(h, 1, "s1");
          withoutEvents(h);
          if (how === "hangs") h.host.hang("log");
          else h.host.fail("log", new Error("down"), how);
          if (heads === "fails") h.host.fail("heads");
          await h.notify("s1");
          await h.advance(59_999);
          assertEquals(socket?.story(), []);
          await h.advance(20_000);
          assertEquals(socket?.story(), ["no-store Subscription/s1", "close 1008 store"]);
        }),
      );
    }
  }

  test(
    "now and then ends nothing, even where an event came another way meanwhile",
    inHarness(async (h) => {
      await h.put("s1", { heartbeatPeriod: 1 });
      const [socket] = await boundMany(h, 1, "s1");
      for (let n = 1; n <= 3; n++) {
        h.host.fail("log");
        // First a hint, which makes it look into the log in vain, then the event itself.
        const passes: (() => void)[] = [];
        intercept(h.host, (pass, message) => {
          const { event } = { event: undefined, ...message };
          passes.push(() => {
            Object.assign(message, { event });
            pass();
          });
          Object.assign(message, { event: undefined });
          pass();
        });
        await h.notify("s1");
        for (const pass of passes) pass();
        await h.settle();
        h.host.heal("log");
        h.host.heal("hear");
        await h.advance(50_000);
      }
      const events = socket?.story().filter((words) => !words.startsWith("heartbeat"));
      assertEquals(events, ["event s1 1", "event s1 2", "event s1 3"]);
    }),
  );
});
