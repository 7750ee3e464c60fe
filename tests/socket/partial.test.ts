import { assertEquals } from "@std/assert";
import { describe, test } from "node:test";
import { assertRefusals, issue } from "./assertions.ts";
import { inHarness } from "./harness.ts";

describe("a token that covers Subscriptions of which some are not eligible any more", () => {
  test(
    "binds the rest, and one OperationOutcome after the handshakes names the others",
    inHarness(async (h) => {
      await h.put("s1", { status: "off" });
      await h.put("s2");
      await h.put("s4");
      const socket = await h.open();
      await socket.say("nonsense", "nonsense");
      socket.take();
      const frames = await h.bind(socket, await h.mint(["s1", "s2", "s3", "s4"]));
      assertEquals(frames.map(({ kind }) => kind), ["notification", "notification", "outcome"]);
      assertEquals(frames.slice(0, 2).map((frame) => frame.kind === "notification" && frame.subscription), [
        "s2",
        "s4",
      ]);
      assertEquals(JSON.parse(frames[2]?.text ?? ""), {
        resourceType: "OperationOutcome",
        issue: [
          issue("business-rule", 'Cannot bind Subscription "s1": its status is "off"', "s1"),
          issue("not-found", "Error reading subscription: Not found", "s3"),
        ],
      });
      assertEquals(h.toldOf("bound").map(({ subscription }) => subscription), ["s2", "s4"]);
      await assertRefusals(socket, 0);
    }),
  );

  test(
    "a Subscription that was revoked is left out without a word",
    inHarness(async (h) => {
      await h.put("s1");
      await h.put("s2");
      const token = await h.mint(["s1", "s2"]);
      await h.notifier.revoke({ subscription: "s1" });
      const socket = await h.open();
      await h.bind(socket, token).then((frames) => assertEquals(frames.length, 1));
      assertEquals(h.toldOf("bound").map(({ subscription }) => subscription), ["s2"]);
    }),
  );
});
