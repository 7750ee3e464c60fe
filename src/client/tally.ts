// Event numbers of one Subscription: what has come, and what was missed.

import type { ReceivedEvent } from "./types.ts";

/** How far a Subscription has come. It outlives its sockets. */
export interface Tally {
  /** The highest number that was delivered, or that nothing before is wanted of; none before the first handshake. */
  last?: number;
  /** The highest number that was reported as missing. */
  told: number;
  /** A number that the server has reached and that is waited for. */
  expected?: number;
}

/** Numbers that did not come, both ends included. */
export type Gap = readonly [from: number, to: number];

/** Takes the events that are new, in order, and says what is missing before them. */
export function take(tally: Tally, events: readonly ReceivedEvent[]): { fresh: ReceivedEvent[]; gaps: Gap[] } {
  const gaps: Gap[] = [];
  const fresh = events.filter(({ number }) => {
    if (number === undefined) return true;
    if (tally.last !== undefined) {
      if (number <= tally.last) return false;
      gaps.push(...missingUpTo(tally, number - 1));
    }
    tally.last = number;
    return true;
  });
  return { fresh, gaps };
}

/** What has not come up to a number, each only once; it may still come late. */
export function missingUpTo(tally: Tally, head: number): Gap[] {
  const from = Math.max(tally.last ?? head, tally.told) + 1;
  if (from > head) return [];
  tally.told = head;
  return [[from, head]];
}
