/**
 * FHIR's `Subscription/$get-ws-binding-token` and the WebSocket side that its token opens.
 *
 * @module
 */
export type * from "./src/types.ts";
export { BindingError, type BindingErrorCode, type BindingErrorOptions, type BindingIssue } from "./src/errors.ts";
export { handleGetWsBindingToken } from "./src/operation/handler.ts";
export { isBindingTokenRequest } from "./src/operation/request.ts";
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
