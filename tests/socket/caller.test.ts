import { assertEquals } from "@std/assert";
import { describe, test } from "node:test";
import { assertRefusals, issue } from "./assertions.ts";
import { ALICE, BOB, inHarness } from "./harness.ts";

describe("a socket's caller", () => {
  test(
    "is its first: a token of another is forbidden, and counts",
    inHarness(async (h) => {
      await h.put("s1");
      await h.put("s2", {}, BOB);
      const socket = await h.bound(["s1"]);
      await h.bind(socket, await h.mint(["s2"], BOB)).then((frames) =>
        assertEquals(frames.map(({ text }) => JSON.parse(text)), [{
          resourceType: "OperationOutcome",
          issue: [issue("forbidden", "Cannot bind: the socket belongs to another caller")],
        }])
      );
      assertEquals(h.toldOf("bind-refused"), [{ type: "bind-refused", code: "other-caller", caller: ALICE }]);
      await assertRefusals(socket, 1);
    }),
  );

  test(
    "stays after everything was unbound",
    inHarness(async (h) => {
      await h.put("s1");
      await h.put("s2", {}, BOB);
      const token = await h.mint(["s1"]);
      const socket = await h.open();
      await h.bind(socket, token);
      await socket.say({ type: "unbind-from-token", payload: { token } });
      assertEquals(h.binder.stats().bindings, 0);
      await socket.say(`bind-with-token ${await h.mint(["s2"], BOB)}`);
      assertEquals(socket.story(), ["forbidden"]);
      await socket.say(`bind-with-token ${token}`);
      assertEquals(socket.story(), ["handshake s1 0"]);
    }),
  );

  test(
    "is none after a refused bind",
    inHarness(async (h) => {
      await h.put("s2", {}, BOB);
      const socket = await h.open();
      await socket.say(`bind-with-token ${await h.mint(["s1"])}`, `bind-with-token ${await h.mint(["s2"], BOB)}`);
      assertEquals(socket.story(), ["not-found Subscription/s1", "handshake s2 0"]);
    }),
  );

  test(
    "is told by tenant and id, whatever it claims",
    inHarness(async (h) => {
      const one = { id: "alice", tenant: "one" };
      const other = { id: "alice", tenant: "two" };
      await h.put("s1", {}, one);
      await h.put("s1", {}, other);
      await h.put("s2", {}, one);
      const socket = await h.bound(["s1"], one);
      await socket.say(`bind-with-token ${await h.mint(["s1"], other)}`);
      await socket.say(`bind-with-token ${await h.mint(["s2"], { ...one, claims: { login: "2" } })}`);
      assertEquals(socket.story(), ["forbidden", "handshake s2 0"]);
    }),
  );

  test(
    "that is another one's uses up no token",
    inHarness({ singleUse: true }, async (h) => {
      await h.put("s1");
      await h.put("s2", {}, BOB);
      const socket = await h.bound(["s1"]);
      const token = await h.mint(["s2"], BOB);
      assertEquals((await h.bind(socket, token)).map(({ kind }) => kind), ["outcome"]);
      assertEquals((await h.bind(await h.open(), token)).map(({ kind }) => kind), ["notification"]);
    }),
  );
});

describe("the text of a refusal", () => {
  test(
    "tells nothing of Subscriptions to who holds no good token",
    inHarness(async (h) => {
      await h.put("s1", {}, BOB);
      const answers = [];
      for (const id of ["s1", "none"]) {
        const [answer] = await h.bind(await h.open(), await h.mint([id]));
        answers.push(answer?.text.replace(id, "x"));
      }
      assertEquals(answers[0], answers[1]);
    }),
  );
});
