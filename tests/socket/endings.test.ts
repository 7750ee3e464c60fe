// What the client sees when the server ends a binding or closes a socket.

import type { EndReason, TokenSigner } from "@fhir-ws/binding";
import { assertEquals } from "@std/assert";
import { describe, test } from "node:test";
import { assertToldOnly, issue } from "./assertions.ts";
import { ALICE, BOB, type Harness, inHarness, LIFETIME } from "./harness.ts";

interface EndingRow {
  readonly name: string;
  readonly end: (harness: Harness) => Promise<void>;
  readonly code: string;
  readonly text: string;
  readonly reason: EndReason;
}

const ENDINGS: readonly EndingRow[] = [
  {
    name: "its token expires",
    end: (h) => h.advance(LIFETIME * 1000),
    code: "expired",
    text: "The binding has ended: its token or its Subscription has expired",
    reason: "expired",
  },
  {
    name: "its Subscription ends, as it says from now on",
    end: (h) => h.change("s1", { end: "2030-01-01T00:10:00Z" }).then(() => h.advance(600_000)),
    code: "expired",
    text: "The binding has ended: its token or its Subscription has expired",
    reason: "expired",
  },
  {
    name: "its Subscription has ended already",
    end: (h) => h.change("s1", { end: "2029-01-01T00:10:00Z" }),
    code: "expired",
    text: "The binding has ended: its token or its Subscription has expired",
    reason: "expired",
  },
  {
    name: "its token is revoked",
    end: (h) => h.notifier.revoke({ token: "jti-1" }),
    code: "unknown",
    text: "The binding has ended: its token was revoked",
    reason: "revoked",
  },
  {
    name: "its Subscription's tokens are revoked",
    end: (h) => h.notifier.revoke({ subscription: "s1" }),
    code: "unknown",
    text: "The binding has ended: its token was revoked",
    reason: "revoked",
  },
  {
    name: "its Subscription is turned off",
    end: (h) => h.change("s1", { status: "off" }),
    code: "business-rule",
    text: "The binding has ended: the Subscription cannot be bound any more",
    reason: "subscription-off",
  },
  {
    name: "its Subscription gets another channel",
    end: (h) => h.change("s1", { channel: "email" }),
    code: "business-rule",
    text: "The binding has ended: the Subscription cannot be bound any more",
    reason: "subscription-off",
  },
  {
    name: "its Subscription is deleted",
    end: async (h) => {
      await h.subscriptions.delete("s1", ALICE);
      await h.notifier.deleted("s1");
    },
    code: "not-found",
    text: "The binding has ended: the Subscription is not found",
    reason: "access-lost",
  },
  {
    name: "access to its Subscription is lost",
    end: async (h) => {
      await h.subscriptions.delete("s1", ALICE);
      await h.put("s1", {}, BOB);
      await h.notifier.changed("s1");
    },
    code: "not-found",
    text: "The binding has ended: the Subscription is not found",
    reason: "access-lost",
  },
  {
    name: "its Subscription could not be read for a minute",
    end: async (h) => {
      h.host.fail("read");
      await h.notifier.changed("s1");
      await h.notify("s1");
      await h.advance(66_000);
    },
    code: "no-store",
    text: "The binding has ended: the server could not read what it needs",
    reason: "store",
  },
];

describe("the server ends a binding", () => {
  for (const { name, end, code, text, reason } of ENDINGS) {
    test(
      `when ${name}: OperationOutcome, then 1008 as it was the last`,
      inHarness(async (h) => {
        await h.put("s1");
        const socket = await h.bound(["s1"], ALICE, { id: "jti-1" });
        await end(h);
        await h.settle();
        assertToldOnly(socket, issue(code, text, "s1"));
        assertEquals(socket.closing, { code: 1008, reason });
        assertEquals(h.told.slice(-2).map(({ at: _at, ...event }) => event), [
          { type: "ended", caller: ALICE, subscription: "s1", reason, lastOfSubscription: true },
          { type: "dropped", code: 1008, caller: ALICE },
        ]);
      }),
    );

    test(
      `when ${name}: another binding of the socket goes on`,
      inHarness(async (h) => {
        await h.put("s1");
        await h.put("s2");
        const socket = await h.bound(["s1"], ALICE, { id: "jti-1" });
        await h.bind(socket, await h.mint(["s2"], ALICE, { lifetime: 2 * LIFETIME }));
        if (reason === "store") h.host.on("read", (proceed, [id]) => id === "s1" ? Promise.reject("down") : proceed());
        await (reason === "store" ? endByStore(h) : end(h));
        await h.settle();
        assertToldOnly(socket, issue(code, text, "s1"));
        assertEquals(h.binder.stats(), { sockets: 1, bindings: 1, subscriptions: 1 });
        await h.notify("s2");
        assertEquals(socket.story(), ["event s2 1"]);
      }),
    );
  }

  test(
    "one after the other where a token covers several, and closes after the last",
    inHarness(async (h) => {
      for (const id of ["s1", "s2", "s3"]) await h.put(id);
      const socket = await h.bound(["s1", "s2", "s3"]);
      await h.advance(LIFETIME * 1000);
      const story = socket.story();
      assertEquals(story.slice(0, 3).sort(), ["s1", "s2", "s3"].map((id) => `expired Subscription/${id}`));
      assertEquals(story.slice(3), ["close 1008 expired"]);
    }),
  );
});

