// What a bind is answered, row by row: what the client sees, what counts, and what the host is told.

import { BindingError, createJwtSigner } from "@fhir-ws/binding";
import { assertEquals } from "@std/assert";
import { describe, test } from "node:test";
import { assertRefusals, assertToldOnly, type Issue, issue } from "./assertions.ts";
import {
  ALICE,
  BOB,
  type FakeSocket,
  type Harness,
  type HarnessOptions,
  inHarness,
  LIFETIME,
  START,
} from "./harness.ts";

const UNKNOWN = "Cannot bind: the token is not known here";

interface RefusedRow {
  readonly name: string;
  readonly options?: HarnessOptions;
  /** The frame that is refused. */
  readonly frame: (harness: Harness, socket: FakeSocket) => string | object | Promise<string | object>;
  readonly issues: readonly Issue[];
  /** The code of the error; `undefined` where the refusal does not count. */
  readonly code: string;
  readonly counts?: false;
}

async function bindFrame({ mint }: Harness, ids: readonly string[]): Promise<string> {
  return `bind-with-token ${await mint(ids)}`;
}

/** Alice's Subscription, and a token for it that died since. */
async function revoked(h: Harness, how: (id: string) => Promise<void>): Promise<string> {
  await h.put("s1");
  const token = await h.mint(["s1"], ALICE, { id: "jti-1" });
  await how("s1");
  return `bind-with-token ${token}`;
}

