// What a bind races with: each at every moment of the bind, with a bus that works and with one that loses the message.

import type { Revocation } from "@fhir-ws/binding";
import { assert, assertEquals } from "@std/assert";
import { describe, test } from "node:test";
import { answer, gateAll, intercept } from "../tools/gates.ts";
import {
  ALICE,
  BOB,
  type FakeSocket,
  type Harness,
  type HarnessOptions,
  inHarness,
  makeSubscription,
} from "./harness.ts";

/** A moment of a bind: a call that is held, before it looks at anything or with its answer in hand. */
interface Moment {
  readonly name: string;
  readonly call: "verify" | "read" | "redeem" | "heads";
  readonly when: "before" | "after";
  /** Nothing is bound yet: a bind that has lost is refused. */
  readonly refuses: boolean;
  readonly singleUse?: true;
}

const MOMENTS: readonly Moment[] = [
  { name: "before the token is looked up", call: "verify", when: "before", refuses: true },
  { name: "after the token was looked up", call: "verify", when: "after", refuses: true },
  { name: "before the Subscription is read", call: "read", when: "before", refuses: true },
  { name: "after the Subscription was read", call: "read", when: "after", refuses: true },
  { name: "before the redeem", call: "redeem", when: "before", refuses: false, singleUse: true },
  { name: "after the redeem", call: "redeem", when: "after", refuses: false, singleUse: true },
  { name: "between register and the head", call: "heads", when: "before", refuses: false },
  { name: "between the head and the handshake", call: "heads", when: "after", refuses: false },
];

/** The bus loses every message. */
function deafen({ host }: Harness): void {
  intercept(host, () => {});
}

/** Binds a token and does something at that moment. */
async function bindAt(
  h: Harness,
  moment: Moment,
  token: string,
  meanwhile: () => Promise<void> | void,
): Promise<FakeSocket> {
  const socket = await h.open();
  const hold = h.host.hold(moment.call, moment.when);
  await socket.say(`bind-with-token ${token}`);
  assertEquals(hold.waiting, 1, "the bind is where it is to be");
  await meanwhile();
  hold.release();
  await h.settle();
  return socket;
}

/** One test per moment, in a world in which s1 is Alice's. */
function atEachMoment(
  name: string,
  options: HarnessOptions,
  run: (h: Harness, moment: Moment) => Promise<void>,
  moments: readonly Moment[] = MOMENTS,
): void {
  describe(name, () => {
    for (const moment of moments) {
      test(
        moment.name,
        inHarness({ ...options, ...(moment.singleUse && { singleUse: true }) }, async (h) => {
          await h.put("s1");
          await run(h, moment);
        }),
      );
    }
  });
}

const REVOCATIONS: readonly { readonly name: string; readonly what: Revocation }[] = [
  { name: "the token", what: { token: "jti-1" } },
  { name: "the Subscription", what: { subscription: "s1" } },
  { name: "the caller", what: { caller: "alice" } },
];

