// Forms of OAuth's endpoints: RFC 6749 Appendix B.

import { readText } from "./body.ts";
import { jsonResponse, Refusal } from "./outcome.ts";

const MAX_FORM = 8192;

/** RFC 6749 §5.2 */
export type OAuthError = "invalid_request" | "invalid_client" | "unsupported_grant_type";

/**
 * A form that has this parameter. RFC 6749 §3.2: no parameter more than once. What cannot be read comes back as a text
 * that says why.
 */
export async function readForm(
  request: Request,
  required: string,
  limit: number = MAX_FORM,
): Promise<URLSearchParams | string> {
  const type = request.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (type !== "application/x-www-form-urlencoded") return "The body must be a form";
  let form: URLSearchParams;
  try {
    form = new URLSearchParams(await readText(request, limit));
  } catch (error) {
    if (error instanceof Refusal) return error.message;
    throw error;
  }
  const names = [...form.keys()];
  if (new Set(names).size < names.length) return "A parameter is repeated";
  return form.has(required) ? form : `The ${required} is missing`;
}

/** Says no in OAuth's words. */
export function oauthError(
  error: OAuthError,
  description: string,
  options: { readonly status?: number; readonly headers?: Readonly<Record<string, string>> } = {},
): Response {
  return jsonResponse({ error, error_description: description }, { status: 400, type: "application/json", ...options });
}
