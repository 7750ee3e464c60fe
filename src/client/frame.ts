// Notifications: https://hl7.org/fhir/uv/subscriptions-backport/notifications.html

import { all, first, idsOf, list, type Loose, text } from "./json.ts";
import type { ReceivedEvent } from "./types.ts";

/** What a notification says of one Subscription. */
export interface Status {
  readonly type: string;
  /** Empty where it is not said. */
  readonly subscription: string;
  /** `eventsSinceSubscriptionStart` */
  readonly head: number | undefined;
  /** Of an event-notification. */
  readonly events: readonly ReceivedEvent[];
}

/** The statuses of a notification, none of anything else. There is no frame that this throws for. */
export function statusesOf(frame: Loose | undefined): Status[] {
  return text(frame?.resourceType) === "Bundle" ? list(frame?.entry).flatMap(readEntry) : [];
}

/** The first entry is the status; Medplum's heartbeats have one for each Subscription. */
function readEntry(entry: Loose | undefined, n: number): Status[] {
  const resource = entry?.resource;
  const type = text(resource?.resourceType);
  if (type === "SubscriptionStatus") return [readStatus(resource)];
  return n === 0 && type === "Parameters" ? [readStatus(resource?.parameter)] : [];
}

function readStatus(status: Loose | undefined): Status {
  const head = readCount(first(status, "eventsSinceSubscriptionStart"));
  const events = all(status, "notificationEvent").map(readEvent);
  return {
    type: first(status, "type"),
    subscription: idsOf(first(status, "subscription"))[0] ?? "",
    head,
    // A server that leaves the events out still says how many there were.
    events: events.length > 0
      ? events.sort((one, other) => (one.number ?? 0) - (other.number ?? 0))
      : [{ number: head || undefined }],
  };
}

/** Events are counted from 1: the 0 that Medplum's server writes on each is no number. */
function readEvent(event: Loose | undefined): ReceivedEvent {
  return {
    number: readCount(first(event, "eventNumber")) || undefined,
    timestamp: first(event, "timestamp") || undefined,
    focus: first(event, "focus") || undefined,
  };
}

/** R5's integer64 is a string in JSON, and many write a number. */
function readCount(written: string): number | undefined {
  return /^\d{1,15}$/.test(written) ? Number(written) : undefined;
}