for (const { name, what } of REVOCATIONS) {
  for (const signer of ["opaque", "jwt"] as const) {
    atEachMoment(`a bind never outlives a revocation of ${name} (${signer})`, { signer }, async (h, moment) => {
      const token = await h.mint(["s1"], ALICE, { id: "jti-1" });
      const socket = await bindAt(h, moment, token, () => h.notifier.revoke(what));
      await h.notify("s1");
      const end = moment.refuses ? ["unknown"] : ["unknown Subscription/s1", "close 1008 revoked"];
      assertEquals(socket.story(), end);
      assertEquals(h.binder.stats().bindings, 0);
    });
  }

  atEachMoment(`a bind outlives a revocation of ${name} no longer than a lost message is`, {}, async (h, moment) => {
    const token = await h.mint(["s1"], ALICE, { id: "jti-1" });
    deafen(h);
    const socket = await bindAt(h, moment, token, () => h.notifier.revoke(what));
    await h.advance(5000);
    const story = socket.story();
    const isTooLate = moment.refuses && moment.when === "before" && moment.call === "verify";
    assertEquals(
      story,
      isTooLate ? ["unknown"] : ["handshake s1 0", "unknown Subscription/s1", "close 1008 revoked"],
    );
  });

  atEachMoment(
    `a bind never outlives a revocation of ${name} that a reconciliation has found meanwhile`,
    { storeTimeout: 60_000 },
    async (h, moment) => {
      const token = await h.mint(["s1"], ALICE, { id: "jti-1" });
      deafen(h);
      const socket = await bindAt(h, moment, token, async () => {
        await h.notifier.revoke(what);
        await h.advance(5000);
      });
      const end = moment.refuses ? ["unknown"] : ["unknown Subscription/s1", "close 1008 revoked"];
      assertEquals(socket.story(), end);
      assertEquals(h.binder.stats().bindings, 0);
    },
  );

  describe(`a message about ${name} that comes late`, () => {
    test(
      "and twice leaves a newer token's binding alone",
      inHarness(async (h) => {
        await h.put("s1");
        const messages = gateAll(h.host, "hear");
        await h.notifier.revoke(what);
        const socket = await h.bound(["s1"], ALICE, { id: "jti-2" });
        messages[0]?.open();
        await h.settle();
        await h.notifier.revoke({ token: "another" });
        messages[1]?.open();
        messages[0]?.open();
        h.host.heal("hear");
        await h.notify("s1");
        assertEquals(socket.story(), ["event s1 1"]);
      }),
    );

    test(
      "during a bind of a newer token leaves that bind alone",
      inHarness({ singleUse: true }, async (h) => {
        await h.put("s1");
        const messages = gateAll(h.host, "hear");
        await h.notifier.revoke(what);
        const token = await h.mint(["s1"], ALICE, { id: "jti-2" });
        const socket = await h.open();
        const hold = h.host.hold("redeem");
        await socket.say(`bind-with-token ${token}`);
        messages[0]?.open();
        await h.settle();
        hold.release();
        h.host.heal("hear");
        await h.settle();
        await h.notify("s1");
        assertEquals(socket.story(), ["handshake s1 0", "event s1 1"]);
      }),
    );
  });
}

describe("a token that binds while an older one's end is looked into", () => {
  for (const { name, what } of REVOCATIONS) {
    test(
      `keeps the binding when ${name} was revoked`,
      inHarness(async (h) => {
        await h.put("s1");
        const socket = await h.bound(["s1"], ALICE, { id: "jti-1" });
        const reads = gateAll(h.host, "read");
        await h.notifier.revoke(what);
        await h.settle();
        assertEquals(reads.length, 1, "whether the Subscription has gone is looked into");
        const token = await h.mint(["s1"], ALICE, { id: "jti-2" });
        await socket.say(`bind-with-token ${token}`);
        reads[1]?.open();
        await h.settle();
        reads[0]?.open();
        h.host.heal("read");
        await h.settle();
        await h.notify("s1");
        assertEquals(socket.story(), ["handshake s1 0", "event s1 1"]);
      }),
    );
  }
});

atEachMoment("a bind never outlives its token", {}, async (h, moment) => {
  const token = await h.mint(["s1"], ALICE, { lifetime: 2 });
  const socket = await bindAt(h, moment, token, () => h.advance(2000));
  await h.notify("s1");
  assertEquals(socket.story(), moment.refuses ? ["expired"] : ["expired Subscription/s1", "close 1008 expired"]);
});

atEachMoment("a bind never outlives its Subscription", {}, async (h, moment) => {
  await h.put("s1", { end: new Date(h.time.now() + 2000).toISOString() });
  const token = await h.mint(["s1"]);
  const socket = await bindAt(h, moment, token, () => h.advance(2000));
  await h.notify("s1");
  assertEquals(
    socket.story(),
    moment.refuses ? ["business-rule Subscription/s1"] : ["expired Subscription/s1", "close 1008 expired"],
  );
});

