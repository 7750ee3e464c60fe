// What HL7 has defined of the operations, per FHIR version. The Backport IG is the source for R4 and R4B, the core for
// R5: https://hl7.org/fhir/uv/subscriptions-backport/operations.html, https://hl7.org/fhir/R5/subscription-operations.html

import type { FhirVersion } from "../types.ts";

/** An operation that the library answers, by its code. */
export type SubscriptionOperation = "get-ws-binding-token" | "status" | "events";

/** A parameter of an OperationDefinition. */
export interface OperationParameter {
  /** Its name. */
  readonly name: string;
  /** Whether it is sent or answered. */
  readonly use: "in" | "out";
  /** R5 tells where it counts. */
  readonly scope?: string[];
  /** How often it stands at least. */
  readonly min: number;
  /** And at most. */
  readonly max: string;
  /** What it means. */
  readonly documentation: string;
  /** A FHIR type. */
  readonly type: string;
}

interface OperationRow {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** Whether it may be called on the type; all of them may be called on an instance. */
  readonly type: boolean;
  /** In R5 a token counts as a change of state; in the IG nothing does. */
  readonly affectsState: boolean;
  readonly parameters: (version: FhirVersion) => OperationParameter[];
}

/** Each operation in its order of advertisement. */
export const OPERATIONS: Readonly<Record<SubscriptionOperation, OperationRow>> = {
  "get-ws-binding-token": {
    name: "SubscriptionGetWsBindingToken",
    title: "Get a token that binds a websocket to Subscriptions",
    description: "Issues a token that a client sends over a websocket to receive the notifications of Subscriptions.",
    type: true,
    affectsState: true,
    parameters: (version) => [
      typeLevel(version, "id", "id", "Subscriptions to bind; all of the caller's when there is none."),
      out("token", 1, "1", "string", "What the client sends to bind."),
      out("expiration", 1, "1", "dateTime", "When the token ceases to be valid."),
      out("subscription", 0, "*", "string", "The Subscriptions that the token covers."),
      out("websocket-url", 1, "1", "url", "Where the client connects."),
    ],
  },
  status: {
    name: "SubscriptionStatus",
    title: "Get the status of Subscriptions",
    description: "Tells of the state of Subscriptions and of how many events each has had.",
    type: true,
    affectsState: false,
    parameters: (version) => [
      typeLevel(version, "id", "id", "Subscriptions to tell of; all of the caller's when there is none."),
      typeLevel(version, "status", "code", "States to tell of; any when there is none."),
      out("return", 1, "1", "Bundle", "A searchset with one status per Subscription that was found."),
    ],
  },
  events: {
    name: "SubscriptionEvents",
    title: "Get past events of a Subscription",
    description: "Tells again of events that were or should have been notified.",
    type: false,
    affectsState: false,
    parameters: (version) => [
      optional("eventsSinceNumber", numberType(version), "The first event to tell of, inclusive."),
      optional("eventsUntilNumber", numberType(version), "The last event to tell of, inclusive."),
      optional(
        "content",
        "code",
        "A lower content level than that of the Subscription: empty, id-only or full-resource.",
      ),
      out("return", 1, "1", "Bundle", "A notification whose first entry is a status of type query-event."),
    ],
  },
};

const IG = "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription-";
const CORE = "http://hl7.org/fhir/OperationDefinition/Subscription-";

/** HL7's canonical of an operation. */
export function canonicalOf(operation: SubscriptionOperation, version: FhirVersion): string {
  return (version === "R5" ? CORE : IG) + operation;
}

/** Counts at the level of the type alone. */
function typeLevel(version: FhirVersion, name: string, type: string, documentation: string): OperationParameter {
  const scope = version === "R5" ? { scope: ["type"] } : {};
  return {
    name,
    use: "in",
    ...scope,
    min: 0,
    max: "*",
    documentation: `${documentation} Ignored on an instance.`,
    type,
  };
}

function optional(name: string, type: string, documentation: string): OperationParameter {
  return { name, use: "in", min: 0, max: "1", documentation, type };
}

function out(name: string, min: number, max: string, type: string, documentation: string): OperationParameter {
  return { name, use: "out", min, max, documentation, type };
}

function numberType(version: FhirVersion): string {
  return version === "R5" ? "integer64" : "string";
}
