/**
 * What a server says of itself: the parts of its CapabilityStatement that speak of WebSocket Subscriptions, and the
 * OperationDefinitions of the operations that this package answers.
 *
 * @module
 */
export type { FhirEndpoint, FhirResource, FhirVersion } from "../types.ts";
export {
  type SubscriptionCapability,
  subscriptionCapability,
  type SubscriptionCapabilityOptions,
} from "./capability.ts";
export { operationDefinition, type SubscriptionOperationDefinition } from "./definition.ts";
export type { OperationParameter, SubscriptionOperation } from "./operations.ts";
