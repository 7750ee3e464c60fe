// What a first bind receives of the past.

import { assert, assertEquals } from "@std/assert";
import { describe, test } from "node:test";
import { answer, gateAll, intercept } from "../tools/gates.ts";
import { ALICE, BOB, type FakeSocket, type Harness, inHarness, makeSubscription, type ServerFrame } from "./harness.ts";

async function raise(h: Harness, count: number, id = "s1"): Promise<void> {
  for (let n = 0; n < count; n++) await h.notify(id);
}

/** Binds on a new socket and tells what came. */
async function bindFrom(h: Harness, since?: Record<string, unknown>): Promise<string[]> {
  const socket = await h.open();
  await h.bind(socket, await h.mint(["s1"]), "json", since);
  return socketStory(socket);
}

/** The story of all frames, those that were taken already too. */
function socketStory(socket: FakeSocket): string[] {
  const [first, ...others] = socket.frames;
  const words = others.flatMap((frame) =>
    frame.kind === "notification" ? frame.events.map(({ number }) => number) : text(frame)
  );
  return [first?.kind === "notification" ? `${first.type} ${first.count}` : "nothing", words.join(" ")].filter(Boolean);
}

function text(frame: ServerFrame): string[] {
  return frame.kind === "outcome" ? frame.issues.map(({ code, details }) => `${code}: ${details.text}`) : [];
}

function range(first: number, last: number): string {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, n) => first + n).join(" ");
}

describe("eventsSinceNumber", () => {
  const rows: readonly { readonly since: unknown; readonly replayed: string }[] = [
    { since: "4", replayed: range(4, 7) },
    { since: 4, replayed: range(4, 7) },
    { since: "1", replayed: range(1, 7) },
    { since: "0", replayed: range(1, 7) },
    { since: "7", replayed: "7" },
    { since: "8", replayed: "" },
    { since: "1000000", replayed: "" },
  ];
  for (const { since, replayed } of rows) {
    test(
      `${JSON.stringify(since)} of seven replays ${replayed || "nothing"}`,
      inHarness(async (h) => {
        await h.put("s1");
        await raise(h, 7);
        assertEquals(await bindFrom(h, { s1: since }), ["handshake 7", replayed].filter(Boolean));
        await raise(h, 1);
        assertEquals(h.sockets[0]?.story(), ["event s1 8"]);
      }),
    );
  }

  test(
    "is each Subscription's own, and those that are not named begin at the head",
    inHarness(async (h) => {
      for (const id of ["s1", "s2", "s3"]) {
        await h.put(id);
        await raise(h, 3, id);
      }
      const socket = await h.open();
      await h.bind(socket, await h.mint(["s1", "s2", "s3"]), "json", { s1: "3", s3: "2", s9: "1" });
      const story = socket.frames.map((frame) =>
        frame.kind === "notification" ? `${frame.subscription} ${frame.type}` : ""
      );
      assertEquals(story.sort(), [
        "s1 event-notification",
        "s1 handshake",
        "s2 handshake",
        "s3 event-notification",
        "s3 event-notification",
        "s3 handshake",
      ]);
    }),
  );

  test(
    "goes before what the binder would replay by itself",
    inHarness({ replay: { last: 5 } }, async (h) => {
      await h.put("s1");
      await raise(h, 7);
      assertEquals(await bindFrom(h, { s1: "7" }), ["handshake 7", "7"]);
      assertEquals(await bindFrom(h, { s1: "1" }), ["handshake 7", range(1, 7)]);
    }),
  );

  test(
    "goes on without a gap into what comes meanwhile",
    inHarness(async (h) => {
      await h.put("s1");
      await raise(h, 250);
      const socket = await h.open();
      const logs = gateAll(h.host, "log");
      await h.bind(socket, await h.mint(["s1"]), "json", { s1: "1" });
      await raise(h, 3);
      for (let n = 0; n < 10; n++) {
        for (const log of logs.splice(0)) log.open();
        await raise(h, 1);
      }
      h.host.heal("log");
      for (const log of logs) log.open();
      await h.settle();
      assertEquals(socketStory(socket), ["handshake 250", range(1, 263)]);
    }),
  );

  for (const order of [[undefined, { s1: "3" }], [{ s1: "3" }, undefined]] as const) {
    test(
      `of ${order[0] ? "the first" : "the second"} of two binds counts while the handshake of both waits`,
      inHarness(async (h) => {
        await h.put("s1");
        await raise(h, 4);
        h.host.fail("heads");
        const socket = await h.open();
        for (const since of order) await h.bind(socket, await h.mint(["s1"]), "json", since);
        h.host.heal("heads");
        await h.advance(5000);
        assertEquals(socketStory(socket), ["handshake 4", "3 4"]);
      }),
    );
  }
});

