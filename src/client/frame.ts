// The frames of a server: https://hl7.org/fhir/uv/subscriptions-backport/notifications.html

import type { FhirResource } from "../types.ts";
import { get, idOf, issuesOf, list, parse, plain, text, values } from "./json.ts";
import type { ReceivedEvent, ReceivedIssue } from "./types.ts";

/** What a notification says of one Subscription. */
export interface Status {
  readonly type: unknown;
  readonly subscription: string | undefined;
  /** `eventsSinceSubscriptionStart` */
  readonly head: number | undefined;
  readonly events: readonly ReceivedEvent[];
}

/** A frame that came: a notification with its statuses, the issues of an OperationOutcome, a pong, or something else. */
export interface ServerFrame {
  readonly bundle: FhirResource;
  readonly statuses: readonly Status[];
  readonly issues: readonly ReceivedIssue[] | undefined;
  readonly isPong: boolean;
}

/** Reads a frame; there is none that it throws for. */
export function readFrame(data: unknown): ServerFrame {
  const frame = parse(data);
  return {
    bundle: frame as FhirResource, // a Bundle, wherever there are statuses
    statuses: get(frame, "resourceType") === "Bundle" ? list(get(frame, "entry")).flatMap(readEntry) : [],
    issues: issuesOf(frame),
    isPong: get(frame, "type") === "pong",
  };
}

/** The first entry is the status; Medplum's heartbeats have one for each Subscription. */
function readEntry(entry: unknown, n: number): Status[] {
  const resource = get(entry, "resource");
  const type = get(resource, "resourceType");
  if (type === "SubscriptionStatus") return [readStatus(resource)];
  return n === 0 && type === "Parameters" ? [readStatus(get(resource, "parameter"))] : [];
}

function readStatus(status: unknown): Status {
  const type = first(status, "type");
  const head = first(status, "eventsSinceSubscriptionStart");
  const events = all(status, "notificationEvent");
  // A server that leaves the events out still says how many there were.
  if (type === "event-notification" && events.length === 0) events.push({ eventNumber: head });
  return {
    type,
    head: readCount(head),
    subscription: idOf(first(status, "subscription")),
    events: events.map(readEvent).sort((one, other) => (one.number ?? 0) - (other.number ?? 0)),
  };
}

/** Events are counted from 1: the 0 that Medplum's server writes on each is no number. */
function readEvent(event: unknown): ReceivedEvent {
  return {
    number: readCount(first(event, "eventNumber")) || undefined,
    timestamp: text(first(event, "timestamp")),
    focus: text(get(first(event, "focus"), "reference")),
  };
}

/** A member of a SubscriptionStatus, or the values of a parameter, whose name has hyphens and no capitals. */
function all(status: unknown, name: string): unknown[] {
  return Array.isArray(status)
    ? values(status, name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`))
    : [get(status, name) ?? []].flat();
}

function first(status: unknown, name: string): unknown {
  return all(status, name)[0];
}

/** R5's integer64 is a string in JSON, and many write a number. */
function readCount(value: unknown): number | undefined {
  return /^\d{1,15}$/.test(plain(value)) ? Number(value) : undefined;
}
