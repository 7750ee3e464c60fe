// Whatever anybody sends: nothing throws, nothing is bound that should not be, nothing is left.

import { assertArrayIncludes, assertEquals, assertLess } from "@std/assert";
import fc from "fast-check";
import { describe, test } from "node:test";
import { anyFrame } from "./any_frame.ts";
import { inHarness } from "./harness.ts";

/** The same on every machine and every run: what a run finds can be run again. */
const SEED = 20_300_101;

const REFUSALS = ["structure", "not-supported", "unknown"];
const LAST_WORDS = ["close 1003", "close 1008 too many refusals", "close 1008 too many frames", "close 1009"];

describe("frames that nobody would write", () => {
  test("are answered by a refusal or a pong, whatever they hold", async () => {
    await fc.assert(
      fc.asyncProperty(anyFrame, async (frame) => {
        await inHarness({ limits: { refusedBinds: 2 } }, async ({ open }) => {
          const socket = await open();
          await socket.say(frame);
          const story = socket.story();
          assertLess(story.length, 2);
          for (const words of story) assertArrayIncludes([...REFUSALS, "pong"], [words]);
          await socket.say({ type: "ping" });
          assertEquals(socket.story(), ["pong"]);
        })();
      }),
      { seed: SEED, numRuns: 500 },
    );
  });

  test("change nothing for what is bound beside them, until they are too many", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(anyFrame, fc.uint8Array({ maxLength: 20 })), { maxLength: 12 }),
        async (frames) => {
          await inHarness(async (h) => {
            await h.put("s1");
            const [socket, other] = [await h.bound(["s1"]), await h.bound(["s1"])];
            await socket.say(...frames);
            await h.notify("s1");
            const story = socket.story();
            const last = socket.closing === undefined ? "event s1 1" : story.at(-1);
            assertEquals(story.at(-1), last);
            if (socket.closing !== undefined) assertArrayIncludes(LAST_WORDS, [last]);
            for (const words of story.slice(0, -1)) assertArrayIncludes([...REFUSALS, "pong"], [words]);
            assertEquals(other.story(), ["event s1 1"]);
          })();
        },
      ),
      { seed: SEED, numRuns: 200 },
    );
  });

  test("bind only when they hold the whole token, and nothing but it", async () => {
    const change = fc.record({ at: fc.nat(), unit: fc.integer({ min: 0, max: 0xffff }), cut: fc.nat({ max: 2 }) });
    for (const signer of ["opaque", "jwt"] as const) {
      await fc.assert(
        fc.asyncProperty(change, async ({ at, unit, cut }) => {
          await inHarness({ signer }, async (h) => {
            await h.put("s1");
            const token = await h.mint(["s1"]);
            const place = at % (token.length + 1);
            const changed = token.slice(0, place) + String.fromCharCode(unit) + token.slice(place + cut);
            const socket = await h.open();
            await socket.say(`bind-with-token ${changed}`);
            const words = socket.story();
            if (changed.trim() === token) assertEquals(words, ["handshake s1 0"]);
            else assertArrayIncludes(REFUSALS, words);
          })();
        }),
        { seed: SEED, numRuns: 150 },
      );
    }
  });

  test("by the thousand close their socket and no other, and leave no memory of them", async () => {
    await inHarness(async (h) => {
      await h.put("s1");
      const other = await h.bound(["s1"]);
      for (let n = 0; n < 20; n++) {
        const socket = await h.open({ answersClose: n % 2 === 0 });
        await socket.say(...Array<string>(5000).fill('{"type":"ping"}'));
        assertEquals(
          socket.story(),
          [...Array(200).fill("pong"), "close 1008 too many frames"].slice(-socket.frames.length - 1),
        );
        socket.disconnect();
      }
      await h.notify("s1");
      assertEquals(other.story(), ["event s1 1"]);
      assertEquals(h.binder.stats(), { sockets: 1, bindings: 1, subscriptions: 1 });
    })();
  });

  test("may be an unbind of anything, any number of times", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.stringMatching(/^[A-Za-z0-9._~+/-]{1,40}={0,2}$/), { maxLength: 30 }),
        async (tokens) => {
          await inHarness(async (h) => {
            await h.put("s1");
            const socket = await h.bound(["s1"]);
            await socket.say(...tokens.map((token) => ({ type: "unbind-from-token", payload: { token } })));
            await h.notify("s1");
            assertEquals(socket.story(), ["event s1 1"]);
          })();
        },
      ),
      { seed: SEED, numRuns: 50 },
    );
  });
});
