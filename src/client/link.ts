// Some Subscriptions that share a token and a socket.

import type { SubscribeError } from "./errors.ts";
import type { Client, Dialect } from "./settings.ts";
import type { Connection } from "./socket.ts";
import type { Tally } from "./tally.ts";
import type { Way } from "./token.ts";

/** What is known of them. */
export interface Link extends Client {
  /** Those that are to be bound. */
  readonly tallies: Map<string, Tally>;
  /** The ways to ask for a token that may still work, the best first. */
  readonly ways: Way[];
  /** The dialects to try, the best first. */
  dialects: readonly Dialect[];
  /** Whether the server bears no second bind on a socket. */
  bindsOnce?: boolean;
  /** When it was bound after the last failure; milliseconds. */
  boundAt: number;
  /** The socket that was bound last; without one the server has not shown yet that it speaks this protocol. */
  current?: Connection;
  /** The socket that is being bound, else the one that is. */
  newest?: Connection | undefined;
  /** Why a binding was lost that is wanted again, or the last one that was not. */
  lost?: SubscribeError | undefined;
  /** Milliseconds that the server's clock is ahead, NaN as long as it has given no sign that we may read. */
  ahead: number;
  /** Looks again whether that has come which is waited for. */
  wake?(): void;
}

/**
 * Waits for what `find` finds, which looks after each thing that happens; `undefined` when the seconds have passed.
 *
 * @throws the error that it finds, or the signal's reason when that is aborted.
 */
export function until<T>(
  link: Link,
  seconds: number,
  find: () => T | SubscribeError | undefined,
): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    // Beyond 2^31 ms timers fire at once.
    const timer = setTimeout(resolve, Math.min(seconds, 2e6) * 1000, undefined);
    link.wake = () => {
      const found = link.signal.aborted ? link.signal.reason : find();
      if (!found) return;
      clearTimeout(timer);
      if (found instanceof Error) reject(found);
      else resolve(found);
    };
    link.wake();
  });
}
