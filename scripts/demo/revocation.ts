// Revocation of binding tokens by those they were issued to: https://www.rfc-editor.org/rfc/rfc7009

import { BindingError, type BindingGrant, type RevokingNotifier, type TokenSigner } from "@fhir-ws/binding";
import { oauthError, readForm } from "./form.ts";
import type { OAuth } from "./oauth.ts";
import { methodNotAllowed } from "./outcome.ts";

/** Bytes; binding tokens may be longer than anything else in a form. */
const MAX_FORM = 32_768;

/** What revokes tokens. */
export interface RevocationParts {
  readonly oauth: OAuth;
  readonly tokens: TokenSigner;
  /** By base. */
  readonly notifiers: ReadonlyMap<string, RevokingNotifier>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/**
 * Answers `POST /oauth2/revoke`. A token that is unknown, has expired or is somebody else's is answered like one that
 * was revoked: RFC 7009 §2.2.
 *
 * @throws {Refusal} 405, 401
 */
export async function answerRevocation(
  request: Request,
  { oauth, tokens, notifiers, now }: RevocationParts,
): Promise<Response> {
  if (request.method !== "POST") throw methodNotAllowed("POST, OPTIONS");
  const user = await oauth.requireUser(request);
  const form = await readForm(request, "token", MAX_FORM);
  if (typeof form === "string") return oauthError("invalid_request", form);
  const grant = await verify(tokens, form.get("token") ?? "", now());
  if (grant?.caller.id === user.id) await notifiers.get(grant.audience)?.revoke({ token: grant.id });
  return new Response(null, { status: 200, headers: { "cache-control": "no-store" } });
}

async function verify(tokens: TokenSigner, token: string, now: number): Promise<BindingGrant | undefined> {
  try {
    return await tokens.verify(token, now);
  } catch (error) {
    if (error instanceof BindingError && error.code.startsWith("token-")) return undefined;
    throw error;
  }
}
