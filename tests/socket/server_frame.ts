// What a server says on a socket, read the same way in every FHIR version and dialect.

import type { FhirResource } from "@fhir-ws/binding";

/** A frame as a client understands it. */
export type ServerFrame =
  | ReadNotification
  | { readonly kind: "outcome"; readonly issues: readonly ReadIssue[]; readonly text: string }
  | { readonly kind: "pong"; readonly text: string }
  | { readonly kind: "legacy"; readonly verb: "bound" | "ping"; readonly id: string; readonly text: string };

export interface ReadNotification {
  readonly kind: "notification";
  readonly type: string;
  /** Logical id, whatever the reference looks like. */
  readonly subscription: string;
  readonly reference: string;
  readonly status: string;
  readonly topic: string | undefined;
  /** `eventsSinceSubscriptionStart`. */
  readonly count: string;
  readonly events: readonly ReadEvent[];
  /** All but the first. */
  readonly entries: readonly BundleEntry[];
  readonly bundle: Bundle;
  readonly text: string;
}

export interface ReadEvent {
  readonly number: string;
  readonly timestamp: string | undefined;
  readonly focus: string | undefined;
  readonly context: readonly string[];
}

export interface ReadIssue {
  readonly severity: string;
  readonly code: string;
  readonly details: { readonly text: string };
  readonly diagnostics?: string;
}

export interface Bundle {
  readonly resourceType: string;
  readonly meta?: { readonly profile: readonly string[] };
  readonly type: string;
  readonly timestamp: string;
  readonly entry: readonly BundleEntry[];
}

export interface BundleEntry {
  readonly fullUrl?: string;
  readonly resource?: FhirResource;
  readonly request?: { readonly method: string; readonly url: string };
  readonly response?: { readonly status: string };
}

interface Reference {
  readonly reference: string;
}

interface SubscriptionStatus {
  readonly resourceType: "SubscriptionStatus";
  readonly status: string;
  readonly type: string;
  readonly eventsSinceSubscriptionStart: string;
  readonly subscription: Reference;
  readonly topic?: string;
  readonly notificationEvent?: readonly {
    readonly eventNumber: string;
    readonly timestamp?: string;
    readonly focus?: Reference;
    readonly additionalContext?: readonly Reference[];
  }[];
}

interface Parameter {
  readonly name: string;
  readonly valueString?: string;
  readonly valueCode?: string;
  readonly valueCanonical?: string;
  readonly valueInstant?: string;
  readonly valueReference?: Reference;
  readonly part?: readonly Parameter[];
}

/** Reads a frame; throws for what no client could understand. */
export function readServerFrame(text: string): ServerFrame {
  const [, verb, id] = /^(bound|ping) ([A-Za-z0-9.-]{1,64})$/.exec(text) ?? [];
  if ((verb === "bound" || verb === "ping") && id !== undefined) return { kind: "legacy", verb, id, text };
  const frame: { resourceType?: string; type?: string } = JSON.parse(text);
  if (frame.resourceType === "OperationOutcome") {
    const { issue }: { issue: ReadIssue[] } = JSON.parse(text);
    return { kind: "outcome", issues: issue, text };
  }
  if (frame.resourceType === "Bundle") return readNotification(JSON.parse(text), text);
  if (frame.type === "pong") return { kind: "pong", text };
  throw new Error(`Cannot read the frame: ${text}`);
}

/** Reads a notification Bundle. */
export function readNotification(bundle: Bundle, text: string = JSON.stringify(bundle)): ReadNotification {
  const [first, ...entries] = bundle.entry;
  const resource: { resourceType?: string } = first?.resource ?? {};
  const status = resource.resourceType === "Parameters"
    ? readParameters(resource as { parameter: readonly Parameter[] }) // R4's status, as its resourceType says
    : readStatus(resource as SubscriptionStatus); // the only other first resource there is; reading it tells
  const subscription = status.reference.slice(status.reference.lastIndexOf("/") + 1);
  return { kind: "notification", ...status, subscription, entries, bundle, text };
}

type ReadStatus = Pick<ReadNotification, "type" | "reference" | "status" | "topic" | "count" | "events">;

function readStatus(status: SubscriptionStatus): ReadStatus {
  if (status.resourceType !== "SubscriptionStatus") throw new Error("Cannot read the Bundle: no status comes first");
  return {
    type: status.type,
    reference: status.subscription.reference,
    status: status.status,
    topic: status.topic,
    count: status.eventsSinceSubscriptionStart,
    events: (status.notificationEvent ?? []).map(({ eventNumber, timestamp, focus, additionalContext }) => ({
      number: eventNumber,
      timestamp,
      focus: focus?.reference,
      context: (additionalContext ?? []).map(({ reference }) => reference),
    })),
  };
}

function readParameters({ parameter }: { parameter: readonly Parameter[] }): ReadStatus {
  function all(of: readonly Parameter[], name: string): readonly Parameter[] {
    return of.filter((one) => one.name === name);
  }
  function only(of: readonly Parameter[], name: string): Parameter | undefined {
    const found = all(of, name);
    if (found.length > 1) throw new Error(`Cannot read the Parameters: ${name} stands ${found.length} times`);
    return found[0];
  }
  return {
    type: only(parameter, "type")?.valueCode ?? "",
    reference: only(parameter, "subscription")?.valueReference?.reference ?? "",
    status: only(parameter, "status")?.valueCode ?? "",
    topic: only(parameter, "topic")?.valueCanonical,
    count: only(parameter, "events-since-subscription-start")?.valueString ?? "",
    events: all(parameter, "notification-event").map(({ part = [] }) => ({
      number: only(part, "event-number")?.valueString ?? "",
      timestamp: only(part, "timestamp")?.valueInstant,
      focus: only(part, "focus")?.valueReference?.reference,
      context: all(part, "additional-context").map(({ valueReference }) => valueReference?.reference ?? ""),
    })),
  };
}

/** A frame in a few words: `handshake s1 0`, `event s1 4 [3,4]`, `business-rule Subscription/s1`, `pong`, `ping s1`. */
export function inWords(frame: ServerFrame): string {
  switch (frame.kind) {
    case "pong":
      return "pong";
    case "legacy":
      return frame.text;
    case "outcome":
      return frame.issues.map(({ code, diagnostics }) => diagnostics === undefined ? code : `${code} ${diagnostics}`)
        .join(", ");
    case "notification": {
      const { type, subscription, count, events } = frame;
      if (type !== "event-notification") return `${type} ${subscription} ${count}`;
      const numbers = events.map(({ number }) => number).join();
      return numbers === count ? `event ${subscription} ${count}` : `event ${subscription} ${count} [${numbers}]`;
    }
  }
}
