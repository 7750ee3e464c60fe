// Who listens to a bus in this process.

import type { BusMessage } from "../../src/types.ts";

/** Options of every bus between processes. */
export interface BusOptions {
  /**
   * Told of what a bus cannot throw at anybody: a connection that was lost or does not come back yet, a listener that
   * threw. What it throws is dropped.
   */
  readonly onError?: (cause: unknown) => void;
}

/** The listeners of one bus. */
export interface Listeners {
  readonly size: number;
  /** Returns how to stop listening. */
  add(hear: (message: BusMessage) => void): () => void;
  tell(message: BusMessage): void;
}

/** Hands what went wrong to the host. */
export function createReport({ onError }: BusOptions): (cause: unknown) => void {
  return (cause) => {
    try {
      onError?.(cause);
    } catch {
      // Where errors are reported has failed itself: there is nobody left to tell.
    }
  };
}

/** Calls all, in the order in which they came, whichever of them throws. */
export function createListeners(report: (cause: unknown) => void): Listeners {
  // Wrapped, so that a function that listens twice hears twice.
  const listeners = new Set<{ readonly hear: (message: BusMessage) => void }>();
  return {
    get size() {
      return listeners.size;
    },
    add(hear) {
      const listener = { hear };
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    tell(message) {
      // Who leaves during a delivery hears no more.
      for (const listener of [...listeners]) {
        if (!listeners.has(listener)) continue;
        try {
          listener.hear(message);
        } catch (cause) {
          report(cause);
        }
      }
    },
  };
}
