// R4's own protocol, from before there were tokens: https://hl7.org/fhir/R4/subscription.html#channels

import { BindingError } from "@fhir-ws/binding";
import { assertEquals } from "@std/assert";
import { describe, test } from "node:test";
import { BOB, type HarnessOptions, inHarness, START } from "./harness.ts";

describe("R4's own protocol", () => {
  const LEGACY: HarnessOptions = {
    fhirVersion: "R4",
    origins: ["https://app.example.org"],
    legacy: {
      authenticate: (request) => {
        const user = request.headers.get("authorization")?.replace("Basic ", "");
        return user === "alice" || user === "bob" ? { id: user } : undefined;
      },
    },
  };
  const AS_ALICE = { headers: { authorization: "Basic alice" } };

  test(
    "bind <id> is answered bound <id>, each event by ping <id>",
    inHarness(LEGACY, async (h) => {
      await h.put("123", { topic: null });
      const socket = await h.open(AS_ALICE);
      await socket.say("bind 123");
      assertEquals(socket.story(), ["bound 123"]);
      await h.notify("123");
      await h.notify("123");
      assertEquals(socket.story(), ["ping 123", "ping 123"]);
      const [bound] = h.toldOf("bound");
      assertEquals([bound?.subscription, bound?.renewed], ["123", false]);
    }),
  );

  test(
    "each event has its own ping, however many piled up",
    inHarness(LEGACY, async (h) => {
      await h.put("123", { maxCount: 10 });
      const socket = await h.open(AS_ALICE);
      await socket.say(" bind  Subscription/123 ");
      socket.bufferedAmount = 2_000_000;
      for (let n = 0; n < 3; n++) await h.notify("123");
      await socket.drain();
      assertEquals(socket.story(), ["bound 123", "ping 123", "ping 123", "ping 123"]);
    }),
  );

  test(
    "sends no heartbeat, whatever the Subscription asks for",
    inHarness(LEGACY, async (h) => {
      await h.put("123", { heartbeatPeriod: 5 });
      const socket = await h.open(AS_ALICE);
      await socket.say("bind 123");
      await h.advance(60_000);
      assertEquals(socket.story(), ["bound 123"]);
    }),
  );

  test(
    "ends after its lifetime, and is renewed by binding again",
    inHarness({ ...LEGACY, legacy: { authenticate: () => ({ id: "alice" }), lifetime: 60 } }, async (h) => {
      await h.put("123");
      const socket = await h.open();
      await socket.say("bind 123");
      await h.advance(59_000);
      await socket.say("bind 123");
      await h.advance(59_999);
      assertEquals(socket.story(), ["bound 123", "bound 123"]);
      await h.advance(1);
      assertEquals(socket.story(), ["expired Subscription/123", "close 1008 expired"]);
    }),
  );

  test(
    "ends with its Subscription, and when its caller is revoked",
    inHarness(LEGACY, async (h) => {
      await h.put("123", { end: "2030-01-01T00:00:10Z" });
      await h.put("456");
      const socket = await h.open(AS_ALICE);
      await socket.say("bind 123", "bind 456");
      assertEquals(h.time.now(), START);
      await h.advance(10_000);
      assertEquals(socket.story(), ["bound 123", "bound 456", "expired Subscription/123"]);
      await h.notifier.revoke({ caller: "alice" });
      await h.settle();
      assertEquals(socket.story(), ["unknown Subscription/456", "close 1008 revoked"]);
    }),
  );

  test(
    "does not bind what the caller may not see, or what is not eligible",
    inHarness(LEGACY, async (h) => {
      await h.put("1", {}, BOB);
      await h.put("2", { status: "off" });
      const socket = await h.open(AS_ALICE);
      await socket.say("bind 1", "bind 2");
      assertEquals(socket.story(), ["not-found Subscription/1", "business-rule Subscription/2"]);
      await socket.say("bind 3");
      assertEquals(socket.story(), ["not-found Subscription/3", "close 1008 too many refusals"]);
    }),
  );

  for (
    const frame of [
      "bind",
      "bind ",
      "bind 1 2",
      "bind a_b",
      "bind Subscription/1,Subscription/2",
      "bind 1,2",
      "bind Subscription/",
    ]
  ) {
    test(
      `"${frame}" is malformed`,
      inHarness(LEGACY, async (h) => {
        const socket = await h.open(AS_ALICE);
        await socket.say(frame);
        assertEquals(socket.story(), ["structure"]);
      }),
    );
  }

  test(
    "unbind is not supported",
    inHarness(LEGACY, async (h) => {
      const socket = await h.open(AS_ALICE);
      await socket.say("unbind 1", "BIND 1");
      assertEquals(socket.story(), ["not-supported", "not-supported"]);
    }),
  );

  test(
    "is forbidden to who did not authenticate, but a token still binds",
    inHarness(LEGACY, async (h) => {
      await h.put("123");
      const socket = await h.open();
      await socket.say("bind 123", `bind-with-token ${await h.mint(["123"])}`);
      assertEquals(socket.story(), ["forbidden", "handshake 123 0"]);
    }),
  );

  test(
    "shares its socket with tokens of the same caller, of no other",
    inHarness(LEGACY, async (h) => {
      await h.put("1");
      await h.put("2");
      await h.put("3", {}, BOB);
      const socket = await h.open(AS_ALICE);
      await socket.say(
        "bind 1",
        `bind-with-token ${await h.mint(["2"])}`,
        `bind-with-token ${await h.mint(["3"], BOB)}`,
      );
      assertEquals(socket.story(), ["bound 1", "handshake 2 0", "forbidden"]);
      await h.notify(["1", "2", "3"]);
      assertEquals(socket.story().sort(), ["event 2 1", "ping 1"]);
      await socket.say(`bind-with-token ${await h.mint(["1"])}`);
      await h.notify("1");
      await socket.say("bind 1");
      await h.notify("1");
      assertEquals(socket.story(), ["handshake 1 1", "event 1 2", "bound 1", "ping 1"]);
    }),
  );

  test(
    "cannot be unbound by a token that looks like its frame",
    inHarness(LEGACY, async (h) => {
      await h.put("1");
      const socket = await h.open(AS_ALICE);
      await socket.say("bind 1", { type: "unbind-from-token", payload: { token: "bind 1" } });
      await h.notify("1");
      assertEquals(socket.story(), ["bound 1", "structure", "ping 1"]);
    }),
  );

  test(
    "needs an origin on the list",
    inHarness(LEGACY, async (h) => {
      assertEquals(
        (await h.admit(undefined, { origin: "https://evil.example", ...AS_ALICE.headers })).refused?.status,
        403,
      );
      assertEquals(h.host.count("authenticate"), 0);
      assertEquals(
        (await h.admit(undefined, { origin: "https://app.example.org", ...AS_ALICE.headers })).refused,
        undefined,
      );
    }),
  );

  test(
    "answers 401 to credentials that are refused",
    inHarness(LEGACY, async (h) => {
      const { refused } = await h.admit(undefined, { authorization: "Basic mallory" });
      assertEquals([refused?.status, refused?.headers.get("www-authenticate")], [401, 'Bearer error="invalid_token"']);
      assertEquals((await refused?.json()).issue[0].code, "unknown");
    }),
  );

  test(
    "answers 403 where the host forbids, 503 where it throws or hangs",
    inHarness(LEGACY, async (h) => {
      h.host.fail("authenticate", new BindingError("forbidden"));
      assertEquals((await h.admit()).refused?.status, 403);
      h.host.fail("authenticate");
      const { refused } = await h.admit();
      assertEquals([refused?.status, refused?.headers.get("retry-after")], [503, "5"]);
      h.host.hang("authenticate");
      const waiting = h.admit();
      await h.advance(5000);
      assertEquals((await waiting).refused?.status, 503);
    }),
  );

  test(
    "is not asked for where it is off",
    inHarness({ fhirVersion: "R4" }, async (h) => {
      await h.put("123");
      const socket = await h.open(AS_ALICE);
      await socket.say("bind 123");
      assertEquals(socket.story(), ["not-supported"]);
    }),
  );
});
