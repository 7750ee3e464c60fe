// Pages of logs whose events may go by more than one way.

import type { EventPage } from "../../src/types.ts";

/**
 * A page that shows what is gone. Where limits were changed, clocks differ or somebody prunes meanwhile, events may be
 * missing among those that were asked for. A reader must see that, so the page begins after them.
 */
export function withoutGap(page: EventPage, after: number, limit: number): EventPage {
  const { events, oldest, head } = page;
  const before = Math.max(after, oldest - 1);
  const last = events.at(-1)?.number ?? before;
  if (events.length < limit && last < head) return { events: [], oldest: head + 1, head };
  const start = events.findLastIndex(({ number }, n) => number !== (events[n - 1]?.number ?? before) + 1);
  return start < 0 ? page : { events: events.slice(start), oldest: events[start]?.number ?? oldest, head };
}
