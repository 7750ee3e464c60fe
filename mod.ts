/**
 * FHIR's `Subscription/$get-ws-binding-token` and the WebSocket side that its token opens.
 *
 * `handleGetWsBindingToken` answers the operation, with a token of `createJwtSigner` or `createOpaqueSigner`. A binder
 * (`createSocketBinder`) turns sockets that present such a token into bindings, each of them a place in an event log. A
 * notifier (`createNotifier`) writes that log after the host's writes, and wakes the binders by a bus. Logs, token
 * stores, buses and the sockets of each runtime are entries of their own. Each base has its own binder and notifier.
 *
 * A client binds by `bind-with-token <token>`, also with a colon after the verb, or by the Medplum client's JSON:
 * `{"type":"bind-with-token","payload":{"token":"…","eventsSinceNumber":{"s1":"6"}}}`, where the numbers are optional
 * and say from where to replay. `unbind-from-token` is written likewise; `{"type":"ping"}` asks for `{"type":"pong"}`.
 *
 * What a client sees in each ending:
 *
 * | what happened                                          | frame before the end             | close code, when nothing else is bound |
 * | ------------------------------------------------------ | -------------------------------- | -------------------------------------- |
 * | the token or the Subscription's `end` has passed       | OperationOutcome `expired`       | 1008                                   |
 * | the token, its caller or the Subscription is revoked   | OperationOutcome `unknown`       | 1008                                   |
 * | the Subscription is off, or cannot be bound any more   | OperationOutcome `business-rule` | 1008                                   |
 * | the Subscription is deleted, or access to it is lost   | OperationOutcome `not-found`     | 1008                                   |
 * | the stores could not be read for a minute              | OperationOutcome `no-store`      | 1008                                   |
 * | it has unbound                                         | –                                | none; 1008 after `bindDeadline`        |
 * | three frames were refused without a good bind between  | OperationOutcome each            | 1008                                   |
 * | it sent binary, too large a frame, too many frames     | –                                | 1003, 1009, 1008                       |
 * | it read too slowly                                     | –                                | 1013                                   |
 * | the server shuts down                                  | –                                | 1001                                   |
 *
 * What happens beyond each limit of a binder; `SocketLimits` has the defaults:
 *
 * | limit                                   | beyond it                                               |
 * | --------------------------------------- | ------------------------------------------------------- |
 * | `sockets`                               | 503 before the upgrade                                  |
 * | `unboundSockets`                        | the oldest is closed with 1013                          |
 * | `socketsPerCaller`, `bindingsPerSocket` | the bind is refused: `too-costly`                       |
 * | `bindDeadline`, `drainDeadline`         | 1008, 1013                                              |
 * | `frameSize`, `framesPerSecond`          | 1009, 1008                                              |
 * | `sendBuffer`                            | delivery waits; it goes on from the log                 |
 * | `refusedBinds`                          | 1008                                                    |
 * | `maxReplay`                             | OperationOutcome `incomplete`, then the newest          |
 * | `origins`                               | 403 before the upgrade                                  |
 * | `rateLimit(caller, action)`             | 429 with `Retry-After`, or OperationOutcome `throttled` |
 *
 * Every callback of the host may take `storeTimeout`; then the answer is 503, on a socket OperationOutcome `no-store`.
 *
 * @example Keys and their rotation
 * ```ts
 * import { createJwtSigner } from "@fhir-ws/binding";
 * import { createMemoryTokenStore } from "@fhir-ws/binding/storage/memory";
 *
 * const lastMonth = { kid: "2026-10", key: crypto.getRandomValues(new Uint8Array(32)) };
 * const thisMonth = { kid: "2026-11", key: crypto.getRandomValues(new Uint8Array(32)) };
 *
 * const signer = await createJwtSigner({
 *   sign: thisMonth, // new tokens
 *   verify: [lastMonth], // these bind on until they expire, then drop it
 *   store: createMemoryTokenStore(), // revocation, and with singleUse: true tokens that bind once
 * });
 * if (signer.jwks.keys.length > 0) throw new Error("secrets are not published");
 * ```
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
export { checkSubscription, type SubscriptionCheck } from "./src/conformance/check.ts";