describe("a bind and a delete", () => {
  async function remove(h: Harness): Promise<void> {
    await h.subscriptions.delete("s1", ALICE);
    await h.notifier.deleted("s1");
  }

  for (const signer of ["opaque", "stateless"] as const) {
    const moments = MOMENTS.filter(({ singleUse }) => !singleUse || signer !== "stateless");
    atEachMoment(`the bind loses (${signer})`, { signer }, async (h, moment) => {
      const token = await h.mint(["s1"]);
      const socket = await bindAt(h, moment, token, () => remove(h));
      await h.advance(5000);
      // Whoever looks for the Subscription first does not find it; who looks at the token first does not know it.
      const looksAtToken = moment.name === "before the token is looked up" ||
        moment.name === "after the Subscription was read";
      const refusal = signer === "opaque" && looksAtToken ? "unknown" : "not-found Subscription/s1";
      assertEquals(
        socket.story(),
        moment.refuses ? [refusal] : ["not-found Subscription/s1", "close 1008 access-lost"],
      );
    }, moments);
  }

  atEachMoment("the bind loses within a reconciliation where the message was lost", {}, async (h, moment) => {
    const token = await h.mint(["s1"]);
    deafen(h);
    const socket = await bindAt(h, moment, token, () => remove(h));
    await h.advance(5000);
    const story = socket.story();
    if (moment.call === "verify" && moment.when === "before") assertEquals(story, ["unknown"]);
    else if (moment.call === "verify" || moment.when === "before" && moment.call === "read") {
      assertEquals(story, ["not-found Subscription/s1"]);
    } else assertEquals(story, ["handshake s1 0", "not-found Subscription/s1", "close 1008 access-lost"]);
  });
});

describe("a bind and a change", () => {
  atEachMoment("that takes access away: nothing is sent by what was read before", {}, async (h, moment) => {
    const token = await h.mint(["s1"]);
    const socket = await bindAt(h, moment, token, async () => {
      await h.subscriptions.delete("s1", ALICE);
      await h.notifier.changed("s1");
    });
    assertEquals(
      socket.story(),
      moment.refuses ? ["not-found Subscription/s1"] : ["not-found Subscription/s1", "close 1008 access-lost"],
    );
  });

  atEachMoment("of content: the handshake says what is true now", {}, async (h, moment) => {
    const token = await h.mint(["s1"]);
    const socket = await bindAt(h, moment, token, async () => {
      await h.put("s1", { status: "error" });
      await h.notifier.changed("s1");
    });
    const frames = socket.take();
    assertEquals(frames.map((frame) => frame.kind === "notification" && [frame.type, frame.status]), [
      ["handshake", "error"],
    ]);
  });

  test(
    "a handshake waits for a read that a change has asked for, however slow it is",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.open();
      const heads = h.host.hold("heads");
      await socket.say(`bind-with-token ${await h.mint(["s1"])}`);
      const reads = gateAll(h.host, "read");
      await h.subscriptions.delete("s1", ALICE);
      await h.notifier.changed("s1");
      heads.release();
      await h.settle();
      assertEquals(socket.story(), []);
      for (const read of reads) read.open();
      h.host.heal("read");
      await h.settle();
      assertEquals(socket.story(), ["not-found Subscription/s1", "close 1008 access-lost"]);
    }),
  );

  test(
    "a handshake that waits for the log and for a read comes once both answer",
    inHarness(async (h) => {
      await h.put("s1");
      h.host.fail("heads");
      const socket = await h.open();
      await socket.say(`bind-with-token ${await h.mint(["s1"])}`);
      h.host.fail("read");
      await h.notifier.changed("s1");
      await h.advance(5000);
      h.host.heal("heads");
      await h.advance(5000);
      assertEquals(socket.story(), []);
      h.host.heal("read");
      await h.advance(5000);
      assertEquals(socket.story(), ["handshake s1 0"]);
    }),
  );

  test(
    "a bind that keeps being overtaken gives up, is counted once, and burns nothing",
    inHarness({ singleUse: true, rateLimit: () => undefined }, async (h) => {
      await h.put("s1");
      const token = await h.mint(["s1"]);
      const socket = await h.open();
      h.host.on("verify", async (proceed) => {
        const answer = await proceed();
        await h.notifier.changed("s1");
        return answer;
      });
      assertEquals((await h.bind(socket, token)).length, 1);
      assertEquals([h.host.count("redeem"), h.host.count("rate-limit")], [0, 1]);
      assertEquals(h.toldOf("bind-refused").map(({ code }) => code), ["unavailable"]);
      h.host.heal("verify");
      await h.bind(socket, token);
      assertEquals(h.binder.stats().bindings, 1);
    }),
  );
});

