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
  /** The highest number that was delivered, or that nothing before is wanted of. */
  let last = since && Math.max(0, since - 1);
  /** The highest number that was told to be missing. */
  let told = 0;
  /** The number that is waited for, else 0. */
  let expected = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  /** Tells what has not come up to a number, each only once; it may still come late. */
  function miss(to: number): void {
    const from = Math.max(last ?? to, told) + 1;
    if (from > to) return;
    told = to;
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
    if (head <= Math.max(last ?? head, told)) return;
    if (expected === 0) wait();
    expected = head;
  }
  signal.addEventListener("abort", () => clearTimeout(timer));

  return {
    next: () => last === undefined ? last : last + 1,
    take: (events) =>
      events.filter(({ number }) => {
        if (number === undefined) return true;
        last ??= number - 1;
        if (number <= last) return false;
        miss(number - 1);
        last = number;
        if (expected > 0) wait();
        return true;
      }),
    begin(head, isOnly) {
      if (isOnly && last !== undefined && head !== undefined && head < last) {
        last = told = expected = 0;
        emit({ type: "restarted", subscription });
      }
      last ??= head;
      expect(head);
    },
    expect,
  };
}
