// What hosts hand over in the types of `@types/fhir` fits ours, and what we answer fits theirs. Checked, never run.

import type { FhirResource, FhirSubscription, NotificationEvent, SubscriptionLookup } from "@fhir-ws/binding";
import type * as r4 from "fhir-r4";
import type * as r4b from "fhir-r4b";
import type * as r5 from "fhir-r5";
import type { OperationOutcome } from "../../src/fhir/outcome.ts";
import type { BindingTokenParameters } from "../../src/fhir/parameters.ts";
import type { Accepts } from "./accepts.ts";

export type Subscriptions = [
  Accepts<FhirSubscription, r4.Subscription>,
  Accepts<FhirSubscription, r4b.Subscription>,
  Accepts<FhirSubscription, r5.Subscription>,
];

export type Resources = [
  Accepts<FhirResource, r4.FhirResource>,
  Accepts<FhirResource, r4b.FhirResource>,
  Accepts<FhirResource, r5.FhirResource>,
];

export type Answers = [
  Accepts<r4.Parameters, BindingTokenParameters>,
  Accepts<r4b.Parameters, BindingTokenParameters>,
  Accepts<r5.Parameters, BindingTokenParameters>,
  Accepts<r4.OperationOutcome, OperationOutcome>,
  Accepts<r4b.OperationOutcome, OperationOutcome>,
  Accepts<r5.OperationOutcome, OperationOutcome>,
];

export type Refused = [
  // @ts-expect-error: a Patient is no Subscription
  Accepts<FhirSubscription, r5.Patient>,
  // @ts-expect-error: a Bundle is no OperationOutcome
  Accepts<r5.Bundle, OperationOutcome>,
];

/** A store that knows only FHIR's own types. */
export const lookup: SubscriptionLookup = {
  read: (id): r5.Subscription => ({
    resourceType: "Subscription",
    id,
    status: "active",
    topic: "http://example.org/SubscriptionTopic/Patient",
    channelType: { code: "websocket" },
  }),
  list: (): Promise<r4.Subscription[]> => Promise.resolve([]),
};

export function event(resource: r4.Patient | r4b.Observation | r5.Encounter): NotificationEvent {
  return { interaction: "update", focus: `${resource.resourceType}/${resource.id}`, resource };
}