atEachMoment("a bind and a close: nothing stays, nothing is sent", {}, async (h, moment) => {
  const token = await h.mint(["s1"]);
  const socket = await bindAt(h, moment, token, () => h.sockets[0]?.disconnect());
  await h.notify("s1");
  assertEquals(socket.story(), []);
  assertEquals(h.binder.stats(), { sockets: 0, bindings: 0, subscriptions: 0 });
  assertEquals(h.toldOf("bound").length, moment.refuses || moment.singleUse ? 0 : 1);
  if (moment.call === "verify" || moment.call === "read") assertEquals(h.host.count("redeem"), 0);
});

atEachMoment("a bind and the binder's end: nothing stays, nothing is sent", {}, async (h, moment) => {
  const token = await h.mint(["s1"]);
  const socket = await bindAt(h, moment, token, () => h.binder.close());
  assertEquals(socket.story(), ["close 1001 going away"]);
  assertEquals(h.binder.stats(), { sockets: 0, bindings: 0, subscriptions: 0 });
});

describe("a bind", () => {
  for (const resource of [{}, { id: "another" }, { id: undefined }]) {
    test(
      `binds the id that was asked for when the host answers with ${JSON.stringify(resource)}`,
      inHarness(async (h) => {
        answer(h.host, "read", () => ({ ...makeSubscription("s1", h.version), id: undefined, ...resource }));
        const socket = await h.open();
        await socket.say(`bind-with-token ${await h.mint(["s1"])}`);
        await h.notify(["s1", "another"]);
        assertEquals(socket.story(), ["handshake s1 0", "event s1 1"]);
      }),
    );
  }

  test(
    "leaves nothing behind on a socket that closes as its handshake is sent",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.open();
      const send = socket.send.bind(socket);
      socket.send = (text) => {
        send(text);
        socket.disconnect();
      };
      await socket.say(`bind-with-token ${await h.mint(["s1"])}`);
      await h.advance(0);
      assertEquals(h.time.armed, 0);
    }),
  );

  test(
    "that read before a later one did does not bring old facts back",
    inHarness({ singleUse: true }, async (h) => {
      await h.put("s1");
      const sockets = [await h.bound(["s1"])];
      const early = await h.open();
      const redeem = h.host.hold("redeem");
      await early.say(`bind-with-token ${await h.mint(["s1"])}`);
      h.host.heal("redeem");
      await h.put("s1", { status: "error" });
      sockets.push(await h.bound(["s1"]), early);
      redeem.release();
      await h.settle();
      await h.notify("s1");
      early.take();
      assertEquals(sockets.map((socket) => socket.story()), [[], [], []]);
      await h.change("s1", {});
      for (const socket of sockets) assertEquals(socket.story(), ["event s1 1"]);
    }),
  );

  test(
    "leaves nothing behind on a socket that the host closes when it is told",
    inHarness({ onEvent: ({ type }) => type === "bound" && closeAll() }, async (h) => {
      closeAll = () => h.sockets.forEach((socket) => socket.disconnect());
      for (const id of ["s1", "s2", "s3"]) await h.put(id);
      const socket = await h.open();
      await socket.say(`bind-with-token ${await h.mint(["s1", "s2", "s3"])}`);
      await h.notify(["s1", "s2", "s3"]);
      assertEquals(socket.story(), []);
      assertEquals(h.binder.stats(), { sockets: 0, bindings: 0, subscriptions: 0 });
    }),
  );
  let closeAll = (): void => {};
});

