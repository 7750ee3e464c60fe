// Listening to the bus, from the first bind on.

import { askHost, report } from "../host.ts";
import type { BusMessage, MaybePromise } from "../types.ts";
import type { Settings } from "./settings.ts";

/** A bus that is listened to once. */
export interface Listener {
  /** @throws {BindingError} `unavailable`; the next call tries again. */
  listening(): Promise<void>;
  stop(): Promise<void>;
}

/** `begin` runs once, after the bus has begun to be heard. */
export function createListener(
  settings: Settings,
  hear: (message: BusMessage) => void,
  begin: () => Promise<void>,
): Listener {
  let listening: Promise<() => void> | undefined;

  async function listen(): Promise<() => void> {
    let answer: MaybePromise<() => void> | undefined;
    try {
      const unlisten = await askHost(settings, "bus", () => answer = settings.bus.listen(hear));
      await begin();
      return unlisten;
    } catch (error) {
      // A bus that answers after all would be heard twice.
      void leave(answer); // it never rejects
      throw error;
    }
  }

  async function leave(answer: MaybePromise<() => void> | undefined): Promise<void> {
    const unlisten = await Promise.resolve(answer).catch(() => undefined); // who listened was told
    try {
      unlisten?.();
    } catch (cause) {
      report(settings, { type: "error", during: "bus", cause });
    }
  }

  return {
    async listening() {
      const attempt = listening ??= listen();
      try {
        await attempt;
      } catch (error) {
        if (listening === attempt) listening = undefined;
        throw error;
      }
    },
    async stop() {
      const answer = listening;
      listening = undefined;
      await leave(answer);
    },
  };
}
