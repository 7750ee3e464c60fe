/**
 * FHIR's `Subscription/$get-ws-binding-token` and the WebSocket side that its token opens.
 *
 * @module
 */
export type * from "./src/types.ts";
export { BindingError, type BindingErrorCode, type BindingErrorOptions, type BindingIssue } from "./src/errors.ts";
export { handleGetWsBindingToken, isBindingTokenRequest } from "./src/operation/handler.ts";
export {
  handleSubscriptionStatus,
  isSubscriptionStatusRequest,
  type SubscriptionStatusContext,
} from "./src/operation/status.ts";
export {
  handleSubscriptionEvents,
  isSubscriptionEventsRequest,
  type SubscriptionEventsContext,
} from "./src/operation/events.ts";
export type { SubscriptionQueryContext } from "./src/operation/query.ts";
export { createJwtSigner, type JwtKeySet } from "./src/token/jwt.ts";
export { createOpaqueSigner } from "./src/token/opaque.ts";
export type { RevocableSigner } from "./src/token/signer.ts";
export { type VerifiedBinding, verifyBinding } from "./src/token/verify.ts";
export { createNotifier } from "./src/event/notifier.ts";
export {
  type Dialect,
  notificationBundle,
  type NotificationContent,
  type NotificationOptions,
} from "./src/fhir/notification.ts";
export { createSocketBinder } from "./src/socket/binder.ts";
export {
  type SubscriptionCapability,
  subscriptionCapability,
  type SubscriptionCapabilityOptions,
} from "./src/conformance/capability.ts";
export { operationDefinition, type SubscriptionOperationDefinition } from "./src/conformance/definition.ts";
export type { OperationParameter, SubscriptionOperation } from "./src/conformance/operations.ts";
export { checkSubscription, type SubscriptionCheck } from "./src/conformance/check.ts";