describe("two binds of one token", () => {
  for (const moment of MOMENTS.filter(({ singleUse }) => !singleUse)) {
    test(
      `on one socket, the second sent ${moment.name}: two handshakes, one binding`,
      inHarness(async (h) => {
        await h.put("s1");
        const token = await h.mint(["s1"]);
        const socket = await h.open();
        const hold = h.host.hold(moment.call, moment.when);
        await socket.say(`bind-with-token ${token}`);
        await socket.say(`bind-with-token ${token}`);
        hold.release();
        await h.settle();
        await h.notify("s1");
        assertEquals(socket.story(), ["handshake s1 0", "handshake s1 0", "event s1 1"]);
        assertEquals(h.binder.stats().bindings, 1);
        await socket.say({ type: "unbind-from-token", payload: { token } });
        assertEquals(h.binder.stats().bindings, 0);
      }),
    );
  }

  test(
    "on two sockets: both are bound, each has its own place",
    inHarness(async (h) => {
      await h.put("s1");
      const token = await h.mint(["s1"]);
      const [one, two] = [await h.open(), await h.open()];
      const verify = h.host.hold("verify");
      await one.say(`bind-with-token ${token}`);
      await two.say(`bind-with-token ${token}`);
      verify.release();
      await h.settle();
      await h.notify("s1");
      one.disconnect();
      await h.notify("s1");
      assertEquals(one.story(), ["handshake s1 0", "event s1 1"]);
      assertEquals(two.story(), ["handshake s1 0", "event s1 1", "event s1 2"]);
    }),
  );

  for (const call of ["verify", "read", "heads", "redeem"] as const) {
    test(
      `of a single-use token on twenty sockets, all at ${call}: exactly one binds`,
      inHarness({ singleUse: true }, async (h) => {
        await h.put("s1");
        const token = await h.mint(["s1"]);
        const sockets: FakeSocket[] = [];
        for (let n = 0; n < 20; n++) sockets.push(await h.open());
        const hold = h.host.hold(call);
        for (const socket of sockets) socket.session.receive(`bind-with-token ${token}`);
        await h.settle();
        assertEquals(hold.waiting, 20);
        hold.release();
        await h.settle();
        const stories = sockets.map((socket) => socket.story().join());
        assertEquals(stories.filter((story) => story === "handshake s1 0").length, 1);
        assertEquals(stories.filter((story) => story === "unknown").length, 19);
        assertEquals(h.binder.stats().bindings, 1);
      }),
    );
  }

  test(
    "of a single-use token on one socket: the second is refused, the first stays",
    inHarness({ singleUse: true }, async (h) => {
      await h.put("s1");
      const token = await h.mint(["s1"]);
      const socket = await h.open();
      await socket.say(`bind-with-token ${token}`, `bind-with-token ${token}`);
      await h.notify("s1");
      assertEquals(socket.story(), ["handshake s1 0", "unknown", "event s1 1"]);
    }),
  );

  test(
    "by many sockets of a caller at once do not slip past the limit",
    inHarness({ limits: { socketsPerCaller: 3 } }, async (h) => {
      await h.put("s1");
      const token = await h.mint(["s1"]);
      const sockets: FakeSocket[] = [];
      for (let n = 0; n < 10; n++) sockets.push(await h.open());
      for (const socket of sockets) socket.session.receive(`bind-with-token ${token}`);
      await h.settle();
      const stories = sockets.map((socket) => socket.story().join());
      assertEquals(stories.filter((story) => story === "handshake s1 0").length, 3);
      assertEquals(stories.filter((story) => story === "too-costly").length, 7);
      for (const socket of sockets) socket.disconnect();
      const again = await h.open();
      assertEquals((await h.bind(again, token)).length, 1);
      assertEquals(again.frames.at(-1)?.kind, "notification");
    }),
  );

  test(
    "that are refused give the caller's places back",
    inHarness({ singleUse: true, limits: { socketsPerCaller: 2 } }, async (h) => {
      await h.put("s1");
      const socket = await h.open();
      h.host.fail("heads");
      for (let n = 0; n < 5; n++) await h.bind(await h.open(), await h.mint(["s1"]));
      h.host.heal("heads");
      await h.bind(socket, await h.mint(["s1"]));
      assertEquals(h.binder.stats().bindings, 1);
    }),
  );
});

