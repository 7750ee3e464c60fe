// When the binder compares itself with the truth: every few seconds while there are sockets.

import { clock, report } from "../host.ts";
import type { Due } from "./deadlines.ts";
import { reconcile } from "./reconcile.ts";
import type { BinderState } from "./state.ts";

/** The repeated reconciliation. */
export interface Rounds {
  start(): void;
  /** The next round is now; a round under way is followed by another. */
  soon(): void;
  /** Pulls in a round that a clock which was set back has left too far away. */
  keep(): void;
  stop(): void;
}

/** One round at a time. */
export function createRounds(of: () => BinderState): Rounds {
  let running = false;
  let again = false;
  const round: Due = { dueAt: Infinity, place: -1, due: () => void run() }; // it never rejects

  function next(milliseconds: number): void {
    const { deadlines, settings, sessions } = of();
    if (sessions.size > 0) deadlines.set(round, clock(settings) + milliseconds);
  }

  async function run(): Promise<void> {
    const state = of();
    running = true;
    again = false;
    try {
      await reconcile(state);
    } catch (cause) {
      report(state.settings, { type: "error", during: "internal", cause });
    }
    running = false;
    next(again ? 0 : state.settings.reconcileEvery);
  }

  return {
    start() {
      if (!running && round.place < 0) next(of().settings.reconcileEvery);
    },
    soon() {
      if (running) again = true;
      else next(0);
    },
    keep() {
      const { settings } = of();
      if (round.place >= 0 && round.dueAt - clock(settings) > settings.reconcileEvery) next(settings.reconcileEvery);
    },
    stop() {
      of().deadlines.clear(round);
    },
  };
}