/** `ENDINGS` has the store down for all; here it is down for one. */
async function endByStore(h: Harness): Promise<void> {
  await h.notifier.changed("s1");
  await h.notify("s1");
  await h.advance(66_000);
}

describe("the server closes", () => {
  test(
    "with 1008 who has not bound within the deadline",
    inHarness(async (h) => {
      const socket = await h.open();
      await socket.say("nonsense", { type: "ping" });
      await h.advance(29_999);
      assertEquals(socket.story(), ["not-supported", "pong"]);
      await h.advance(1);
      assertEquals(socket.story(), ["close 1008 no binding"]);
      assertEquals(h.toldOf("dropped"), [{ type: "dropped", code: 1008 }]);
    }),
  );

  test(
    "with 1008 who has unbound everything and does not bind again within the deadline",
    inHarness({ limits: { bindDeadline: 10 } }, async (h) => {
      await h.put("s1");
      const token = await h.mint(["s1"]);
      const socket = await h.open();
      await h.advance(9000);
      await h.bind(socket, token);
      await h.advance(60_000);
      await socket.say({ type: "unbind-from-token", payload: { token } });
      await h.advance(9999);
      assertEquals(socket.story(), []);
      await h.bind(socket, token);
      await socket.say({ type: "unbind-from-token", payload: { token } });
      await h.advance(9999);
      assertEquals(socket.story(), []);
      await h.advance(1);
      assertEquals(socket.story(), ["close 1008 no binding"]);
    }),
  );

  test(
    "with 1013 who does not read",
    inHarness({ limits: { drainDeadline: 20 } }, async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      socket.bufferedAmount = 1_048_577;
      await h.notify("s1");
      await h.advance(19_999);
      assertEquals(socket.story(), []);
      await h.advance(1);
      assertEquals(socket.story(), ["close 1013 slow reader"]);
      assertEquals(h.toldOf("ended").map(({ reason }) => reason), ["slow"]);
      assertEquals(h.toldOf("dropped"), [{ type: "dropped", code: 1013, caller: ALICE }]);
    }),
  );

  test(
    "with 1011 when a send throws",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      socket.failure = new Error("broken pipe");
      await h.notify("s1");
      assertEquals(socket.story(), ["close 1011"]);
      assertEquals(h.toldOf("error").map(({ during }) => during), ["send"]);
      assertEquals(h.toldOf("dropped"), [{ type: "dropped", code: 1011, caller: ALICE }]);
    }),
  );

  test(
    "with 1011 when the library has a bug, and nobody else notices",
    inHarness({ bugs: true, tokens: brokenSigner() }, async (h) => {
      const other = await h.open();
      const socket = await h.open();
      await socket.say("bind-with-token abc");
      assertEquals(socket.story(), ["close 1011"]);
      assertEquals(h.toldOf("error").map(({ during }) => during), ["internal"]);
      await other.say({ type: "ping" });
      assertEquals(other.story(), ["pong"]);
    }),
  );

  test(
    "with 1001 at shutdown, whoever is bound or not",
    inHarness(async (h) => {
      await h.put("s1");
      const bound = await h.bound(["s1"]);
      const unbound = await h.open();
      await h.binder.close();
      assertEquals([bound.story(), unbound.story()], [["close 1001 going away"], ["close 1001 going away"]]);
      assertEquals(h.toldOf("ended").map(({ reason }) => reason), ["closed"]);
      assertEquals(h.toldOf("dropped"), []);
    }),
  );
});

/** Breaks the promise of its interface, as only a bug could. */
function brokenSigner(): TokenSigner {
  return { sign: () => "abc", verify: () => undefined as never };
}
