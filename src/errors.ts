/**
 * The one error of the library; `error_table.ts` says what its codes mean over HTTP and on a socket.
 *
 * @module
 */

/** What went wrong. */
export type BindingErrorCode =
  | "login-required"
  | "login-refused"
  | "not-enabled"
  | "forbidden"
  | "not-found"
  | "no-route"
  | "invalid-id"
  | "invalid-value"
  | "invalid-body"
  | "id-required"
  | "not-eligible"
  | "too-many-ids"
  | "body-too-large"
  | "throttled"
  | "method-not-allowed"
  | "not-acceptable"
  | "unsupported-media-type"
  | "unavailable"
  | "internal"
  | "token-unknown"
  | "token-expired"
  | "other-caller"
  | "too-many-bindings"
  | "incomplete"
  | "frame-malformed"
  | "frame-not-supported";

/** What is wrong with one of several Subscriptions or parameters. */
export interface BindingIssue {
  /** What is wrong. */
  readonly code: BindingErrorCode;
  /** For `details.text`. */
  readonly text?: string;
  /** FHIRPath of the parameter, for `expression`. */
  readonly expression?: string;
  /** The Subscription's id, for `diagnostics`. */
  readonly subscription?: string;
}

/** What else a `BindingError` may carry. */
export interface BindingErrorOptions extends ErrorOptions {
  /** One entry per bad Subscription or parameter. */
  readonly issues?: readonly BindingIssue[];
  /** Seconds after which a throttled caller may come back. */
  readonly retryAfter?: number;
}

/**
 * Every expected failure: a `code` to branch on, a message without secrets. A host's callback may throw
 * `new BindingError("forbidden")` to answer 403. Without a message of its own a client is told the code's fixed text.
 *
 * @example
 * ```ts
 * import { BindingError } from "@fhir-ws/binding";
 *
 * const error = new BindingError("forbidden");
 * if (error.code !== "forbidden") throw new Error("unreachable");
 * ```
 */
export class BindingError extends Error {
  /** What went wrong. */
  readonly code: BindingErrorCode;
  /** At least one: what an OperationOutcome would list. */
  readonly issues: readonly BindingIssue[];
  /** Seconds after which a throttled caller may come back. */
  readonly retryAfter: number | undefined;

  /** Without a message it has the code for one. */
  constructor(code: BindingErrorCode, message?: string, options: BindingErrorOptions = {}) {
    super(message ?? code, options);
    this.name = "BindingError";
    this.code = code;
    this.issues = options.issues?.length
      ? options.issues
      : [message === undefined ? { code } : { code, text: message }];
    this.retryAfter = options.retryAfter;
  }
}
