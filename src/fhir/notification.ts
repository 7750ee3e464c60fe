// Notification Bundles: https://hl7.org/fhir/uv/subscriptions-backport/notifications.html

import { clock } from "../host.ts";
import type { ContentLevel, FhirEndpoint, FhirResource, FhirSubscription, FhirVersion } from "../types.ts";
import {
  absolute,
  type Dialect,
  eventsOf,
  type NotificationContent,
  type Notified,
  type Numbered,
  stamp,
  type StatusContent,
  statusResource,
} from "./status.ts";
import { readSubscription } from "./subscription.ts";
import { VERSIONS } from "./version.ts";

export type { Dialect, NotificationContent, Notified } from "./status.ts";

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
  return buildNotification({ base, fhirVersion, id, facts, level, dialect, ...stamp(clock(endpoint)) }, content);
}

/** The same from what is known already; `next` is where the events go on. */
export function buildNotification(notified: Notified, content: StatusContent, next?: string): FhirResource {
  const version = shapeOf(notified);
  const { bundleProfile, bundleType } = VERSIONS[version];
  const entries = notified.level === "full-resource" ? resourceEntries(eventsOf(content), notified, version) : [];
  return {
    resourceType: "Bundle",
    ...(bundleProfile !== undefined && { meta: { profile: [bundleProfile] } }),
    type: bundleType,
    timestamp: notified.timestamp,
    ...(next !== undefined && { link: [{ relation: "next", url: next }] }),
    entry: [statusEntry(notified, content, version), ...entries],
  } as FhirResource; // a Bundle, of which the library's own type knows no more than that
}

/** The Medplum client reads R4B's status resource in R4. */
function shapeOf({ dialect, fhirVersion }: Notified): FhirVersion {
  return dialect === "json" && fhirVersion === "R4" ? "R4B" : fhirVersion;
}

/** The first entry, which in a history Bundle has a request and a response: bdl-3, bdl-4. */
function statusEntry(notified: Notified, content: StatusContent, version: FhirVersion): object {
  const resource = statusResource(notified, content, version);
  return {
    fullUrl: `urn:uuid:${notified.statusId}`,
    resource,
    ...(version !== "R5" && {
      request: { method: "GET", url: `${notified.base}/Subscription/${notified.id}/$status` },
      response: { status: "200" },
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
function resourceEntries(events: readonly Numbered[], notified: Notified, version: FhirVersion): object[] {
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
