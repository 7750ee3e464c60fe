import type { BusMessage, MaybePromise, NotificationBus } from "@fhir-ws/binding";
import { createDraws, type Draws, type Shares } from "./random.ts";

/** What may happen to a message on its way to one listener. */
export type MessageFault = "drop" | "duplicate" | "delay" | "reorder";

/** What may happen to a publisher; its message is lost then. */
export type PublishFault = "throw" | "reject" | "hang";

export interface FaultyBusOptions {
  readonly seed: number;
  /** What each listener suffers by itself. */
  readonly messages?: Shares<MessageFault>;
  readonly publish?: Shares<PublishFault>;
  /** Milliseconds of the longest delay. Default 1000. */
  readonly longest?: number;
}

export interface FaultyBus extends NotificationBus, Pick<Draws<MessageFault | PublishFault>, "counts"> {
  /** From here on nothing goes wrong, and what was held back to be reordered is heard. */
  heal(): void;
}

/** A bus that keeps no promise: the same messages with the same seed suffer the same. */
export function createFaultyBus(
  bus: NotificationBus,
  { seed, messages, publish, longest = 1000 }: FaultyBusOptions,
): FaultyBus {
  const { draw, delay, heal, counts } = createDraws<MessageFault | PublishFault>(seed);
  const ears = new Set<Ear>();

  function hear(ear: Ear, message: BusMessage): void {
    switch (draw(messages)) {
      case "drop":
        return;
      case "delay":
        return void setTimeout(() => ear.hear(message), delay(longest));
      case "reorder":
        return void ear.held.push(message);
      case "duplicate":
        ear.hear(message);
    }
    ear.hear(message);
    ear.flush();
  }

  return {
    counts,
    heal() {
      heal();
      for (const ear of ears) ear.flush();
    },
    publish(message) {
      const fault = draw(publish);
      if (fault === undefined) return bus.publish(message);
      if (fault === "throw") throw new Error(`publish fails by seed ${seed}`);
      return fault === "hang" ? new Promise(() => {}) : Promise.reject(new Error(`publish fails by seed ${seed}`));
    },
    listen(listener): MaybePromise<() => void> {
      const ear = createEar(listener);
      ears.add(ear);
      const answer = bus.listen((message) => hear(ear, message));
      const stop = (unlisten: () => void) => () => {
        ears.delete(ear);
        ear.deafen();
        unlisten();
      };
      return typeof answer === "function" ? stop(answer) : answer.then(stop);
    },
  };
}

interface Ear {
  /** Messages that wait until a later one has been heard, which makes them late. */
  readonly held: BusMessage[];
  hear(message: BusMessage): void;
  flush(): void;
  deafen(): void;
}

function createEar(listener: (message: BusMessage) => void): Ear {
  const held: BusMessage[] = [];
  let deaf = false;
  function hear(message: BusMessage): void {
    if (!deaf) listener(message);
  }
  return {
    held,
    hear,
    flush() {
      for (const message of held.splice(0).reverse()) hear(message);
    },
    deafen() {
      deaf = true;
    },
  };
}
