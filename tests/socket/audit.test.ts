// What the host is told of sockets: enough for an audit, and never a secret.

import { BindingError, type BindingEvent, type Caller, createSocketBinder, type HostCall } from "@fhir-ws/binding";
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { describe, test } from "node:test";
import { ALICE, BOB, type Callback, type Harness, type HarnessOptions, inHarness, START } from "./harness.ts";

const CLERK: Caller = { id: "clerk", tenant: "north", claims: { login: "l-1", secret: "claims stay inside" } };
const WHO = { id: "clerk", tenant: "north" };

describe("onEvent", () => {
  test(
    "is told of a whole life, in its order, with the time and the caller without claims",
    inHarness(async (h) => {
      for (const id of ["s1", "s2"]) await h.put(id, {}, CLERK);
      const socket = await h.open();
      await socket.say("nonsense");
      await h.advance(1000);
      await h.bind(socket, await h.mint(["s1", "s2"], CLERK, { id: "jti-1" }));
      await h.bind(socket, await h.mint(["s1"], CLERK, { id: "jti-2", lifetime: 60 }));
      await h.advance(1000);
      await h.notify("s1", {}, "north");
      await h.bind(socket, await h.mint(["none"], CLERK));
      await h.advance(1000);
      socket.disconnect();
      const at = (seconds: number) => ({ at: START + seconds * 1000 });
      const bound = { type: "bound", caller: WHO } as const;
      const ended = { type: "ended", caller: WHO, reason: "closed", lastOfSubscription: true } as const;
      const expected: BindingEvent[] = [
        { ...at(0), type: "bind-refused", code: "frame-not-supported" },
        { ...at(1), ...bound, token: "jti-1", subscription: "s1", renewed: false },
        { ...at(1), ...bound, token: "jti-1", subscription: "s2", renewed: false },
        { ...at(1), ...bound, token: "jti-2", subscription: "s1", renewed: true },
        { ...at(2), type: "delivered", caller: WHO, subscription: "s1", first: 1, last: 1 },
        { ...at(2), type: "bind-refused", caller: WHO, code: "not-found" },
        { ...at(3), ...ended, subscription: "s1" },
        { ...at(3), ...ended, subscription: "s2" },
      ];
      assertEquals(h.told, expected);
      assertEquals(JSON.stringify(h.told).includes("claims stay inside"), false);
    }),
  );

  test(
    "is told the span of a batch, and nothing of handshakes, heartbeats and pongs",
    inHarness(async (h) => {
      await h.put("s1", { maxCount: 3, heartbeatPeriod: 5 });
      const socket = await h.bound(["s1"]);
      socket.bufferedAmount = 2_000_000;
      for (let n = 0; n < 5; n++) await h.notify("s1");
      await socket.drain();
      await h.advance(6000);
      await socket.say({ type: "ping" });
      assertEquals(socket.story(), ["event s1 3 [1,2,3]", "event s1 5 [4,5]", "heartbeat s1 5", "pong"]);
      assertEquals(h.toldOf("delivered").map(({ first, last }) => [first, last]), [[1, 3], [4, 5]]);
      assertEquals(new Set(h.told.map(({ type }) => type)), new Set(["bound", "delivered"]));
    }),
  );

  test(
    "is told when a Subscription has lost its last binding here",
    inHarness(async (h) => {
      const claims = { ...ALICE, claims: { login: "2" } };
      await h.put("s1");
      const sockets = [await h.bound(["s1"]), await h.bound(["s1"]), await h.bound(["s1"], claims)];
      for (const socket of sockets) socket.disconnect();
      assertEquals(h.toldOf("ended").map(({ lastOfSubscription }) => lastOfSubscription), [false, false, true]);
      const again = await h.bound(["s1"]);
      again.disconnect();
      assertEquals(h.toldOf("ended").at(-1)?.lastOfSubscription, true);
    }),
  );

  test(
    "may throw: nobody notices",
    inHarness({
      onEvent: () => {
        throw new Error("the audit trail is full");
      },
    }, async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      await h.notify("s1");
      await socket.say("x");
      assertEquals(socket.story(), ["event s1 1", "not-supported"]);
    }),
  );

  test(
    "need not be there",
    inHarness(async (h) => {
      const { onEvent: _onEvent, ...silent } = h.options;
      const binder = createSocketBinder(silent);
      await h.put("s1");
      const admission = await binder.admit(
        new Request("https://example.org/ws", { headers: { upgrade: "websocket" } }),
      );
      assert(admission.refused === undefined);
      const socket = h.makeSocket();
      socket.opened(admission.open(socket));
      await socket.say("x", `bind-with-token ${await h.mint(["s1"])}`);
      await h.notify("s1");
      assertEquals(socket.story(), ["not-supported", "handshake s1 0", "event s1 1"]);
      await binder.close();
      assertEquals(h.told, []);
    }),
  );
});

