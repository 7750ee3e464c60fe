// What each code of a `BindingError` means over HTTP and on a socket. Apart from the error: stores throw that, and are
// bundled without this.

import type { BindingErrorCode } from "./errors.ts";

/** The codes used of FHIR's [IssueType](https://hl7.org/fhir/valueset-issue-type.html). */
export type IssueType =
  | "login"
  | "unknown"
  | "invalid"
  | "forbidden"
  | "not-found"
  | "value"
  | "structure"
  | "required"
  | "business-rule"
  | "too-costly"
  | "throttled"
  | "not-supported"
  | "no-store"
  | "exception"
  | "expired"
  | "incomplete";

/** What a code means to a client. */
export interface ErrorRow {
  /** HTTP status. */
  readonly status: number;
  /** Code of the OperationOutcome's issue. */
  readonly issue: IssueType;
  /** Used where no more is known, and for all that must look the same. */
  readonly text: string;
}

const TABLE: Readonly<Record<BindingErrorCode, ErrorRow>> = {
  "login-required": { status: 401, issue: "login", text: "Authentication is required" },
  "login-refused": { status: 401, issue: "unknown", text: "The credentials were not accepted" },
  "not-enabled": { status: 400, issue: "invalid", text: "WebSocket subscriptions not enabled for current project" },
  "forbidden": { status: 403, issue: "forbidden", text: "Not allowed" },
  "not-found": { status: 404, issue: "not-found", text: "Error reading subscription: Not found" },
  "no-route": { status: 404, issue: "not-found", text: "Not found" },
  "invalid-id": { status: 400, issue: "value", text: "Cannot read an id: it is not a FHIR id" },
  "invalid-value": { status: 400, issue: "value", text: "Cannot read a parameter: its value is not of its type" },
  "invalid-body": { status: 400, issue: "structure", text: "Cannot read the body: it is not a Parameters resource" },
  "id-required": { status: 400, issue: "required", text: "At least one id is required" },
  "not-eligible": { status: 422, issue: "business-rule", text: "Cannot bind the Subscription" },
  "too-many-ids": { status: 422, issue: "too-costly", text: "Too many Subscriptions for one token" },
  "body-too-large": { status: 413, issue: "too-costly", text: "The body is too large" },
  "throttled": { status: 429, issue: "throttled", text: "Too many requests" },
  "method-not-allowed": { status: 405, issue: "not-supported", text: "The method is not supported here" },
  "not-acceptable": { status: 406, issue: "not-supported", text: "Only JSON of this FHIR version can be sent" },
  "unsupported-media-type": { status: 415, issue: "not-supported", text: "Only JSON of this FHIR version can be read" },
  "unavailable": { status: 503, issue: "no-store", text: "The server cannot answer now" },
  "internal": { status: 500, issue: "exception", text: "Unexpected error" },
  "token-unknown": { status: 401, issue: "unknown", text: "Cannot bind: the token is not known here" },
  "token-expired": { status: 401, issue: "expired", text: "Cannot bind: the token has expired" },
  "other-caller": { status: 403, issue: "forbidden", text: "Cannot bind: the socket belongs to another caller" },
  "too-many-bindings": { status: 422, issue: "too-costly", text: "Cannot bind: too many bindings or sockets" },
  "incomplete": { status: 503, issue: "incomplete", text: "Some events are not kept any more" },
  "frame-malformed": { status: 400, issue: "structure", text: "Cannot read the frame" },
  "frame-not-supported": { status: 400, issue: "not-supported", text: "The frame is not supported" },
};

/** The HTTP status, issue code and fixed text of a code. */
export function errorRow(code: BindingErrorCode): ErrorRow {
  return TABLE[code];
}