const REFUSED: readonly RefusedRow[] = [
  {
    name: "a malformed frame",
    frame: () => "bind-with-token",
    issues: [issue("structure", "Cannot read the frame")],
    code: "frame-malformed",
  },
  {
    name: "an empty frame",
    frame: () => "",
    issues: [issue("structure", "Cannot read the frame")],
    code: "frame-malformed",
  },
  {
    name: "broken JSON",
    frame: () => "{",
    issues: [issue("structure", "Cannot read the frame")],
    code: "frame-malformed",
  },
  {
    name: "an unknown verb",
    frame: () => "hello",
    issues: [issue("not-supported", "The frame is not supported")],
    code: "frame-not-supported",
  },
  {
    name: "an unknown type",
    frame: () => ({ type: "hello" }),
    issues: [issue("not-supported", "The frame is not supported")],
    code: "frame-not-supported",
  },
  {
    name: "an unknown token",
    frame: () => `bind-with-token ${"A".repeat(43)}`,
    issues: [issue("unknown", UNKNOWN)],
    code: "token-unknown",
  },
  {
    name: "a malformed token",
    frame: () => "bind-with-token abc",
    issues: [issue("unknown", UNKNOWN)],
    code: "token-unknown",
  },
  {
    name: "a malformed token in JSON",
    frame: () => ({ type: "bind-with-token", payload: { token: "a.b.c" } }),
    issues: [issue("unknown", UNKNOWN)],
    code: "token-unknown",
  },
  {
    name: "a used token",
    options: { singleUse: true },
    frame: async (h) => {
      await h.put("s1");
      const token = await h.mint(["s1"]);
      await h.bind(await h.open(), token);
      return `bind-with-token ${token}`;
    },
    issues: [issue("unknown", UNKNOWN)],
    code: "token-unknown",
  },
  {
    name: "a token that was revoked",
    frame: (h) => revoked(h, () => h.notifier.revoke({ token: "jti-1" })),
    issues: [issue("unknown", UNKNOWN)],
    code: "token-unknown",
  },
  {
    name: "a token whose only Subscription was revoked",
    frame: (h) => revoked(h, (subscription) => h.notifier.revoke({ subscription })),
    issues: [issue("unknown", UNKNOWN)],
    code: "token-unknown",
  },
  {
    name: "a token whose caller was revoked",
    options: { signer: "jwt" },
    frame: (h) => revoked(h, () => h.notifier.revoke({ caller: "alice" })),
    issues: [issue("unknown", UNKNOWN)],
    code: "token-unknown",
  },
  ...(["opaque", "jwt", "stateless"] as const).map((signer): RefusedRow => ({
    name: `a token of another base (${signer})`,
    options: { signer },
    frame: async (h) => {
      await h.put("s1");
      return `bind-with-token ${await h.mint(["s1"], ALICE, { audience: "https://example.org/fhir/R4" })}`;
    },
    issues: [issue("unknown", UNKNOWN)],
    code: "token-unknown",
  })),
  {
    name: "a JWT of another type under the same key",
    options: { signer: "stateless" },
    frame: async (h) => {
      await h.put("s1");
      const [head = "", payload] = (await h.mint(["s1"])).split(".");
      const header = atob(head).replace("fhir-ws-binding+jwt", "at+jwt");
      const input = `${btoa(header).replace(/=+$/, "")}.${payload}`;
      const secret = new Uint8Array(32).fill(7);
      const key = await crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
      const signature = new Uint8Array(await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(input)));
      const text = btoa(String.fromCharCode(...signature)).replace(/=+$/, "").replace(/\+/g, "-").replace(/\//g, "_");
      return `bind-with-token ${input}.${text}`;
    },
    issues: [issue("unknown", UNKNOWN)],
    code: "token-unknown",
  },
  {
    name: "a token under another key",
    options: { signer: "stateless" },
    frame: async (h) => {
      await h.put("s1");
      const other = await createJwtSigner({ sign: { kid: "test", key: new Uint8Array(32).fill(8) } });
      const issuedAt = START / 1000;
      return `bind-with-token ${await other.sign({
        id: "jti-1",
        audience: h.base,
        caller: ALICE,
        subscriptions: ["s1"],
        issuedAt,
        expiresAt: issuedAt + LIFETIME,
      })}`;
    },
    issues: [issue("unknown", UNKNOWN)],
    code: "token-unknown",
  },
  ...(["opaque", "jwt", "stateless"] as const).map((signer): RefusedRow => ({
    name: `a genuine token that has expired (${signer})`,
    options: { signer },
    frame: async (h, socket) => {
      await h.put("s1");
      const token = await h.mint(["s1"], ALICE, { lifetime: 10 });
      await h.advance(10_000);
      assertEquals(socket.story(), []);
      return `bind-with-token ${token}`;
    },
    issues: [issue("expired", "Cannot bind: the token has expired")],
    code: "token-expired",
  })),
  {
    name: "a token none of whose Subscriptions is found",
    frame: (h) => bindFrame(h, ["s1", "s2"]),
    issues: [
      issue("not-found", "Error reading subscription: Not found", "s1"),
      issue("not-found", "Error reading subscription: Not found", "s2"),
    ],
    code: "not-found",
  },
  {
    name: "a token whose Subscription another caller owns",
    frame: async (h) => {
      await h.put("s1", {}, BOB);
      return await bindFrame(h, ["s1"]);
    },
    issues: [issue("not-found", "Error reading subscription: Not found", "s1")],
    code: "not-found",
  },
  {
    name: "a Subscription that the host forbids",
    frame: async (h) => {
      await h.put("s1");
      h.host.fail("read", new BindingError("forbidden"));
      return await bindFrame(h, ["s1"]);
    },
    issues: [issue("not-found", "Error reading subscription: Not found", "s1")],
    code: "not-found",
  },
  {
    name: "a token none of whose Subscriptions is eligible, one of them not found",
    frame: async (h) => {
      await h.put("s1", { status: "off" });
      return await bindFrame(h, ["s1", "s2"]);
    },
    issues: [
      issue("business-rule", 'Cannot bind Subscription "s1": its status is "off"', "s1"),
      issue("not-found", "Error reading subscription: Not found", "s2"),
    ],
    code: "not-found",
  },
  {
    name: "a token none of whose Subscriptions is eligible",
    frame: async (h) => {
      await h.put("s1", { status: "off" });
      await h.put("s2", { status: "entered-in-error" });
      await h.put("s3", { end: "2030-01-01T00:00:00Z" });
      await h.put("s4", { channel: "rest-hook" });
      await h.put("s5", { payload: "application/fhir+xml" });
      await h.put("s6", { payload: "application/fhir+json; fhirVersion=4.0" });
      await h.put("s7", { end: "tomorrow" });
      return await bindFrame(h, ["s1", "s2", "s3", "s4", "s5", "s6", "s7"]);
    },
    issues: [
      'its status is "off"',
      'its status is "entered-in-error"',
      "it has ended",
      "its channel is not websocket",
      "its payload is not JSON of FHIR R5",
      "its payload is not JSON of FHIR R5",
      "its end is not an instant",
    ].map((why, n) => issue("business-rule", `Cannot bind Subscription "s${n + 1}": ${why}`, `s${n + 1}`)),
    code: "not-eligible",
  },
  ...(["verify", "read", "surviving", "listen", "revocations"] as const).map((name): RefusedRow => ({
    name: `a bind whose "${name}" is down`,
    frame: async (h) => {
      await h.put("s1");
      h.host.fail(name);
      if (name === "surviving") h.host.fail("verify", new Error("the signer's own store is down"));
      return await bindFrame(h, ["s1"]);
    },
    issues: [issue("no-store", "The server cannot answer now")],
    code: "unavailable",
    counts: false,
  })),
  {
    name: "a bind whose rate limiter is down",
    options: { rateLimit: () => Promise.reject(new Error("down")) },
    frame: async (h) => {
      await h.put("s1");
      return await bindFrame(h, ["s1"]);
    },
    issues: [issue("no-store", "The server cannot answer now")],
    code: "unavailable",
    counts: false,
  },
  {
    name: "a bind whose log is down where tokens are used up",
    options: { singleUse: true },
    frame: async (h) => {
      await h.put("s1");
      h.host.fail("heads");
      return await bindFrame(h, ["s1"]);
    },
    issues: [issue("no-store", "The server cannot answer now")],
    code: "unavailable",
    counts: false,
  },
  {
    name: "a bind whose redeem is down",
    options: { singleUse: true },
    frame: async (h) => {
      await h.put("s1");
      h.host.fail("redeem");
      return await bindFrame(h, ["s1"]);
    },
    issues: [issue("no-store", "The server cannot answer now")],
    code: "unavailable",
    counts: false,
  },
  {
    name: "a caller that binds too often",
    options: { rateLimit: (_caller, action) => action === "bind" ? 7 : undefined },
    frame: async (h) => {
      await h.put("s1");
      return await bindFrame(h, ["s1"]);
    },
    issues: [issue("throttled", "Too many requests")],
    code: "throttled",
    counts: false,
  },
];

