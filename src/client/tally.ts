// Event numbers of one Subscription: what has come, and what was missed.

import type { Client } from "./settings.ts";
import type { ReceivedEvent } from "./types.ts";

/** How far a Subscription has come. It outlives its sockets. */
export interface Tally {
  /** The number that is wanted next; none before the first handshake. */
  next(): number | undefined;
  /** Takes the events that are new, in order, and tells what is missing before them. */
  take(events: readonly ReceivedEvent[]): ReceivedEvent[];
  /** A handshake that names the latest event; on the only socket there is, a lower number than before is a new count. */
  begin(head: number | undefined, isOnly: boolean): void;
  /** Events up to this number have happened. They may be under way, so nothing is missing while some still arrive. */
  expect(head: number | undefined): void;
}

/** @param since The first event number that is wanted. */
export function createTally(client: Client, subscription: string, since?: number): Tally {
  const { emit, timeout, signal } = client;
  let next = since === undefined ? since : Math.max(1, since);
  /** The first number that was not told to be missing. */
  let untold = 1;
  /** The number that is waited for, else 0. */
  let expected = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const missing = (): number => Math.max(next ?? Infinity, untold);
  /** Tells what has not come up to a number, each only once; it may still come late. */
  function miss(to: number): void {
    const from = missing();
    if (from > to) return;
    untold = to + 1;
    emit({ type: "gap", subscription, from, to });
  }
  function wait(): void {
    clearTimeout(timer);
    timer = setTimeout(() => {
      miss(expected);
      expected = 0;
    }, timeout * 1000);
  }
  function expect(head = 0): void {
    if (head < missing()) return;
    if (expected === 0) wait();
    expected = head;
  }
  signal.addEventListener("abort", () => clearTimeout(timer));

  return {
    next: () => next,
    take: (events) =>
      events.filter(({ number }) => {
        if (number === undefined) return true;
        next ??= number;
        if (number < next) return false;
        miss(number - 1);
        next = number + 1;
        if (expected > 0) wait();
        return true;
      }),
    begin(head, isOnly) {
      if (head === undefined) return;
      if (isOnly && next && head + 1 < next) {
        next = untold = 1;
        expected = 0;
        emit({ type: "restarted", subscription });
      }
      next ??= head + 1;
      expect(head);
    },
    expect,
  };
}