describe("a redeem without an answer", () => {
  for (const reaches of [true, false]) {
    test(
      `${reaches ? "that was done" : "that was not done"} is done again by the same socket as the same attempt`,
      inHarness({ singleUse: true }, async (h) => {
        await h.put("s1");
        const token = await h.mint(["s1"]);
        h.host.on("redeem", async (proceed) => {
          if (reaches) await proceed();
          return await new Promise<never>(() => {});
        });
        const socket = await h.open();
        await socket.say(`bind-with-token ${token}`);
        await h.advance(5000);
        assertEquals(socket.story(), ["no-store"]);
        assertEquals(h.binder.stats().bindings, 0);
        h.host.heal("redeem");
        await socket.say(`bind-with-token ${token}`);
        assertEquals(socket.story(), ["handshake s1 0"]);
        const attempts = h.host.calls.filter(({ name }) => name === "redeem").map(({ args }) => args[1]);
        assertEquals(attempts.length, 2);
        assertEquals(attempts[0], attempts[1]);
        const other = await h.open();
        await other.say(`bind-with-token ${token}`);
        assertEquals(other.story(), ["unknown"]);
      }),
    );
  }

  test(
    "that fails many times counts no refusal",
    inHarness({ singleUse: true }, async (h) => {
      await h.put("s1");
      const token = await h.mint(["s1"]);
      const socket = await h.open();
      h.host.fail("redeem");
      for (let n = 0; n < 5; n++) await h.bind(socket, token);
      h.host.heal("redeem");
      await socket.say(`bind-with-token ${token}`);
      assertEquals(socket.story(), ["handshake s1 0"]);
    }),
  );
});

/** What refuses a bind, and how it is put right again. */
const REFUSALS: readonly {
  readonly name: string;
  readonly options?: HarnessOptions;
  /** Where the bind is tried; by default a new socket. */
  readonly socket?: (h: Harness) => Promise<FakeSocket>;
  readonly before?: (h: Harness) => Promise<void> | void;
  readonly after?: (h: Harness) => Promise<void> | void;
}[] = [
  {
    name: "the socket of another caller",
    socket: async (h) => {
      await h.put("b1", {}, BOB);
      return await h.bound(["b1"], BOB);
    },
  },
  {
    name: "too many bindings",
    options: { limits: { bindingsPerSocket: 1 } },
    socket: async (h) => {
      await h.put("s2");
      return await h.bound(["s2"]);
    },
  },
  {
    name: "a Subscription that is off",
    before: (h) => void h.put("s1", { status: "off" }),
    after: (h) => void h.put("s1"),
  },
  {
    name: "a Subscription that is not visible",
    before: (h) => answer(h.host, "read", () => undefined),
  },
  { name: "a lookup that is down", before: (h) => h.host.fail("read") },
  { name: "a lookup that is down at once", before: (h) => h.host.fail("read", new Error("down"), "throws") },
  { name: "a token store that is down", before: (h) => h.host.fail("verify") },
  { name: "a log that is down", before: (h) => h.host.fail("heads") },
  { name: "a log that hangs", before: (h) => h.host.hang("heads") },
  { name: "a bus that is down", before: (h) => h.host.fail("listen") },
  { name: "a count of revocations that is down", before: (h) => h.host.fail("revocations") },
  {
    name: "the rate",
    options: { rateLimit: () => undefined },
    before: (h) => answer(h.host, "rate-limit", () => 7),
  },
  {
    name: "a rate limit that is down",
    options: { rateLimit: () => undefined },
    before: (h) => h.host.fail("rate-limit"),
  },
];