describe("a renewal never replays", () => {
  for (const replay of ["none", "missed", { last: 5 }] as const) {
    test(
      `with ${JSON.stringify(replay)}`,
      inHarness({ replay }, async (h) => {
        await h.put("s1");
        const socket = await h.bound(["s1"], ALICE, { dialect: "json" });
        await raise(h, 3);
        socket.take();
        await h.bind(socket, await h.mint(["s1"]), "json", { s1: "1" });
        await h.notify("s1");
        const story = socket.frames.slice(-2).map((frame) => frame.kind === "notification" && frame.type);
        assertEquals(story, ["handshake", "event-notification"]);
        assertEquals(socket.frames.length, 6);
      }),
    );
  }

  test(
    "but a bind after an unbind is a first one",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.open();
      const token = await h.mint(["s1"]);
      await h.bind(socket, token, "json");
      await raise(h, 2);
      await socket.say({ type: "unbind-from-token", payload: { token } });
      await h.bind(socket, token, "json", { s1: "2" });
      assertEquals(socketStory(socket)[1], "1 2 2");
    }),
  );
});

describe('replay "none"', () => {
  test(
    "begins at the head",
    inHarness(async (h) => {
      await h.put("s1");
      await raise(h, 3);
      const socket = await h.bound(["s1"]);
      await raise(h, 1);
      socket.disconnect();
      await raise(h, 1);
      assertEquals(await bindFrom(h), ["handshake 5"]);
      assertEquals(socket.story(), ["event s1 4"]);
    }),
  );
});

describe('replay "last"', () => {
  for (const [last, replayed] of [[1, "7"], [3, "5 6 7"], [7, range(1, 7)], [100, range(1, 7)]] as const) {
    test(
      `${last} of seven`,
      inHarness({ replay: { last } }, async (h) => {
        await h.put("s1");
        await raise(h, 7);
        assertEquals(await bindFrom(h), ["handshake 7", replayed]);
      }),
    );
  }

  test(
    "of none is none",
    inHarness({ replay: { last: 3 } }, async (h) => {
      await h.put("s1");
      assertEquals(await bindFrom(h), ["handshake 0"]);
    }),
  );
});

