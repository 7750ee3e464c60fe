// Notification Bundles: https://hl7.org/fhir/uv/subscriptions-backport/notifications.html

import { clock } from "../host.ts";
import type { ContentLevel, FhirEndpoint, FhirResource, FhirSubscription, FhirVersion, LoggedEvent } from "../types.ts";
import { readSubscription, type SubscriptionFacts } from "./subscription.ts";
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

/** How a notification may differ from the plain one. */
export interface NotificationOptions {
  /** Default `text`. */
  readonly dialect?: Dialect;
  /** For a Subscription that names no content level. Default `empty`. */
  readonly defaultContent?: ContentLevel;
}

/** What an entry's `request` and `response` say of an event; of its context that it was read. */
const INTERACTIONS = {
  read: { method: "GET", status: "200" },
  create: { method: "POST", status: "201" },
  update: { method: "PUT", status: "200" },
  delete: { method: "DELETE", status: "204" },
} as const;

/**
 * A notification as the binder sends it, for hosts with a socket tier of their own: a `history` Bundle that begins with
 * a `Parameters` status in R4 and a `SubscriptionStatus` in R4B, a `subscription-notification` Bundle in R5. It holds
 * what the Subscription's content level allows.
 *
 * The `json` dialect differs in what the Medplum client needs: a `SubscriptionStatus` also in R4, relative references.
 *
 * @throws {TypeError} when the Subscription has no id.
 *
 * @example
 * ```ts
 * import { notificationBundle } from "@fhir-ws/binding";
 *
 * const subscription = { resourceType: "Subscription", id: "s1", status: "active", channelType: { code: "websocket" } } as const;
 * const bundle = notificationBundle({ base: "https://example.org/fhir/R5", fhirVersion: "R5" }, subscription, {
 *   type: "handshake",
 *   head: 0,
 * });
 * if (bundle.resourceType !== "Bundle") throw new Error("unreachable");
 * ```
 */
export function notificationBundle(
  endpoint: Pick<FhirEndpoint, "base" | "fhirVersion" | "now">,
  subscription: FhirSubscription,
  content: NotificationContent,
  { dialect = "text", defaultContent = "empty" }: NotificationOptions = {},
): FhirResource {
  const { base, fhirVersion } = endpoint;
  const { id } = subscription;
  if (id === undefined) throw new TypeError("Cannot notify of a Subscription: it has no id");
  const facts = readSubscription(subscription, fhirVersion);
  const level = facts.content ?? defaultContent;
  return buildNotification({ base, fhirVersion, id, facts, level, dialect, now: clock(endpoint) }, content);
}

/** The same from what is known already. */
export function buildNotification(notified: Notified, content: NotificationContent): FhirResource {
  const version = shapeOf(notified);
  const { bundleProfile, bundleType } = VERSIONS[version];
  const events = content.type === "event-notification" ? content.events : [];
  const entries = notified.level === "full-resource" ? resourceEntries(events, notified, version) : [];
  return {
    resourceType: "Bundle",
    ...(bundleProfile !== undefined && { meta: { profile: [bundleProfile] } }),
    type: bundleType,
    timestamp: new Date(notified.now).toISOString(),
    entry: [statusEntry(notified, content, version), ...entries],
  } as FhirResource; // a Bundle, of which the library's own type knows no more than that
}

/** The Medplum client reads R4B's status resource in R4. */
function shapeOf({ dialect, fhirVersion }: Notified): FhirVersion {
  return dialect === "json" && fhirVersion === "R4" ? "R4B" : fhirVersion;
}

/** The first entry, which in a history Bundle has a request and a response: bdl-3, bdl-4. */
function statusEntry(notified: Notified, content: NotificationContent, version: FhirVersion): object {
  const id = crypto.randomUUID();
  const status = VERSIONS[version].statusResource === "Parameters"
    ? statusParameters(id, notified, content)
    : subscriptionStatus(id, notified, content);
  return {
    fullUrl: `urn:uuid:${id}`,
    resource: status,
    ...(version !== "R5" && {
      request: { method: "GET", url: `${notified.base}/Subscription/${notified.id}/$status` },
      response: { status: "200" },
    }),
  };
}

// https://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition-backport-subscription-status-r4.html
function statusParameters(id: string, notified: Notified, content: NotificationContent): object {
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
    ],
  };
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
function subscriptionStatus(id: string, notified: Notified, content: NotificationContent): object {
  const topic = topicOf(notified);
  const events = eventsOf(content);
  return {
    resourceType: "SubscriptionStatus",
    id,
    status: notified.facts.status,
    type: content.type,
    eventsSinceSubscriptionStart: highest(content),
    ...(events.length > 0 && { notificationEvent: events.map((event) => notificationEvent(event, notified)) }),
    subscription: { reference: subscriptionReference(notified) },
    ...(topic !== undefined && { topic }),
  };
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

interface ResourceEntry {
  readonly fullUrl: string;
  readonly resource?: FhirResource;
  readonly request: { readonly method: string; readonly url: string };
  readonly response?: { readonly status: string };
}

/** One entry per resource; what the log holds no resource of is told by its request alone. */
function resourceEntries(events: readonly LoggedEvent[], notified: Notified, version: FhirVersion): object[] {
  const entries = events.flatMap((event) => [
    resourceEntry(event.focus, event.resource, event.interaction, notified, version),
    ...(event.additionalContext ?? []).map((context) =>
      resourceEntry(context.reference, context.resource, "read", notified, version)
    ),
  ]);
  // bdl-7: outside of a history a fullUrl stands once. The later state is the one to keep.
  if (VERSIONS[version].bundleType === "history") return entries;
  return [...new Map(entries.map((entry) => [entry.fullUrl, entry])).values()];
}

function resourceEntry(
  relative: string,
  resource: FhirResource | undefined,
  interaction: keyof typeof INTERACTIONS,
  { base }: Notified,
  version: FhirVersion,
): ResourceEntry {
  const { method, status } = INTERACTIONS[interaction];
  const url = interaction === "create" ? relative.slice(0, relative.indexOf("/")) : relative;
  return {
    fullUrl: absolute(relative, base),
    ...(resource !== undefined && interaction !== "delete" && { resource }),
    request: { method, url },
    ...(version !== "R5" && { response: { status } }),
  };
}

/** Topics may tell of health: an empty notification does without. */
function topicOf({ facts, level }: Notified): string | undefined {
  return level === "empty" ? undefined : facts.topic;
}

function eventsOf(content: NotificationContent): readonly LoggedEvent[] {
  return content.type === "event-notification" ? content.events : [];
}

function highest(content: NotificationContent): string {
  return String(content.type === "event-notification" ? content.events.at(-1)?.number ?? 0 : content.head);
}

function subscriptionReference(notified: Notified): string {
  return reference(`Subscription/${notified.id}`, notified);
}

function reference(relative: string, { dialect, base }: Notified): string {
  return dialect === "json" ? relative : absolute(relative, base);
}

function absolute(relative: string, base: string): string {
  return /^[a-z][a-z0-9+.-]*:/i.test(relative) ? relative : `${base}/${relative}`;
}