describe("a single-use token is not burnt by", () => {
  for (const { name, options, socket: findSocket, before, after } of REFUSALS) {
    test(
      name,
      inHarness({ singleUse: true, ...options }, async (h) => {
        await h.put("s1");
        const token = await h.mint(["s1"]);
        const socket = await findSocket?.(h) ?? await h.open();
        await before?.(h);
        await socket.say(`bind-with-token ${token}`);
        await h.advance(5000);
        assertEquals(socket.take().map(({ kind }) => kind), ["outcome"]);
        assertEquals(h.host.calls.filter(({ name, args: [grant] }) => name === "redeem" && isFor(grant, "s1")), []);
        h.host.healAll();
        await after?.(h);
        const next = await h.open();
        await next.say(`bind-with-token ${token}`);
        assertEquals(next.story(), ["handshake s1 0"]);
      }),
    );
  }
});

function isFor(grant: unknown, id: string): boolean {
  return JSON.stringify(grant).includes(`"${id}"`);
}

describe("what fails after the redeem", () => {
  for (const how of ["fails", "hangs"] as const) {
    test(
      `leaves the binding installed and its handshake waiting when the log ${how}`,
      inHarness({ singleUse: true }, async (h) => {
        await h.put("s1");
        h.host.on("redeem", async (proceed) => {
          const answer = await proceed();
          if (how === "fails") h.host.fail("heads");
          else h.host.hang("heads");
          return answer;
        });
        const token = await h.mint(["s1"]);
        const socket = await h.open();
        await socket.say(`bind-with-token ${token}`);
        await h.notify("s1");
        await h.advance(12_000);
        assertEquals(socket.story(), []);
        assertEquals(h.binder.stats().bindings, 1);
        h.host.healAll();
        await h.advance(10_000);
        await h.notify("s1");
        assertEquals(socket.story(), ["handshake s1 1", "event s1 2"]);
      }),
    );
  }

  test(
    "ends it as no-store after a minute",
    inHarness({ singleUse: true }, async (h) => {
      await h.put("s1");
      h.host.on("redeem", async (proceed) => {
        const answer = await proceed();
        h.host.fail("heads");
        return answer;
      });
      const socket = await h.open();
      await socket.say(`bind-with-token ${await h.mint(["s1"])}`);
      await h.advance(59_000);
      assertEquals(socket.story(), []);
      await h.advance(6_000);
      assertEquals(socket.story(), ["no-store Subscription/s1", "close 1008 store"]);
    }),
  );
});

/** When an event is appended while a bind is under way. */
const STEPS = [
  "before the bind",
  "before register",
  "before the head is read",
  "before the handshake",
  "after it",
] as const;

/** What a bus makes of the messages. */
const BUSES = ["works", "loses all", "doubles all", "is late", "carries no events"] as const;

