// What a server looks at when a Subscription arrives:
// https://hl7.org/fhir/uv/subscriptions-backport/conformance.html

import type { BindingIssue } from "../errors.ts";
import { findProblems, readSubscription } from "../fhir/subscription.ts";
import type { FhirResource, FhirSubscription, FhirVersion } from "../types.ts";

/** What `checkSubscription` found. */
export interface SubscriptionCheck {
  /** Whether its channel is websocket: one on another channel is the host's own business, and has only that issue. */
  readonly websocket: boolean;
  /** As it was sent; `unknown` when it was not. */
  readonly status: string;
  /** Whole seconds since the epoch, rounded down; none when it has no end, NaN when that is no instant. */
  readonly endsAt?: number;
  /** Why it could never be served, whatever its status and the time; empty when it can. Each is a 422. */
  readonly issues: readonly BindingIssue[];
}

/**
 * Whether a Subscription could be served once it is stored: what a host must refuse when it is created or updated.
 * Looked at are the channel's type (with the extension `backport-channel-type`), the content level, and the MIME type
 * of the payload with its `fhirVersion`; topics, filters and endpoints are the host's to judge. An `end` that has passed
 * is no issue: the Subscription may be stored as `off`.
 *
 * [Backport IG, conformance](https://hl7.org/fhir/uv/subscriptions-backport/conformance.html)
 *
 * @example
 * ```ts
 * import { checkSubscription } from "@fhir-ws/binding";
 *
 * const sent = { resourceType: "Subscription", channel: { type: "websocket", payload: "application/fhir+xml" } };
 * const { websocket, issues } = checkSubscription(sent, "R4");
 * if (!websocket || issues[0]?.expression !== "Subscription.channel.payload") throw new Error("unreachable");
 * ```
 */
export function checkSubscription(resource: FhirResource, version: FhirVersion): SubscriptionCheck {
  const subscription = resource as FhirSubscription; // every member of it is read with suspicion
  const { websocket, status, endsAt } = readSubscription(subscription, version);
  return {
    websocket,
    status,
    ...(endsAt !== undefined && { endsAt }),
    issues: findProblems(subscription, version).map(({ why, element }) => ({
      code: "not-eligible",
      text: `Cannot serve the Subscription: ${why(version)}`,
      expression: element[version === "R5" ? 1 : 0],
    })),
  };
}
