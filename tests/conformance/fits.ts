// What describes a base fits the types of `@types/fhir`. Checked, never run.

import { checkSubscription } from "@fhir-ws/binding";
import type { SubscriptionCapability } from "@fhir-ws/binding/conformance";
import type * as r4 from "fhir-r4";
import type * as r4b from "fhir-r4b";
import type * as r5 from "fhir-r5";
import type { Accepts } from "../types/accepts.ts";

export type Parts = [
  Accepts<r4.CapabilityStatementRestResource, SubscriptionCapability["resource"]>,
  Accepts<r4b.CapabilityStatementRestResource, SubscriptionCapability["resource"]>,
  Accepts<r5.CapabilityStatementRestResource, SubscriptionCapability["resource"]>,
  Accepts<r4.Extension[], SubscriptionCapability["extension"]>,
  Accepts<r5.Extension[], SubscriptionCapability["extension"]>,
];

export function check(r4: r4.Subscription, r5: r5.Subscription): boolean {
  return checkSubscription(r4, "R4").websocket && checkSubscription(r5, "R5").websocket;
}