describe("no event comes before its handshake, none is lost, none comes twice", () => {
  for (const bus of BUSES) {
    for (let steps = 0; steps < 2 ** STEPS.length; steps++) {
      const when = STEPS.filter((_, n) => steps & 1 << n);
      test(
        `when the bus ${bus} and events come ${when.join(", ") || "never"}`,
        inHarness(async (h) => {
          await h.put("s1");
          const late: (() => void)[] = [];
          intercept(h.host, (pass, message) => {
            if (bus === "loses all") return;
            if (bus === "is late") return void late.push(pass);
            if (bus === "doubles all") pass();
            if (bus === "carries no events") Object.assign(message, { event: undefined });
            pass();
          });
          let events = 0;
          async function happen(step: typeof STEPS[number]): Promise<void> {
            if (!when.includes(step)) return;
            events += 2;
            await h.notify("s1");
            await h.notify("s1");
          }
          const verify = gateAll(h.host, "verify");
          const heads = gateAll(h.host, "heads");
          const socket = await h.open();
          await happen("before the bind");
          await socket.say(`bind-with-token ${await h.mint(["s1"])}`);
          await happen("before register");
          verify[0]?.open();
          await h.settle();
          await happen("before the head is read");
          const head = events;
          heads[0]?.look();
          await h.settle();
          await happen("before the handshake");
          assertEquals(socket.story(), []);
          heads[0]?.open();
          h.host.heal("heads");
          await h.settle();
          await happen("after it");
          for (const hear of late) hear();
          await h.advance(bus === "loses all" ? 5000 : 0);
          const expected = Array.from({ length: events - head }, (_, n) => `event s1 ${head + n + 1}`);
          assertEquals(socket.story(), [`handshake s1 ${head}`, ...expected]);
        }),
      );
    }
  }
});

describe("a renewal", () => {
  test(
    "does not stop events, and its handshake never goes back behind them",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      const heads = gateAll(h.host, "heads");
      await socket.say(`bind-with-token ${await h.mint(["s1"])}`);
      heads[0]?.look();
      await h.settle();
      await h.notify("s1");
      heads[0]?.open();
      await h.settle();
      h.host.heal("heads");
      assertEquals(socket.story(), ["event s1 1", "handshake s1 1"]);
    }),
  );

  for (const moment of MOMENTS.filter(({ singleUse }) => !singleUse)) {
    const registered = moment.call === "heads";
    test(
      `that is ${moment.name} when the old token expires ${registered ? "keeps the binding" : "makes a new one"}`,
      inHarness(async (h) => {
        await h.put("s1");
        const socket = await h.bound(["s1"], ALICE, { lifetime: 2 });
        const hold = h.host.hold(moment.call, moment.when);
        await socket.say(`bind-with-token ${await h.mint(["s1"])}`);
        await h.advance(1999);
        await h.notify("s1");
        assertEquals(socket.story(), ["event s1 1"]);
        await h.advance(1);
        await h.notify("s1");
        assertEquals(socket.story(), registered ? ["event s1 2"] : ["expired Subscription/s1"]);
        hold.release();
        await h.settle();
        await h.notify("s1");
        assertEquals(socket.story(), ["handshake s1 2", "event s1 3"]);
        assertEquals(socket.closing, undefined);
      }),
    );
  }

  test(
    "whose token ends earlier shortens nothing, and whose token is revoked leaves the older one's end",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"], ALICE, { lifetime: 20 });
      const shorter = await h.mint(["s1"], ALICE, { lifetime: 10, id: "jti-2" });
      const longer = await h.mint(["s1"], ALICE, { lifetime: 30, id: "jti-3" });
      await h.bind(socket, shorter);
      await h.bind(socket, longer);
      await h.notifier.revoke({ token: "jti-3" });
      await h.advance(19_999);
      await h.notify("s1");
      assertEquals(socket.story(), ["event s1 1"]);
      await h.advance(1);
      assertEquals(socket.story(), ["expired Subscription/s1", "close 1008 expired"]);
    }),
  );

  test(
    "again and again for days keeps no token that is of no use",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"], ALICE, { lifetime: 100 });
      for (let n = 0; n < 50; n++) {
        await h.advance(90_000);
        await h.bind(socket, await h.mint(["s1"], ALICE, { lifetime: 100 }));
      }
      const asked = h.host.count("surviving");
      await h.notifier.revoke({ subscription: "s1" });
      await h.settle();
      assertEquals(socket.story(), ["unknown Subscription/s1", "close 1008 revoked"]);
      assert(h.host.count("surviving") - asked <= 2, "who asks what survives asks of two at most");
    }),
  );
});
