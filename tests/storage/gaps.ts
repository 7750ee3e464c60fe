// What every event log owes its readers, whoever else writes to it with other limits.

import type { EventLog, NotificationEvent } from "@fhir-ws/binding";
import { assertEquals } from "@std/assert";

const EVENT: NotificationEvent = { interaction: "create", focus: "Patient/p1" };
/** More than there is. */
const ALL = 1000;

/** Opens one log again and again, with fewer events to keep and with more, and sees that no reader passes a gap. */
export async function assertNoGapWhenLimitChanges(open: (maxEvents: number) => EventLog): Promise<void> {
  for (const [maxEvents, appended] of [[5, 5], [2, 1], [5, 0], [9, 3], [1, 1], [9, 2], [3, 40], [9, 1]] as const) {
    const log = open(maxEvents);
    for (let n = 0; n < appended; n++) await log.append(["a", "b"], EVENT);
    await assertNoGap(log, "a", `of ${maxEvents}`);
  }
}

/** Reads from every place in pages of several sizes: each begins with what comes next, or says what is gone. */
export async function assertNoGap(log: EventLog, key: string, what = "the log"): Promise<void> {
  const [last = 0] = await log.heads([key]);
  for (let after = 0; after <= last; after++) {
    for (const limit of [1, 2, ALL]) {
      const { events, oldest, head } = await log.read(key, after, limit);
      const first = Math.max(after + 1, oldest);
      const place = `${what}: ${limit} after ${after}, the oldest being ${oldest}`;
      assertEquals(events.map(({ number }) => number), events.map((_, n) => first + n), place);
      assertEquals([head, events.length <= limit], [last, true], place);
      if (limit === ALL) assertEquals(first + events.length - 1, last, place);
    }
  }
}
