// What is found by looking, where no message told of it.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, test } from "node:test";
import { gateAll, intercept } from "../tools/gates.ts";
import { ALICE, BOB, type FakeSocket, type Harness, inHarness } from "./harness.ts";

/** The bus loses the messages for which this holds, by their count from 1. */
function lose({ host }: Harness, which: (n: number) => boolean = () => true): void {
  let heard = 0;
  intercept(host, (pass) => {
    heard += 1;
    if (!which(heard)) pass();
  });
}

describe("an event whose message was lost", () => {
  test(
    "is found by the next one's number, at once",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      lose(h, (n) => n === 2 || n === 3);
      for (let n = 0; n < 4; n++) await h.notify("s1");
      assertEquals(socket.story(), ["event s1 1", "event s1 2", "event s1 3", "event s1 4"]);
    }),
  );

  test(
    "is found within reconcile when it was the last",
    inHarness({ reconcile: 7 }, async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      lose(h);
      await h.notify("s1");
      await h.advance(6999);
      assertEquals(socket.story(), []);
      await h.advance(1);
      assertEquals(socket.story(), ["event s1 1"]);
    }),
  );

  test(
    "is found at once when the bus says that it has lost some",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      lose(h);
      await h.notify("s1");
      h.host.heal("hear");
      await h.bus.publish({ type: "resync" });
      await h.advance(0);
      assertEquals(socket.story(), ["event s1 1"]);
    }),
  );

  test(
    "is sent once when its message comes after all",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      const messages = gateAll(h.host, "hear");
      await h.notify("s1");
      await h.notify("s1");
      await h.advance(5000);
      for (const message of messages.reverse()) message.open();
      await h.settle();
      assertEquals(socket.story(), ["event s1 1", "event s1 2"]);
    }),
  );

  test(
    "is found by a publisher that was told nothing of it",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      h.host.fail("publish");
      await h.notify("s1");
      assertEquals(h.toldOf("error").map(({ during }) => during), ["bus"]);
      await h.advance(5000);
      assertEquals(socket.story(), ["event s1 1"]);
    }),
  );

  test(
    "is found by a binding at the place of another that reads since before it",
    inHarness({ storeTimeout: 60_000 }, async (h) => {
      await h.put("s1");
      const [first, second] = [await h.bound(["s1"]), await h.bound(["s1"])];
      first.bufferedAmount = 2 ** 21;
      await h.change("s1", {});
      const logs = gateAll(h.host, "log");
      await first.drain();
      logs[0]?.look();
      await h.settle();
      lose(h);
      await h.notify("s1");
      await h.advance(4000);
      h.host.heal("log");
      await h.advance(999);
      assertEquals([first.story(), second.story()], [[], []]);
      await h.advance(1);
      logs[0]?.open();
      await h.settle();
      assertEquals([first.story(), second.story()], [["event s1 1"], ["event s1 1"]]);
    }),
  );
});

describe("the heads of the log are read", () => {
  test(
    "in batches, each key once, however many bindings",
    inHarness(async (h) => {
      const ids = Array.from({ length: 1200 }, (_, n) => `s${n}`);
      for (const id of ids) await h.put(id);
      for (let n = 0; n < 12; n++) await h.bound(ids.slice(n * 100, n * 100 + 100));
      for (let n = 0; n < 3; n++) await h.bound(ids.slice(0, 100));
      h.host.calls.length = 0;
      await h.advance(5000);
      const asked = h.host.calls.filter(({ name }) => name === "heads").map(({ args: [keys] }) => [keys].flat());
      assertEquals(asked.map(({ length }) => length), [500, 500, 200]);
      assertEquals(new Set(asked.flat()).size, 1200);
    }),
  );

  test(
    "as far as the log gives them: one batch that fails keeps nobody else waiting",
    inHarness(async (h) => {
      const ids = Array.from({ length: 700 }, (_, n) => `s${n}`);
      for (const id of ids) await h.put(id);
      const sockets: FakeSocket[] = [];
      for (let n = 0; n < 7; n++) sockets.push(await h.bound(ids.slice(n * 100, n * 100 + 100)));
      lose(h);
      await h.notify(["s1", "s650"]);
      const key = JSON.stringify([h.base, null, "s1"]);
      let failures = 0;
      h.host.on("heads", (proceed, [keys]) => {
        if (failures > 0 || ![keys].flat().includes(key)) return proceed();
        failures += 1;
        throw new Error("down");
      });
      await h.advance(5000);
      assertEquals([sockets[0]?.story(), sockets[6]?.story()], [[], ["event s650 1"]]);
      await h.advance(5000);
      assertEquals(sockets[0]?.story(), ["event s1 1"]);
    }),
  );

  test(
    "not at all without sockets, and not twice at a time",
    inHarness({ storeTimeout: 60_000 }, async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      socket.disconnect();
      h.host.calls.length = 0;
      await h.advance(60_000);
      assertEquals(h.host.calls, []);
      await h.bound(["s1"]);
      const heads = gateAll(h.host, "heads");
      await h.advance(5000);
      for (let n = 0; n < 20; n++) await h.bus.publish({ type: "resync" });
      await h.open();
      await h.advance(6000);
      assertEquals(heads.length, 1);
      heads[0]?.open();
      await h.advance(0);
      assertEquals(heads.length, 2, "and once more, for what came meanwhile");
      heads[1]?.open();
      await h.advance(4999);
      assertEquals(heads.length, 2);
    }),
  );

  test(
    "in time by a wall clock that was set back",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      await h.advance(1000);
      h.time.setWall(-3_600_000);
      lose(h);
      await h.notify("s1");
      await h.advance(6000);
      assertEquals(socket.story(), ["event s1 1"]);
    }),
  );
});

