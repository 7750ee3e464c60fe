// The writes of the server: events for some Subscriptions at a time, now and then many at once.

import type { RevokingNotifier } from "@fhir-ws/binding";
import type { Plan } from "./plan.ts";

/** Writes until it is stopped. */
export interface Writer {
  readonly written: number;
  /** Resolves when the last event has been written. */
  stop(): Promise<void>;
}

/** Milliseconds between writes. */
const EVERY = 10;
/** Milliseconds between the events of a heavy Subscription, and their size in characters. */
const HEAVY_EVERY = 125;
const HEAVY_SIZE = 49_152;
const MOST_SUBSCRIPTIONS = 8;
/** The share of writes that are a burst, and how many events that is. */
const BURSTS = 0.01;
const BURST = 30;

export function startWriter({ subscriptions }: Plan, notifier: RevokingNotifier, random: () => number): Writer {
  const light = subscriptions.filter(({ isHeavy }) => !isHeavy).map(({ id }) => id);
  const heavy = subscriptions.filter(({ isHeavy }) => isHeavy).map(({ id }) => id);
  const note = "x".repeat(HEAVY_SIZE);
  let written = 0;
  let isOver = false;

  async function write(ids: readonly string[], resource?: { readonly resourceType: "Patient"; readonly note: string }) {
    const focus = `Patient/p${written++}`;
    await notifier.notify(ids, { interaction: "update", focus, ...(resource && { resource }) });
  }

  async function writeLight(): Promise<void> {
    while (!isOver) {
      const ids = Array.from(
        { length: 1 + Math.floor(random() * MOST_SUBSCRIPTIONS) },
        () => light[Math.floor(random() * light.length)] ?? "",
      );
      const events = random() < BURSTS ? BURST : 1;
      await Promise.all(Array.from({ length: events }, () => write(ids)));
      await new Promise((resolve) => setTimeout(resolve, EVERY));
    }
  }

  async function writeHeavy(): Promise<void> {
    for (let n = 0; !isOver; n++) {
      await write([heavy[n % heavy.length] ?? ""], { resourceType: "Patient", note });
      await new Promise((resolve) => setTimeout(resolve, HEAVY_EVERY / heavy.length));
    }
  }

  const writing = Promise.all([writeLight(), writeHeavy()]);
  return {
    get written() {
      return written;
    },
    async stop() {
      isOver = true;
      await writing;
    },
  };
}
