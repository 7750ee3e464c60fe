// The bus of the memory adapter.

import type { BusMessage, NotificationBus } from "../../src/types.ts";

/**
 * A bus within one process. `publish` has called every listener when it returns, in the order in which they began to
 * listen; a message published by a listener comes after the one that it is hearing. A listener that throws does not
 * keep the others from hearing: what they threw comes out of `publish`, in an `AggregateError`, after all have heard.
 *
 * @example
 * ```ts
 * import { createMemoryBus } from "@fhir-ws/binding/storage/memory";
 *
 * const bus = createMemoryBus();
 * const heard: string[] = [];
 * const unlisten = await bus.listen((message) => heard.push(message.type));
 * await bus.publish({ type: "resync" });
 * unlisten();
 * if (heard.join() !== "resync") throw new Error("unreachable");
 * ```
 */
export function createMemoryBus(): NotificationBus {
  // Wrapped, so that a function that listens twice hears twice.
  const listeners = new Set<{ readonly hear: (message: BusMessage) => void }>();
  const waiting: BusMessage[] = [];
  let delivering = false;

  function deliver(message: BusMessage): unknown[] {
    const errors: unknown[] = [];
    // Who comes during a delivery hears the next message, who leaves hears no more.
    for (const listener of [...listeners]) {
      if (!listeners.has(listener)) continue;
      try {
        listener.hear(message);
      } catch (error) {
        errors.push(error);
      }
    }
    return errors;
  }

  return {
    publish(message) {
      waiting.push(message);
      if (delivering) return;
      delivering = true;
      const errors: unknown[] = [];
      for (let next = waiting.shift(); next; next = waiting.shift()) errors.push(...deliver(next));
      delivering = false;
      if (errors.length > 0) throw new AggregateError(errors, "Cannot deliver to every listener: one or more threw");
    },
    listen(hear) {
      const listener = { hear };
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
