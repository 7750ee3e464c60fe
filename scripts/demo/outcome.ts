// How the demo says no, and sends resources.

import type { FhirResource } from "@fhir-ws/binding";

/** Codes of https://hl7.org/fhir/valueset-issue-type.html that the demo uses. */
type IssueCode =
  | "structure"
  | "value"
  | "required"
  | "invalid"
  | "login"
  | "unknown"
  | "not-found"
  | "not-supported"
  | "too-costly"
  | "business-rule"
  | "exception";

/** Whatever is answered with an OperationOutcome: thrown where it shows, answered in one place. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: IssueCode;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: IssueCode, text: string, headers: Readonly<Record<string, string>> = {}) {
    super(text);
    this.name = "Refusal";
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

/** Unknown and forbidden look the same. */
export function notFound(): Refusal {
  return new Refusal(404, "not-found", "Not found");
}

/** A method that a path does not have. */
export function methodNotAllowed(allow: string): Refusal {
  return new Refusal(405, "not-supported", "The method is not supported here", { allow });
}

/** The OperationOutcome of a refusal. */
export function refusalResponse({ status, code, message, headers }: Refusal): Response {
  const issue = [{ severity: status >= 500 ? "fatal" : "error", code, details: { text: message } }];
  return jsonResponse({ resourceType: "OperationOutcome", issue }, { status, headers });
}

/** JSON that no cache keeps: all that is served here depends on who asks. */
export function jsonResponse(
  body: FhirResource | Readonly<Record<string, unknown>>,
  { status = 200, type = "application/fhir+json", headers = {} }: {
    readonly status?: number;
    readonly type?: string;
    readonly headers?: Readonly<Record<string, string>>;
  } = {},
): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": `${type}; charset=utf-8`, "cache-control": "no-store", ...headers },
  });
}
