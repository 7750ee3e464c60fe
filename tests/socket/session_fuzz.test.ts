// Whatever happens in whatever order, while whatever fails: nobody sees what is another's.

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { describe, test } from "node:test";
import { anyStep, Crowd, type Step } from "./crowd.ts";
import { ALICE, inHarness, type ServerFrame } from "./harness.ts";
import { BASES, IDS, markOf, TENANTS, Watch } from "./watch.ts";

/** The same on every machine and every run: what a run finds can be run again. */
const SEED = 20_300_101;

describe("two callers in each of two tenants on two bases, with the same ids", () => {
  const SIGNERS = [["opaque", true], ["jwt", false], ["jwt", true], ["opaque", false]] as const;
  for (const [signer, singleUse] of SIGNERS) {
    test(`never meet, whatever happens in whatever order (${signer}, ${singleUse ? "single use" : "reusable"})`, async () => {
      let delivered = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(anyStep, { minLength: 20, maxLength: 80, size: "max" }), async (steps) => {
          const replay = singleUse ? "missed" as const : "none" as const;
          const options = { signer, singleUse, replay, limits: { drainDeadline: 10 } };
          await inHarness({ ...options, base: BASES[0] }, async (one) => {
            const { signer: _signer, singleUse: _singleUse, ...rest } = options;
            const world = new Crowd([one, one.sibling({ ...rest, base: BASES[1] })], singleUse);
            for (const tenant of TENANTS) for (const id of IDS) await world.put(tenant, id, "active");
            await world.begin();
            for (const step of steps) await world.take(step as Step); // see `Step`
            for (const { host } of world.processes) host.healAll();
            await one.advance(10_000);
            for (const { violation } of world.watches) if (violation !== undefined) throw violation;
            delivered += world.processes.reduce((sum, process) => sum + process.toldOf("delivered").length, 0);
          })();
        }),
        { seed: SEED, numRuns: 60 },
      );
      assert(delivered > 500, `${delivered} deliveries prove too little`);
    });
  }
});

test("the watch of this file notices what must not be", async () => {
  await inHarness(async (h) => {
    const north = { ...ALICE, tenant: "north" };
    await h.put("s1", { content: "full-resource", topic: "http://example.org/north" }, north);
    const [handshake] = (await h.bound(["s1"], north)).frames;
    assert(handshake?.kind === "notification");
    const event = (number: string): ServerFrame => ({
      ...handshake,
      type: "event-notification",
      events: [{ number, timestamp: undefined, focus: undefined, context: [] }],
    });
    const sequences: readonly (readonly [good: boolean, until: number, ...ServerFrame[]])[] = [
      [true, 1, handshake, event("1"), event("2"), handshake, event("1")],
      [false, 0, handshake],
      [false, 1, event("1")],
      [false, 1, handshake, event("2")],
      [false, 1, handshake, event("1"), event("1")],
      [false, 1, { ...handshake, text: markOf(1, "north", "s1") }],
      [false, 1, { ...handshake, text: markOf(0, "south", "s1") }],
      [false, 1, { ...handshake, text: markOf(0, "north", "s2") }],
      [false, 1, handshake, { ...handshake, subscription: "s3" }],
    ];
    for (const [good, until, ...frames] of sequences) {
      const socket = h.makeSocket();
      const watch = new Watch(0, socket, h.time.now);
      for (const id of IDS) watch.until.set(`north ${id}`, h.time.now() + until);
      for (const frame of frames) socket.listener?.(frame);
      assertEquals(watch.violation === undefined, good);
      socket.gone = true;
    }
  })();
});
