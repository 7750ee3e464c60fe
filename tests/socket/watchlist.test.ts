// Subscriptions in a row that come and go while it is walked: nobody who stays is passed by, or taken for another.

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { test } from "node:test";
import type { Watched } from "../../src/socket/state.ts";
import { createWatchlist } from "../../src/socket/watchlist.ts";

const SEED = 20_300_102;

type Step =
  | { readonly type: "add" | "delete" | "unsettle"; readonly who: number }
  | { readonly type: "settle"; readonly who: number; readonly head: number }
  | { readonly type: "walk" };

const who = fc.nat(9);
const steps = fc.array(
  fc.oneof(
    fc.record({ type: fc.constantFrom("add" as const, "add" as const, "delete" as const, "unsettle" as const), who }),
    fc.record({ type: fc.constant("settle" as const), who, head: fc.nat(3) }),
    fc.record({ type: fc.constant("walk" as const) }),
  ),
  { maxLength: 120, size: "max" },
);

function makeWatched(n: number): Watched {
  return { key: `k${n}`, id: `s${n}`, accesses: new Map(), reads: undefined, place: -1 };
}

test("createWatchlist walks past everyone who stays, and knows where each stood", () => {
  fc.assert(fc.property(steps, fc.integer({ min: 1, max: 4 }), play), { seed: SEED, numRuns: 500 });
});

function play(steps: readonly Step[], length: number): void {
  const list = createWatchlist();
  const here = new Map<string, Watched>();
  const settled = new Map<string, number>();
  let walk = list.rows(length);
  /** Those who were there when the walk began, and have not left, nor been met. */
  const toMeet = new Set<string>();
  for (const step of steps) {
    if (step.type === "walk") walkOn();
    else change(step, `k${step.who}`);
    assertEquals(list.size, here.size);
  }

  function walkOn(): void {
    const { value: row } = walk.next();
    if (row === undefined) {
      assertEquals([...toMeet], [], "somebody was passed by");
      walk = list.rows(length);
      for (const key of here.keys()) toMeet.add(key);
      return;
    }
    assert(row.keys.length > 0 && row.keys.length <= length, "none, or too many at a time");
    row.keys.forEach((key, n) => {
      assertEquals(list.get(key), here.get(key));
      for (let head = 0; head < 4; head++) {
        assertEquals(list.isSettled(row.from + n, key, head), settled.get(key) === head, `${key} at ${head}`);
        assert(!list.isSettled(row.from + n, "another", head), "taken for another");
      }
      toMeet.delete(key);
    });
  }

  function change(step: Exclude<Step, { type: "walk" }>, key: string): void {
    const watched = here.get(key);
    if (step.type === "add" && watched === undefined) {
      const added = makeWatched(step.who);
      list.add(added);
      here.set(key, added);
    } else if (step.type === "delete" && watched !== undefined) {
      list.delete(watched);
      here.delete(key);
      settled.delete(key);
      toMeet.delete(key);
    } else if (step.type === "settle" && watched !== undefined) {
      list.settle(watched, step.head);
      settled.set(key, step.head);
    } else if (step.type === "unsettle") {
      list.settle(watched ?? makeWatched(step.who), undefined); // one that has left says nothing of who is here
      settled.delete(key);
    }
  }
}

test("createWatchlist lets one that has left change nothing for its successor", () => {
  const list = createWatchlist();
  const [old, next] = [makeWatched(1), makeWatched(1)];
  list.add(old);
  list.delete(old);
  list.add(next);
  list.settle(next, 4);
  list.settle(old, undefined);
  assertEquals([list.get("k1") === next, list.isSettled(0, "k1", 4), list.size], [true, true, 1]);
});