test(
  "what hangs for one Subscription, token or handshake keeps nobody else from the next round",
  inHarness({ storeTimeout: 20_000 }, async (h) => {
    await h.put("s1");
    await h.put("b1", {}, BOB);
    const bob = await h.bound(["b1"], BOB);
    const waits = await h.open();
    h.host.fail("heads");
    await waits.say(`bind-with-token ${await h.mint(["s1"])}`);
    h.host.heal("heads");
    h.host.on("read", (proceed, [id]) => id === "b1" ? proceed() : new Promise(() => {}));
    await h.notifier.changed("s1");
    h.host.hang("surviving");
    await h.bus.publish({ type: "revoked", subject: 'caller:[null,"alice"]' });
    lose(h);
    for (let n = 1; n <= 3; n++) {
      await h.notify("b1");
      await h.advance(5000);
      assertEquals(bob.story(), [`event b1 ${n}`]);
    }
    await h.advance(20_000);
  }),
);

describe("a log that cannot be reached", () => {
  test(
    "ends nobody who waits for nothing",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      h.host.fail("heads");
      h.host.fail("log");
      await h.advance(600_000);
      h.host.healAll();
      await h.notify("s1");
      assertEquals(socket.story(), ["event s1 1"]);
    }),
  );

  for (const how of ["fails", "hangs"] as const) {
    test(
      `(it ${how}) makes handshakes wait, and events follow them`,
      inHarness(async (h) => {
        await h.put("s1");
        if (how === "fails") h.host.fail("heads");
        else h.host.hang("heads");
        const socket = await h.open();
        await socket.say(`bind-with-token ${await h.mint(["s1"])}`);
        await h.notify("s1");
        await h.advance(20_000);
        assertEquals(socket.story(), []);
        h.host.heal("heads");
        await h.advance(10_000);
        await h.notify("s1");
        assertEquals(socket.story(), ["handshake s1 1", "event s1 2"]);
      }),
    );
  }

  test(
    "makes renewals' handshakes wait while events go on",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      h.host.fail("heads");
      await h.bind(socket, await h.mint(["s1"]));
      await h.notify("s1");
      assertEquals(socket.story(), ["event s1 1"]);
      h.host.heal("heads");
      await h.advance(5000);
      assertEquals(socket.story(), ["handshake s1 1"]);
    }),
  );
});

describe("an id that was made anew", () => {
  for (const signer of ["opaque", "stateless"] as const) {
    test(
      `ends the bindings of the old one, though no message told (${signer})`,
      inHarness({ signer }, async (h) => {
        await h.put("s1");
        const socket = await h.bound(["s1"]);
        for (let n = 0; n < 3; n++) await h.notify("s1");
        lose(h);
        await h.notifier.deleted("s1");
        await h.notify("s1");
        await h.advance(5000);
        // Whether its tokens or its log are missed first is all the same.
        const [end, close] = socket.story().slice(3);
        assertMatch(end ?? "", /^(unknown|not-found) Subscription\/s1$/);
        assertMatch(close ?? "", /^close 1008 (revoked|access-lost)$/);
      }),
    );
  }

  test(
    "is seen by who reads on",
    inHarness({ signer: "stateless" }, async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      for (let n = 0; n < 3; n++) await h.notify("s1");
      lose(h, (n) => n === 1);
      await h.notifier.deleted("s1");
      const key = JSON.stringify([h.base, null, "s1"]);
      await h.bus.publish({ type: "event", keys: [key], numbers: [9] });
      await h.settle();
      assertEquals(socket.story().slice(3), ["not-found Subscription/s1", "close 1008 access-lost"]);
    }),
  );

  test(
    "is not suspected of one that is ahead of old news",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      const heads = gateAll(h.host, "heads");
      await h.advance(5000);
      heads[0]?.look();
      await h.settle();
      await h.notify("s1");
      heads[0]?.open();
      h.host.heal("heads");
      await h.settle();
      await h.notify("s1");
      assertEquals(socket.story(), ["event s1 1", "event s1 2"]);
    }),
  );

  test(
    "gives its new owner nothing of the old one's",
    inHarness(async (h) => {
      await h.put("s1");
      const old = await h.bound(["s1"], ALICE);
      for (let n = 0; n < 3; n++) await h.notify("s1");
      lose(h);
      await h.subscriptions.delete("s1", ALICE);
      await h.notifier.deleted("s1");
      await h.put("s1", {}, BOB);
      h.host.heal("hear");
      const next = await h.bound(["s1"], BOB);
      await h.notify("s1");
      await h.advance(5000);
      assertEquals(old.story().slice(3), ["not-found Subscription/s1", "close 1008 access-lost"]);
      assertEquals(next.story(), ["event s1 1"]);
    }),
  );
});