interface ErrorRow {
  readonly during: HostCall;
  readonly callback: Callback;
  readonly options?: HarnessOptions;
  readonly act: (harness: Harness) => Promise<unknown>;
}

async function tryToBind(h: Harness): Promise<unknown> {
  return await h.bind(await h.open(), await h.mint(["s1"]));
}

const ERRORS: readonly ErrorRow[] = [
  { during: "verify", callback: "verify", act: tryToBind },
  { during: "verify", callback: "revocations", act: tryToBind },
  { during: "read", callback: "read", act: tryToBind },
  { during: "redeem", callback: "redeem", options: { singleUse: true }, act: tryToBind },
  { during: "rate-limit", callback: "rate-limit", options: { rateLimit: () => undefined }, act: tryToBind },
  { during: "bus", callback: "listen", act: tryToBind },
  { during: "bus", callback: "publish", act: (h) => h.notify("s1") },
  { during: "log", callback: "heads", act: tryToBind },
  {
    during: "log",
    callback: "log",
    act: async (h) => {
      await h.put("s1");
      await h.bound(["s1"]);
      h.host.deafen();
      await h.notify("s1");
      await h.advance(5000);
    },
  },
  {
    during: "activate",
    callback: "activate",
    act: async (h) => {
      await h.put("s1", { status: "requested" });
      await tryToBind(h);
    },
  },
  {
    during: "may-receive",
    callback: "may-receive",
    options: { mayReceive: () => true },
    act: async (h) => {
      await h.bound(["s1"]);
      await h.notify("s1");
    },
  },
  {
    during: "authenticate",
    callback: "authenticate",
    options: { legacy: { authenticate: () => ALICE }, origins: [] },
    act: (h) => h.admit(),
  },
];

describe("onEvent is told of an error", () => {
  for (const { during, callback, options = {}, act } of ERRORS) {
    for (const how of ["throws", "rejects"] as const) {
      test(
        `during ${during} when "${callback}" ${how}, with its cause`,
        inHarness(options, async (h) => {
          await h.put("s1");
          const cause = new Error("the host's own");
          h.host.fail(callback, cause, how);
          await act(h);
          const [first] = h.toldOf("error");
          assertEquals(first?.during, during);
          assertStrictEquals(first?.cause, cause);
        }),
      );
    }
  }

  test(
    "but not of a refusal that is the callback's to make",
    inHarness(async (h) => {
      await h.put("s1");
      h.host.fail("read", new BindingError("forbidden"));
      await tryToBind(h);
      h.host.heal("read");
      h.host.fail("verify", new BindingError("token-expired"));
      await tryToBind(h);
      assertEquals(h.toldOf("error"), []);
      assertEquals(h.toldOf("bind-refused").map(({ code }) => code), ["not-found", "token-expired"]);
    }),
  );

  test(
    "where a callback makes a refusal that is not its own",
    inHarness(async (h) => {
      await h.put("s1");
      h.host.fail("read", new BindingError("token-expired"));
      const socket = await h.open();
      await socket.say(`bind-with-token ${await h.mint(["s1"])}`);
      assertEquals(socket.story(), ["no-store"]);
      assertEquals(h.toldOf("error").map(({ during }) => during), ["read"]);
    }),
  );
});

describe("stats", () => {
  test(
    "counts sockets, bindings and Subscriptions, each once",
    inHarness(async (h) => {
      for (const id of ["s1", "s2"]) await h.put(id);
      await h.put("s1", {}, { ...ALICE, tenant: "other" });
      await h.put("s3", {}, BOB);
      const stats: [number, number, number][] = [];
      const look = () => {
        const { sockets, bindings, subscriptions } = h.binder.stats();
        stats.push([sockets, bindings, subscriptions]);
      };
      look();
      const first = await h.open();
      look();
      const token = await h.mint(["s1", "s2"]);
      await h.bind(first, token);
      look();
      const second = await h.bound(["s1"]);
      look();
      await h.bound(["s1"], { ...ALICE, tenant: "other" });
      await h.bound(["s3"], BOB);
      look();
      await first.say({ type: "unbind-from-token", payload: { token } });
      look();
      second.disconnect();
      look();
      assertEquals(stats, [[0, 0, 0], [1, 0, 0], [1, 2, 2], [2, 3, 2], [4, 5, 4], [4, 3, 3], [3, 2, 2]]);
    }),
  );
});