describe("a bind that is refused", () => {
  for (const { name, options = {}, frame, issues, code, counts } of REFUSED) {
    test(
      `${name}: one OperationOutcome, the socket stays${counts === false ? ", it does not count" : ", it counts"}`,
      inHarness(options, async (h) => {
        const socket = await h.open();
        const said = await frame(h, socket);
        await socket.say(said);
        assertToldOnly(socket, ...issues);
        assertEquals(h.toldOf("bind-refused"), [{ type: "bind-refused", code }]);
        assertEquals(h.toldOf("bound").length, name === "a used token" ? 1 : 0);
        await assertRefusals(socket, counts === false ? 0 : 1);
        assertEquals(h.toldOf("dropped"), [{ type: "dropped", code: 1008 }]);
      }),
    );
  }

  test(
    "all tokens that are not known here look the same",
    inHarness({ singleUse: true }, async (h) => {
      await h.put("s1");
      const used = await h.mint(["s1"]);
      await h.bind(await h.open(), used);
      const dead = await h.mint(["s1"], ALICE, { id: "jti-1" });
      await h.notifier.revoke({ token: "jti-1" });
      const foreign = await h.mint(["s1"], ALICE, { audience: "https://example.org/fhir/R4" });
      const answers = new Set<string>();
      for (const token of [used, dead, foreign, "nonsense", "A".repeat(43), "A".repeat(30_000)]) {
        const [answer] = await h.bind(await h.open(), token);
        answers.add(answer?.text ?? "");
      }
      assertEquals(answers.size, 1);
    }),
  );

  test(
    "refusals are forgiven by a good bind between",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.open();
      for (let n = 0; n < 3; n++) {
        await socket.say("nonsense", "nonsense");
        assertEquals(socket.story(), ["not-supported", "not-supported"]);
        assertEquals((await h.bind(socket, await h.mint(["s1"]))).length, 1);
      }
      await assertRefusals(socket, 0);
    }),
  );

  test(
    "refusals are not forgiven by a ping, an unbind or a store that is down",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.open();
      await socket.say("nonsense", "nonsense", { type: "ping" });
      await socket.say({ type: "unbind-from-token", payload: { token: "abc" } });
      h.host.fail("read");
      await socket.say(await bindFrame(h, ["s1"]));
      assertEquals(socket.story(), ["not-supported", "not-supported", "pong", "no-store"]);
      await socket.say("nonsense");
      assertEquals(socket.story(), ["not-supported", "close 1008 too many refusals"]);
    }),
  );

  test(
    "the third refusal ends what is bound on the socket, and frames behind it are not looked at",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      await socket.say("x", "x", "x", { type: "ping" });
      assertEquals(socket.story(), ["not-supported", "not-supported", "not-supported", "close 1008 too many refusals"]);
      assertEquals(h.toldOf("ended").map(({ reason }) => reason), ["closed"]);
    }),
  );

  test(
    "a store that is down for long closes nothing but by the bind deadline",
    inHarness(async (h) => {
      await h.put("s1");
      h.host.fail("read");
      const socket = await h.open();
      const frame = await bindFrame(h, ["s1"]);
      for (let n = 0; n < 9; n++) await socket.say(frame);
      assertEquals(socket.story(), Array(9).fill("no-store"));
      h.host.heal("read");
      await socket.say(frame);
      assertEquals(socket.story(), ["handshake s1 0"]);
    }),
  );

  test(
    "a token that was not used up binds later",
    inHarness({ singleUse: true }, async (h) => {
      await h.put("s1", { status: "off" });
      const socket = await h.open();
      const frame = await bindFrame(h, ["s1"]);
      await socket.say(frame);
      h.host.fail("heads");
      await h.put("s1");
      await socket.say(frame);
      h.host.heal("heads");
      await socket.say(frame);
      assertEquals(socket.story(), ["business-rule Subscription/s1", "no-store", "handshake s1 0"]);
      assertEquals(h.host.count("redeem"), 1);
    }),
  );
});
