// Many deadlines under one timer: each once, in its time, and none that was taken back.

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { test } from "node:test";
import { createDeadlines, type Due } from "../../src/socket/deadlines.ts";
import { createTimes } from "../../src/socket/times.ts";
import { FakeTime } from "./harness.ts";

const SEED = 20_300_102;

/** `at` is in milliseconds from the beginning. */
type Step =
  | { readonly type: "set"; readonly who: number; readonly at: number }
  | { readonly type: "clear"; readonly who: number }
  | { readonly type: "wait"; readonly milliseconds: number };

const who = fc.nat(9);
const steps = fc.array(
  fc.oneof(
    // Few times, so that many are due at once.
    fc.record({ type: fc.constant("set" as const), who, at: fc.oneof(fc.nat(40).map((n) => n * 100), fc.nat(4000)) }),
    fc.record({ type: fc.constant("clear" as const), who }),
    fc.record({ type: fc.constant("wait" as const), milliseconds: fc.nat(500) }),
  ),
  { maxLength: 80, size: "max" },
);

test("createDeadlines calls each one once, at its time, and not after it was moved or cleared", async () => {
  await fc.assert(fc.asyncProperty(steps, play), { seed: SEED, numRuns: 500 });
});

async function play(steps: readonly Step[]): Promise<void> {
  const time = new FakeTime();
  const leave = time.install();
  try {
    const begin = time.now();
    const waiting = new Map<number, number>();
    const deadlines = createDeadlines(time.now, () => {});
    const dues: Due[] = Array.from({ length: 10 }, (_, n) => ({
      dueAt: Infinity,
      place: -1,
      due(now) {
        assertEquals(now, Math.max(waiting.get(n) ?? NaN, setAt.get(n) ?? NaN), `${n} is called at its time`);
        waiting.delete(n);
      },
    }));
    /** When each was set: one that was set too late is called at once. */
    const setAt = new Map<number, number>();
    for (const step of steps) {
      if (step.type === "wait") await time.advance(step.milliseconds);
      else {
        const due = dues[step.who]!;
        if (step.type === "clear") {
          deadlines.clear(due);
          waiting.delete(step.who);
        } else {
          deadlines.set(due, begin + step.at);
          waiting.set(step.who, begin + step.at);
          setAt.set(step.who, time.now());
        }
      }
    }
    await time.advance(5000);
    assertEquals([...waiting], [], "nobody was forgotten");
    assertEquals(time.armed, 0);
  } finally {
    leave();
  }
}

test("createDeadlines calls those whose time comes while others are called", async () => {
  const time = new FakeTime();
  const leave = time.install();
  try {
    const called: string[] = [];
    const deadlines = createDeadlines(time.now, () => called.push("tick"));
    const later: Due = { dueAt: Infinity, place: -1, due: () => called.push("later") };
    const dropped: Due = { dueAt: Infinity, place: -1, due: () => called.push("dropped") };
    const first: Due = {
      dueAt: Infinity,
      place: -1,
      due(now) {
        called.push("first");
        deadlines.set(later, now - 1);
        deadlines.clear(dropped);
      },
    };
    deadlines.set(first, time.now() + 10);
    deadlines.set(dropped, time.now() + 10);
    await time.advance(20);
    assertEquals(called, ["first", "later", "tick"]);
  } finally {
    leave();
  }
});

test("createTimes gives the first of those that are known, and keeps few of the others", () => {
  fc.assert(
    fc.property(fc.array(fc.record({ time: fc.nat(1000), forget: fc.boolean() }), { maxLength: 2000 }), (deeds) => {
      const known = new Set<number>();
      let kept = 0;
      const times = createTimes({
        has: (time) => known.has(time),
        get size() {
          return known.size;
        },
        keys() {
          kept++; // it was too full
          return known.keys();
        },
      });
      for (const { time, forget } of deeds) {
        if (forget) known.delete(time);
        else if (!known.has(time)) {
          known.add(time);
          times.add(time);
        }
        if (time % 7 === 0) assertEquals(times.first(), known.size === 0 ? undefined : Math.min(...known));
      }
      assert(kept <= deeds.length / 64 + 1, `${kept} times`);
    }),
    { seed: SEED },
  );
});

test("createTimes forgets what comes and goes without ever coming first", () => {
  const known = new Set([0]);
  let walked = 0;
  const times = createTimes({
    has: (time) => known.has(time),
    get size() {
      return known.size;
    },
    keys() {
      walked++;
      return known.keys();
    },
  });
  times.add(0);
  for (let time = 1; time <= 10_000; time++) {
    known.add(time);
    times.add(time);
    known.delete(time);
  }
  // Each time it was full it began anew with what was known: there never were more than some dozens.
  assert(walked > 100, `${walked} times`);
  assertEquals(times.first(), 0);
});
