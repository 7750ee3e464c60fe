// The status of a Subscription: what every notification begins with, and what $status answers.

import type { ContentLevel, FhirResource, FhirVersion, LoggedEvent, NotificationEvent } from "../types.ts";
import type { SubscriptionFacts } from "./subscription.ts";
import { VERSIONS } from "./version.ts";

/** `text` is the IG's; `json` is what the Medplum client understands: see `notificationBundle`. */
export type Dialect = "text" | "json";

/** What a notification is about. */
export type NotificationContent =
  | { readonly type: "handshake" | "heartbeat"; readonly head: number }
  | { readonly type: "event-notification"; readonly events: readonly LoggedEvent[] };

/** What no two notifications have in common. */
export interface Stamp {
  readonly timestamp: string;
  readonly statusId: string;
}

/** Whose notification it is, and how it is to look. */
export interface Notified extends Stamp {
  readonly base: string;
  readonly fhirVersion: FhirVersion;
  readonly id: string;
  readonly facts: SubscriptionFacts;
  readonly level: ContentLevel;
  readonly dialect: Dialect;
}

/** An event of the log, or of a template that leaves its number open. */
export type Numbered = NotificationEvent & { readonly number: LoggedEvent["number"] | string };

/** What a status tells: a notification's, or the answer to a question. `error` is text for people. */
export type StatusContent =
  | { readonly type: "handshake" | "heartbeat"; readonly head: Numbered["number"] }
  | { readonly type: "event-notification"; readonly events: readonly Numbered[] }
  | { readonly type: "query-status"; readonly head: number; readonly error?: string }
  | {
    readonly type: "query-event";
    readonly head: number;
    readonly events: readonly LoggedEvent[];
    readonly error?: string;
  };

/** The last instant that was written: many notifications are made in the same millisecond. */
let written = { at: NaN, timestamp: "" };

/** The stamp of a notification that is made now (milliseconds). */
export function stamp(now: number): Stamp {
  if (written.at !== now) written = { at: now, timestamp: new Date(now).toISOString() };
  return { timestamp: written.timestamp, statusId: crypto.randomUUID() };
}

/** The status, in the shape of a version. */
export function statusResource(notified: Notified, content: StatusContent, version: FhirVersion): FhirResource {
  return VERSIONS[version].statusResource === "Parameters"
    ? statusParameters(notified, content)
    : subscriptionStatus(notified, content);
}

// https://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition-backport-subscription-status-r4.html
function statusParameters(notified: Notified, content: StatusContent): FhirResource {
  const { facts, statusId } = notified;
  const topic = topicOf(notified);
  return {
    resourceType: "Parameters",
    id: statusId,
    meta: { profile: [VERSIONS.R4.statusProfile] },
    parameter: [
      { name: "subscription", valueReference: { reference: subscriptionReference(notified) } },
      ...(topic === undefined ? [] : [{ name: "topic", valueCanonical: topic }]),
      { name: "status", valueCode: facts.status },
      { name: "type", valueCode: content.type },
      { name: "events-since-subscription-start", valueString: highest(content) },
      ...eventsOf(content).map((event) => ({ name: "notification-event", part: eventParts(event, notified) })),
      ...errorsOf(content).map((error) => ({ name: "error", valueCodeableConcept: error })),
    ],
  } as FhirResource; // Parameters, of which the library's own type knows no more than that
}

function eventParts(event: Numbered, notified: Notified): object[] {
  const { number, timestamp, focus, additionalContext = [] } = event;
  return [
    { name: "event-number", valueString: String(number) },
    ...(timestamp === undefined ? [] : [{ name: "timestamp", valueInstant: timestamp }]),
    ...(notified.level === "empty" ? [] : [
      { name: "focus", valueReference: { reference: reference(focus, notified) } },
      ...additionalContext.map((context) => ({
        name: "additional-context",
        valueReference: { reference: reference(context.reference, notified) },
      })),
    ]),
  ];
}

// https://hl7.org/fhir/R5/subscriptionstatus.html; integer64 is a JSON string, as R4B's string is.
function subscriptionStatus(notified: Notified, content: StatusContent): FhirResource {
  const topic = topicOf(notified);
  const events = eventsOf(content);
  const errors = errorsOf(content);
  return {
    resourceType: "SubscriptionStatus",
    id: notified.statusId,
    status: notified.facts.status,
    type: content.type,
    eventsSinceSubscriptionStart: highest(content),
    ...(events.length > 0 && { notificationEvent: events.map((event) => notificationEvent(event, notified)) }),
    subscription: { reference: subscriptionReference(notified) },
    ...(topic !== undefined && { topic }),
    ...(errors.length > 0 && { error: errors }),
  } as FhirResource; // as above
}

function notificationEvent(event: Numbered, notified: Notified): object {
  const { number, timestamp, focus, additionalContext = [] } = event;
  return {
    eventNumber: String(number),
    ...(timestamp !== undefined && { timestamp }),
    ...(notified.level !== "empty" && {
      focus: { reference: reference(focus, notified) },
      ...(additionalContext.length > 0 && {
        additionalContext: additionalContext.map((context) => ({ reference: reference(context.reference, notified) })),
      }),
    }),
  };
}

/** Topics may tell of health: an empty notification does without. */
function topicOf({ facts, level }: Notified): string | undefined {
  return level === "empty" ? undefined : facts.topic;
}

/** The events of a status that has some. */
export function eventsOf(content: StatusContent): readonly Numbered[] {
  return content.type === "event-notification" || content.type === "query-event" ? content.events : [];
}

function errorsOf(content: StatusContent): readonly { readonly text: string }[] {
  return "error" in content && content.error !== undefined ? [{ text: content.error }] : [];
}

function highest(content: StatusContent): string {
  return String(content.type === "event-notification" ? content.events.at(-1)?.number ?? 0 : content.head);
}

function subscriptionReference(notified: Notified): string {
  return reference(`Subscription/${notified.id}`, notified);
}

function reference(relative: string, { dialect, base }: Notified): string {
  return dialect === "json" ? relative : absolute(relative, base);
}

/** A reference as it stands outside of the server. */
export function absolute(relative: string, base: string): string {
  return /^[a-z][a-z0-9+.-]*:/i.test(relative) ? relative : `${base}/${relative}`;
}
