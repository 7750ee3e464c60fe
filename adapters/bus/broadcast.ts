/**
 * A bus on BroadcastChannel, for the workers of one process over one log: a SQLite file, PostgreSQL, Redis.
 *
 * @module
 */
import type { NotificationBus } from "../../src/types.ts";
import { type BusOptions, createListeners, createReport } from "./listeners.ts";
import { isMessage } from "./message.ts";

export type { BusOptions } from "./listeners.ts";

/**
 * Makes a bus for all threads of a process: the channel of that name reaches no other process on Deno, Node and Bun. It
 * is open, and keeps the process alive, only while somebody listens.
 *
 * @example
 * ```ts
 * import { createBroadcastBus } from "@fhir-ws/binding/bus/broadcast";
 *
 * const bus = createBroadcastBus("notifications");
 * const heard = new Promise<string>((resolve) => {
 *   const listening = bus.listen(async ({ type }) => {
 *     (await listening)();
 *     resolve(type);
 *   });
 * });
 * await bus.publish({ type: "changed", key: "s1" });
 * if (await heard !== "changed") throw new Error("unreachable");
 * ```
 */
export function createBroadcastBus(name = "fhir-ws", options: BusOptions = {}): NotificationBus {
  const listeners = createListeners(createReport(options));
  // Two, since a channel does not hear itself.
  let receiver: BroadcastChannel | undefined;
  let sender: BroadcastChannel | undefined;

  function openReceiver(): BroadcastChannel {
    const channel = new BroadcastChannel(name);
    channel.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (isMessage(data)) listeners.tell(data);
    };
    return channel;
  }

  /**
   * A turn later, since Deno loses what is still on its way to another thread, and hears no other thread any more when
   * the last channel is closed and one opened in the same turn.
   */
  function closeSoon(): void {
    setTimeout(() => {
      if (listeners.size > 0) return;
      receiver?.close();
      sender?.close();
      receiver = undefined;
      sender = undefined;
    });
  }

  return {
    publish(message) {
      if (sender === undefined) {
        sender = new BroadcastChannel(name);
        closeSoon();
      }
      sender.postMessage(message);
    },
    listen(hear) {
      const leave = listeners.add(hear);
      receiver ??= openReceiver();
      return () => {
        leave();
        if (listeners.size === 0) closeSoon();
      };
    },
  };
}