describe('replay "missed"', () => {
  const options = { replay: "missed" } as const;

  test(
    "replays what came since the last that was sent, after whatever end of the socket",
    inHarness(options, async (h) => {
      await h.put("s1");
      await raise(h, 2);
      const socket = await h.bound(["s1"]);
      await raise(h, 2);
      socket.disconnect();
      await raise(h, 3);
      assertEquals(await bindFrom(h), ["handshake 7", "5 6 7"]);
    }),
  );

  test(
    "replays nothing at the very first bind",
    inHarness(options, async (h) => {
      await h.put("s1");
      await raise(h, 3);
      assertEquals(await bindFrom(h), ["handshake 3"]);
    }),
  );

  test(
    "remembers for ten minutes, and not a millisecond longer",
    inHarness(options, async (h) => {
      await h.put("s1");
      for (const [wait, replayed] of [[599_999, true], [600_000, false]] as const) {
        const socket = await h.bound(["s1"]);
        socket.disconnect();
        await raise(h, 1);
        await h.advance(wait);
        const [, numbers] = await bindFrom(h);
        assertEquals(numbers !== undefined, replayed);
        h.sockets.at(-1)?.disconnect();
        await h.advance(600_000);
      }
    }),
  );

  test(
    "counts what any socket of the caller was sent, in whatever order they left",
    inHarness(options, async (h) => {
      await h.put("s1");
      for (const order of [[0, 1], [1, 0]] as const) {
        const sockets = [await h.bound(["s1"]), await h.bound(["s1"])];
        const slow = sockets[1];
        assert(slow !== undefined);
        for (const socket of sockets) socket.take();
        const head = (await h.log.heads([JSON.stringify([h.base, null, "s1"])]))[0] ?? 0;
        await raise(h, 1);
        slow.bufferedAmount = 2 ** 21;
        await raise(h, 2);
        for (const n of order) sockets[n]?.disconnect();
        await raise(h, 1);
        assertEquals((await bindFrom(h))[1], String(head + 4));
        h.sockets.at(-1)?.disconnect();
      }
    }),
  );

  test(
    "is the caller's alone, whatever the claims, and the Subscription's alone",
    inHarness(options, async (h) => {
      answer(h.host, "read", (id) => makeSubscription(String(id), h.version)); // everybody's
      const alice = await h.bound(["s1"], { ...ALICE, claims: { role: "clinician" } });
      await raise(h, 1);
      alice.disconnect();
      await raise(h, 1);
      await raise(h, 1, "s2");
      const [again, bob, other] = [await h.open(), await h.open(), await h.open()];
      await h.bind(again, await h.mint(["s1"], { ...ALICE, claims: { role: "auditor" } }));
      await h.bind(bob, await h.mint(["s1"], BOB));
      await h.bind(other, await h.mint(["s2"], ALICE));
      assertEquals([again, bob, other].map(socketStory), [["handshake 2", "2"], ["handshake 2"], ["handshake 1"]]);
    }),
  );

  test(
    "forgets a Subscription that has gone: one made anew with its id counts anew",
    inHarness(options, async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      await raise(h, 5);
      await h.subscriptions.delete("s1", ALICE);
      await h.notifier.deleted("s1");
      await h.settle();
      assertEquals(socket.closing?.reason, "access-lost");
      await h.put("s1");
      const second = await h.bound(["s1"]);
      await raise(h, 2);
      second.disconnect();
      await raise(h, 6);
      assertEquals(await bindFrom(h), ["handshake 8", range(3, 8)]);
    }),
  );

  test(
    "forgets it at once: what the new one has had before is no more than that",
    inHarness(options, async (h) => {
      await h.put("s1");
      await h.bound(["s1"]);
      await raise(h, 2);
      await h.subscriptions.delete("s1", ALICE);
      await h.notifier.deleted("s1");
      await h.settle();
      await h.put("s1");
      await raise(h, 5);
      assertEquals(await bindFrom(h), ["handshake 5"]);
    }),
  );

  test(
    "forgets one that was made anew while its caller was away",
    inHarness(options, async (h) => {
      await h.put("s1");
      const first = await h.bound(["s1"]);
      await raise(h, 5);
      first.disconnect();
      await h.notifier.deleted("s1");
      await raise(h, 1);
      const second = await h.bound(["s1"]);
      await raise(h, 1);
      second.disconnect();
      await raise(h, 6);
      assertEquals(await bindFrom(h), ["handshake 8", range(3, 8)]);
    }),
  );

  test(
    "does not remember a binding that never had its handshake",
    inHarness(options, async (h) => {
      await h.put("s1");
      h.host.fail("heads");
      const socket = await h.open();
      await h.bind(socket, await h.mint(["s1"]));
      socket.disconnect();
      h.host.heal("heads");
      await raise(h, 3);
      assertEquals(await bindFrom(h), ["handshake 3"]);
    }),
  );
});

