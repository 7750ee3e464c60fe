// Listening to the bus, from the first bind on.

import { askHost } from "../host.ts";
import type { BusMessage } from "../types.ts";
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
    const unlisten = await askHost(settings, "bus", () => settings.bus.listen(hear));
    try {
      await begin();
    } catch (error) {
      unlisten();
      throw error;
    }
    return unlisten;
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
      const unlisten = await listening?.catch(() => undefined); // who listened was told
      listening = undefined;
      unlisten?.();
    },
  };
}
