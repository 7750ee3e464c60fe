// How fast an engine takes events over many Subscriptions: notify() in one process, with nobody bound.

import { createNotifier } from "@fhir-ws/binding";
import { openBackend } from "../../../tests/several/backend.ts";
import { BASE } from "../samples.ts";
import { engineOf, EVENT, type Place, repeat, SUBSCRIPTIONS } from "./place.ts";

/** Events on their way at the same time. */
const IN_FLIGHT = 100;
/** Milliseconds of a round. */
const ROUND = 1000;
const ROUNDS = 5;

/** Events per second. */
export async function measureWrites(place: Place): Promise<number[]> {
  const { events, bus } = await openBackend({ ...place, engine: engineOf(place) });
  const notifier = createNotifier({ base: BASE, events, bus });
  let written = 0;

  async function writeUntil(end: number): Promise<void> {
    while (performance.now() < end) await notifier.notify([`s${written++ % SUBSCRIPTIONS}`], EVENT);
  }

  return await repeat(ROUNDS, async () => {
    const [start, before] = [performance.now(), written];
    await Promise.all(Array.from({ length: IN_FLIGHT }, () => writeUntil(start + ROUND)));
    return (written - before) * 1000 / (performance.now() - start);
  });
}
