// What the tests of all buses share.

import type { BusMessage, NotificationBus } from "@fhir-ws/binding";

/** Listens, and can be waited for. */
export interface Ear {
  readonly heard: readonly BusMessage[];
  /** Everything heard, once it holds what is looked for. */
  until(found: (heard: readonly BusMessage[]) => boolean): Promise<readonly BusMessage[]>;
  unlisten(): void;
}

const PATIENCE = 10_000;

export async function listen(bus: NotificationBus): Promise<Ear> {
  const heard: BusMessage[] = [];
  const waiting = new Set<() => void>();
  const unlisten = await bus.listen((message) => {
    heard.push(message);
    for (const look of waiting) look();
  });
  return {
    heard,
    unlisten,
    until(found) {
      return new Promise((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`not heard in time, but ${JSON.stringify(heard).slice(0, 1000)}`)),
          PATIENCE,
        );
        function look(): void {
          if (!found(heard)) return;
          clearTimeout(timer);
          waiting.delete(look);
          resolve(heard);
        }
        waiting.add(look);
        look();
      });
    },
  };
}

/** An event message for so many keys. */
export function eventFor(count: number, key = (n: number) => `key-${n}`): BusMessage & { readonly type: "event" } {
  const numbers = Array.from({ length: count }, (_, n) => n + 1);
  return { type: "event", keys: numbers.map(key), numbers };
}

/** The number of each key, whichever of the messages it came in. */
export function numbersIn(messages: readonly BusMessage[]): ReadonlyMap<string, number> {
  return new Map(
    messages.flatMap((message) =>
      message.type === "event" ? message.keys.map((key, n): [string, number] => [key, message.numbers[n] ?? 0]) : []
    ),
  );
}

/** Resolves with what `onError` is told first. */
export function firstError(): { readonly told: Promise<unknown>; onError(cause: unknown): void } {
  let tell: (cause: unknown) => void = () => {};
  const told = new Promise<unknown>((resolve) => {
    tell = resolve;
  });
  return { told, onError: (cause) => tell(cause) };
}
