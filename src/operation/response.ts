// What a call is answered with.

import { errorRow } from "../error_table.ts";
import { BindingError } from "../errors.ts";
import { FHIR_JSON } from "../fhir/media_type.ts";
import { operationOutcome } from "../fhir/outcome.ts";
import { type Host, report, who } from "../host.ts";
import type { BindingTokenContext, Caller, FhirResource } from "../types.ts";

/** A resource, or for HEAD its headers alone; errors in the formal type, whatever was acceptable. Tokens and refusals are never to be kept by a cache. */
export function resourceResponse(
  resource: FhirResource,
  { method, status = 200, type = FHIR_JSON, headers = [] }: {
    readonly method: string;
    readonly status?: number;
    readonly type?: string;
    readonly headers?: readonly [name: string, value: string][];
  },
): Response {
  const response = new Response(method === "HEAD" ? null : JSON.stringify(resource), { status });
  // Set one by one: runtimes take a list of headers apart far more slowly.
  response.headers.set("content-type", `${type}; charset=utf-8`);
  response.headers.set("cache-control", "no-store");
  for (const [name, value] of headers) response.headers.set(name, value);
  return response;
}

/** The answer to a call that failed; whatever is no `BindingError` is a mistake of ours. The host is told of both. */
export function refuse(
  cause: unknown,
  request: Request,
  caller: Caller | undefined,
  ctx: Host & Pick<BindingTokenContext, "challenge">,
): Response {
  if (!(cause instanceof BindingError)) report(ctx, { type: "error", during: "internal", cause });
  const error = cause instanceof BindingError ? cause : new BindingError("internal");
  report(ctx, { type: "refused", code: error.code, ...(caller && { caller: who(caller) }) });
  return errorResponse(error, request.method, ctx.challenge ?? "Bearer");
}

/** The row of the error, with the headers that HTTP wants beside its status. */
function errorResponse(error: BindingError, method: string, challenge: string): Response {
  return resourceResponse(operationOutcome(error.issues), {
    method,
    status: errorRow(error.code).status,
    headers: errorHeaders(error, challenge),
  });
}

function errorHeaders(error: BindingError, challenge: string): [name: string, value: string][] {
  switch (error.code) {
    case "login-required":
      return [["www-authenticate", challenge]];
    case "login-refused": // RFC 6750 §3.1
      return [["www-authenticate", `${challenge}${challenge.includes("=") ? "," : ""} error="invalid_token"`]];
    case "method-not-allowed":
      return [["allow", "GET, HEAD, POST"]];
    case "throttled": {
      const seconds = String(error.retryAfter ?? 1);
      return [["retry-after", seconds], ["ratelimit", `"default";r=0;t=${seconds}`]];
    }
    default:
      return [];
  }
}
