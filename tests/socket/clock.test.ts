import { assertEquals, assertLessOrEqual } from "@std/assert";
import { describe, test } from "node:test";
import { assertLivesFor } from "./assertions.ts";
import { ALICE, inHarness, LIFETIME, START } from "./harness.ts";

describe("a wall clock that somebody sets", () => {
  test(
    "forward ends at once what has expired by it, within a second of real time",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      await h.advance(10_000);
      h.time.setWall(LIFETIME * 1000);
      await h.advance(1000);
      assertEquals(socket.story(), ["expired Subscription/s1", "close 1008 expired"]);
    }),
  );

  test(
    "forward, less than what is left, ends nothing early or late",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"], ALICE, { lifetime: 7200 });
      h.time.setWall(3_600_000);
      await assertLivesFor(h, socket, 3_600_000);
    }),
  );

  test(
    "forward keeps nobody waiting who binds after that",
    inHarness(async (h) => {
      await h.put("s1");
      await h.open();
      const token = await h.mint(["s1"], ALICE, { lifetime: 3601 });
      await h.advance(100);
      h.time.setWall(3_600_500);
      const socket = await h.open();
      await h.bind(socket, token);
      await assertLivesFor(h, socket, 400);
    }),
  );

  for (const skew of [1_000, 60_000, 3_600_000]) {
    test(
      `back by ${skew / 1000} s lets no binding outlive its token by more than that`,
      inHarness({ limits: { bindDeadline: 1_000_000 } }, async (h) => {
        await h.put("s1", { heartbeatPeriod: 30 });
        const socket = await h.bound(["s1"]);
        await h.advance(600_000);
        h.time.setWall(-skew);
        let lived = 600_000;
        while (socket.closing === undefined && lived <= LIFETIME * 1000 + skew) {
          await h.advance(1000);
          lived += 1000;
        }
        assertEquals(socket.closing, { code: 1008, reason: "expired" });
        assertLessOrEqual(lived, LIFETIME * 1000 + skew);
        assertEquals(h.time.now(), START + LIFETIME * 1000);
      }),
    );
  }

  test(
    "to and fro crashes nothing, and everything goes on",
    inHarness({ limits: { bindDeadline: 60 } }, async (h) => {
      await h.put("s1", { heartbeatPeriod: 10 });
      const socket = await h.bound(["s1"], ALICE, { lifetime: 86_400 });
      for (const skew of [-3_600_000, 7_200_000, -3_600_000, 1, -1, 3_600_000, -7_200_000]) {
        h.time.setWall(skew);
        await h.advance(500);
        await h.notify("s1");
        await h.advance(31_000);
        await socket.say({ type: "ping" });
      }
      const story = socket.story();
      assertEquals(
        story.filter((words) => words.startsWith("event")),
        [1, 2, 3, 4, 5, 6, 7].map((n) => `event s1 ${n}`),
      );
      assertEquals(story.filter((words) => words === "pong").length, 7);
      assertEquals(socket.closing, undefined);
    }),
  );
});
