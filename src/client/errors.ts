import type { ReceivedIssue } from "./types.ts";

/** What stood in the way. */
export type SubscribeErrorCode =
  /** HTTP 401. */
  | "unauthorized"
  /** HTTP 403. */
  | "forbidden"
  /** HTTP 404 or 410. */
  | "not-found"
  /** Any other HTTP 4xx, 501, or a token that covers something else. */
  | "rejected"
  /** HTTP 408, 425, 429 or 5xx, no answer, or none in time. */
  | "unavailable"
  /** The answer is not JSON, no Parameters, or lacks the token or the websocket-url. */
  | "malformed"
  /** The base is `https:` and the websocket-url `ws:`: the token would be readable on its way. */
  | "insecure"
  /** The token had expired when it came, by the server's own clock. */
  | "expired"
  /** The socket did not open. */
  | "unreachable"
  /** No handshake came in time. */
  | "no-handshake"
  /** An OperationOutcome answered the bind. */
  | "refused"
  /** The server ended the binding of a Subscription. */
  | "ended"
  /** The socket was closed. */
  | "closed"
  /** Nothing came for `idleTimeout`. */
  | "silent"
  /** A mistake of this library or of a callback; see `cause`. */
  | "unexpected";

/** What else is known of a failure. */
export interface SubscribeErrorDetails extends ErrorOptions {
  /** The HTTP status. */
  readonly status?: number | undefined;
  /** The close code of the socket. */
  readonly closeCode?: number | undefined;
  /** Seconds that the server asked to wait. */
  readonly retryAfter?: number | undefined;
  /** Of the OperationOutcome. */
  readonly issues?: readonly ReceivedIssue[] | undefined;
}

/**
 * What a subscription fails with: a `code` to branch on, and a message without secrets.
 *
 * @example
 * ```ts
 * import { SubscribeError } from "@fhir-ws/binding/client";
 *
 * const error = new SubscribeError("not-found", "Cannot subscribe: the server answered 404", { status: 404 });
 * if (error.code !== "not-found" || error.status !== 404) throw new Error("unreachable");
 * ```
 */
export class SubscribeError extends Error {
  /** What went wrong. */
  declare readonly code: SubscribeErrorCode;
  /** The HTTP status, where there was an answer. */
  declare readonly status: number | undefined;
  /** The close code, where a socket was closed. */
  declare readonly closeCode: number | undefined;
  /** Seconds that the server asked to wait. */
  declare readonly retryAfter: number | undefined;
  /** What the server's OperationOutcome says; empty without one. */
  declare readonly issues: readonly ReceivedIssue[];

  /** Throws nothing. */
  constructor(code: SubscribeErrorCode, message: string, details: SubscribeErrorDetails = {}) {
    super(message, details);
    Object.assign(this, { name: "SubscribeError", code, ...details, issues: details.issues ?? [] });
  }
}

/** A failure, by what it cannot go on for. */
export function failure(code: SubscribeErrorCode, details: SubscribeErrorDetails, why: string): SubscribeError {
  return new SubscribeError(code, `Cannot subscribe: ${why}`, details);
}