describe("maxReplay", () => {
  const limits = { maxReplay: 4 };

  test(
    "bounds what a client asks for, and says what it leaves out",
    inHarness({ limits }, async (h) => {
      await h.put("s1");
      await raise(h, 10);
      assertEquals(await bindFrom(h, { s1: "3" }), [
        "handshake 10",
        `incomplete: Events 3 to 6 are not replayed ${range(7, 10)}`,
      ]);
      assertEquals(await bindFrom(h, { s1: "7" }), ["handshake 10", range(7, 10)]);
    }),
  );

  test(
    "bounds what was missed",
    inHarness({ limits, replay: "missed" }, async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      socket.disconnect();
      await raise(h, 10);
      assertEquals((await bindFrom(h))[1], `incomplete: Events 1 to 6 are not replayed ${range(7, 10)}`);
    }),
  );

  test(
    "leaves nothing out in silence when the socket has no room at first",
    inHarness({ limits }, async (h) => {
      await h.put("s1");
      await raise(h, 10);
      const socket = await h.open();
      const send = socket.send.bind(socket);
      socket.send = (frame) => {
        const taken = send(frame);
        socket.full = true;
        return taken;
      };
      await h.bind(socket, await h.mint(["s1"]), "json", { s1: "1" });
      for (let n = 0; n < 10; n++) await socket.drain();
      assertEquals(socketStory(socket), [
        "handshake 10",
        `incomplete: Events 1 to 6 are not replayed ${range(7, 10)}`,
      ]);
    }),
  );

  test(
    "counts from the handshake: what comes while events are held is no replay",
    inHarness({ limits }, async (h) => {
      await h.put("s1", { status: "error" });
      await raise(h, 5);
      const socket = await h.open();
      await h.bind(socket, await h.mint(["s1"]), "json", { s1: "1" });
      await raise(h, 10);
      await h.change("s1", {});
      assertEquals(socketStory(socket)[1], `incomplete: Events 1 to 1 are not replayed ${range(2, 15)}`);
    }),
  );
});

describe("events that were pruned", () => {
  test(
    "are announced, and the oldest kept comes next",
    inHarness({ maxEvents: 3 }, async (h) => {
      await h.put("s1");
      await raise(h, 10);
      assertEquals(await bindFrom(h, { s1: "2" }), [
        "handshake 10",
        "incomplete: Events 2 to 7 are not kept any more 8 9 10",
      ]);
    }),
  );

  test(
    "to the last are announced too",
    inHarness(async (h) => {
      await h.put("s1");
      await raise(h, 3);
      await h.advance(86_401_000);
      assertEquals(await bindFrom(h, { s1: "2" }), ["handshake 3", "incomplete: Events 2 to 3 are not kept any more"]);
      await raise(h, 1);
      assertEquals(h.sockets.at(-1)?.frames.length, 3);
    }),
  );

  test(
    "are not announced to who did not ask for them",
    inHarness({ maxEvents: 3 }, async (h) => {
      await h.put("s1");
      await raise(h, 10);
      assertEquals(await bindFrom(h, { s1: "8" }), ["handshake 10", "8 9 10"]);
      assertEquals(await bindFrom(h), ["handshake 10"]);
    }),
  );
});

test(
  "a bind shares no read of the log that began before the Subscription was made anew",
  inHarness({ signer: "stateless" }, async (h) => {
    await h.put("s1");
    await raise(h, 2);
    const old = await h.open();
    const logs = gateAll(h.host, "log");
    await h.bind(old, await h.mint(["s1"]), "json", { s1: "1" });
    logs[0]?.look();
    await h.settle();
    intercept(h.host, () => {}); // the bus loses what follows
    await h.subscriptions.delete("s1", ALICE);
    await h.notifier.deleted("s1");
    await h.put("s1", {}, BOB);
    await raise(h, 1);
    const next = await h.open();
    h.host.on("log", (proceed) => proceed());
    await h.bind(next, await h.mint(["s1"], BOB), "json", { s1: "1" });
    for (const log of logs) log.open();
    await h.settle();
    assertEquals(socketStory(next), ["handshake 1", "1"]);
  }),
);
