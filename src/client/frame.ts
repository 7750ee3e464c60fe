// Notifications: https://hl7.org/fhir/uv/subscriptions-backport/notifications.html

import { all, first, list, type Loose, text } from "./json.ts";
import type { ReceivedEvent } from "./types.ts";

/** The statuses of a notification, none of anything else. There is no frame that this throws for. */
export function statusesOf(frame: Loose | undefined): (Loose | undefined)[] {
  return text(frame?.resourceType) === "Bundle" ? list(frame?.entry).flatMap(statusOf) : [];
}

/** The first entry is the status; Medplum's heartbeats have one for each Subscription. */
function statusOf(entry: Loose | undefined, n: number): (Loose | undefined)[] {
  const resource = entry?.resource;
  const type = text(resource?.resourceType);
  if (type === "SubscriptionStatus") return [resource];
  return n === 0 && type === "Parameters" ? [resource?.parameter] : [];
}

/** `eventsSinceSubscriptionStart` of a status. */
export function headOf(status: Loose | undefined): number | undefined {
  return readCount(first(status, "eventsSinceSubscriptionStart"));
}

/** The events of a status in order. A server that leaves them out still says how many there were. */
export function eventsOf(status: Loose | undefined): ReceivedEvent[] {
  const events = all(status, "notificationEvent").map(readEvent);
  if (events.length === 0) return [{ number: headOf(status) || undefined }];
  return events.sort((one, other) => (one.number ?? 0) - (other.number ?? 0));
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
