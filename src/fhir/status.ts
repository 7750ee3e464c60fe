// The status of a Subscription: what every notification begins with, and what $status answers.

import type { ContentLevel, FhirResource, FhirVersion, LoggedEvent } from "../types.ts";
import type { SubscriptionFacts } from "./subscription.ts";
import { VERSIONS } from "./version.ts";

/** `text` is the IG's; `json` is what the Medplum client understands: see `notificationBundle`. */
export type Dialect = "text" | "json";

/** What a notification is about. */
export type NotificationContent =
  | { readonly type: "handshake" | "heartbeat"; readonly head: number }
  | { readonly type: "event-notification"; readonly events: readonly LoggedEvent[] };

/** Whose notification it is, and how it is to look. */
export interface Notified {
  readonly base: string;
  readonly fhirVersion: FhirVersion;
  readonly id: string;
  readonly facts: SubscriptionFacts;
  readonly level: ContentLevel;
  readonly dialect: Dialect;
  /** Milliseconds. */
  readonly now: number;
}

/** What a status tells: a notification's, or the answer to a question. `error` is text for people. */
export type StatusContent =
  | NotificationContent
  | { readonly type: "query-status"; readonly head: number; readonly error?: string }
  | {
    readonly type: "query-event";
    readonly head: number;
    readonly events: readonly LoggedEvent[];
    readonly error?: string;
  };

/** The status with an id of its own, in the shape of a version. */
export function statusResource(notified: Notified, content: StatusContent, version: FhirVersion): FhirResource {
  const id = crypto.randomUUID();
  return VERSIONS[version].statusResource === "Parameters"
    ? statusParameters(id, notified, content)
    : subscriptionStatus(id, notified, content);
}

// https://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition-backport-subscription-status-r4.html
function statusParameters(id: string, notified: Notified, content: StatusContent): FhirResource {
  const { facts } = notified;
  const topic = topicOf(notified);
  return {
    resourceType: "Parameters",
    id,
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

function eventParts(event: LoggedEvent, notified: Notified): object[] {
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
function subscriptionStatus(id: string, notified: Notified, content: StatusContent): FhirResource {
  const topic = topicOf(notified);
  const events = eventsOf(content);
  const errors = errorsOf(content);
  return {
    resourceType: "SubscriptionStatus",
    id,
    status: notified.facts.status,
    type: content.type,
    eventsSinceSubscriptionStart: highest(content),
    ...(events.length > 0 && { notificationEvent: events.map((event) => notificationEvent(event, notified)) }),
    subscription: { reference: subscriptionReference(notified) },
    ...(topic !== undefined && { topic }),
    ...(errors.length > 0 && { error: errors }),
  } as FhirResource; // as above
}

function notificationEvent(event: LoggedEvent, notified: Notified): object {
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
export function eventsOf(content: StatusContent): readonly LoggedEvent[] {
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