describe("a bus", () => {
  test(
    "is listened to once for all sockets, from the first bind on",
    inHarness(async (h) => {
      await h.put("s1");
      await h.open();
      assertEquals(h.host.count("listen"), 0);
      const sockets = await Promise.all(Array.from({ length: 10 }, () => h.open()));
      const token = await h.mint(["s1"]);
      for (const socket of sockets) socket.session.receive(`bind-with-token ${token}`);
      await h.settle();
      assertEquals(h.host.count("listen"), 1);
    }),
  );

  test(
    "that could not be listened to is tried again by the next bind",
    inHarness(async (h) => {
      await h.put("s1");
      h.host.fail("listen");
      const socket = await h.open();
      await socket.say(`bind-with-token ${await h.mint(["s1"])}`);
      h.host.heal("listen");
      await socket.say(`bind-with-token ${await h.mint(["s1"])}`);
      await h.notify("s1");
      assertEquals(socket.story(), ["no-store", "handshake s1 0", "event s1 1"]);
    }),
  );

  test(
    "that answers too late is not heard twice",
    inHarness(async (h) => {
      await h.put("s1");
      const listens = gateAll(h.host, "listen");
      const socket = await h.open();
      await socket.say(`bind-with-token ${await h.mint(["s1"])}`);
      await h.advance(5000);
      assertEquals(socket.story(), ["no-store"]);
      await socket.say(`bind-with-token ${await h.mint(["s1"])}`);
      for (const listen of listens) listen.open();
      await h.settle();
      h.host.calls.length = 0;
      await h.notify("s1");
      assertEquals(h.host.count("hear"), 1);
      assertEquals(socket.story(), ["handshake s1 0", "event s1 1"]);
    }),
  );

  test(
    "whose beginning fails is left, and is not heard twice",
    inHarness(async (h) => {
      await h.put("s1");
      h.host.fail("revocations");
      const socket = await h.open();
      for (let n = 0; n < 3; n++) await socket.say(`bind-with-token ${await h.mint(["s1"])}`);
      h.host.heal("revocations");
      await socket.say(`bind-with-token ${await h.mint(["s1"])}`);
      socket.take();
      h.host.calls.length = 0;
      await h.notify("s1");
      assertEquals([h.host.count("hear"), socket.story()], [1, ["event s1 1"]]);
    }),
  );

  test(
    "is heard no more after close, and no round follows",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"], ALICE, { answersClose: false });
      socket.terminate = () => {};
      const closing = h.binder.close();
      await h.advance(1000);
      await closing;
      assertEquals([h.binder.stats().sockets, h.time.armed], [0, 0]);
      h.host.calls.length = 0;
      await h.bus.publish({ type: "resync" });
      await h.advance(60_000);
      assertEquals(h.host.calls.filter(({ name }) => name !== "publish"), []);
    }),
  );

  test(
    "may carry what nobody understands",
    inHarness({ bugs: true }, async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      const odd: unknown[] = [null, 7, {}, { type: "event" }, { type: "event", keys: [1], numbers: "x" }, {
        type: "no",
      }];
      for (const message of odd) await h.bus.publish(message as never); // whatever another process may send
      await h.notify("s1");
      assertEquals(socket.story(), ["event s1 1"]);
    }),
  );
});

test(
  "a store that is down in one round is asked in the next, and nobody is asked without need",
  inHarness(async (h) => {
    await h.put("s1");
    await h.bound(["s1"]);
    h.host.calls.length = 0;
    h.host.fail("heads");
    h.host.fail("revocations");
    await h.advance(5000);
    h.host.healAll();
    await h.advance(5000);
    const asked = h.host.calls.map(({ name }) => name).sort();
    assertEquals(asked, ["heads", "heads", "revocations", "revocations"]);
    assert(h.binder.stats().bindings === 1);
  }),
);
