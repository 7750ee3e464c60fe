// The operation: https://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition-backport-subscription-get-ws-binding-token.html

import { BindingError } from "../errors.ts";
import { bindingTokenParameters } from "../fhir/parameters.ts";
import { askHost, askRate, report, who } from "../host.ts";
import { checkCount, checkWebsocketUrl } from "../setup.ts";
import { isBearerText, MAX_IDS, MAX_TOKEN_LENGTH } from "../token/grant.ts";
import type { BindingGrant, BindingTokenContext, Caller } from "../types.ts";
import { checkOnce } from "./answer.ts";
import { readGrant, TOKEN_LIFETIME } from "./grant.ts";
import { authenticate, hasPath, readAccept, readBody, readCall, readIds } from "./request.ts";
import { refuse, resourceResponse } from "./response.ts";

const PATH = /\/Subscription(?:\/([^/]+))?\/(?:\$|%24)get-ws-binding-token$/;

/**
 * Whether a request's path is the operation's, at type or instance level, below any base, with `$` or `%24`.
 *
 * @example
 * ```ts
 * import { isBindingTokenRequest } from "@fhir-ws/binding";
 *
 * const request = new Request("https://example.org/fhir/R4/Subscription/s1/$get-ws-binding-token");
 * if (!isBindingTokenRequest(request)) throw new Error("unreachable");
 * ```
 */
export function isBindingTokenRequest(request: Request): boolean {
  return hasPath(request, PATH);
}

/**
 * Answers `Subscription/$get-ws-binding-token` and `Subscription/[id]/$get-ws-binding-token`, by GET, HEAD or POST:
 * `Parameters` with `token`, `expiration`, `subscription` per covered id and `websocket-url`, or an OperationOutcome.
 * Every answer is `Cache-Control: no-store`. OPTIONS (CORS) is the host's, before it.
 *
 * [Operation definition](https://hl7.org/fhir/R5/subscription-operation-get-ws-binding-token.html)
 *
 * @param request Any Fetch request; one for another path is answered 404.
 * @param ctx The base that answers and the host's callbacks. The same object serves every request.
 * @throws {TypeError} or {RangeError} when `ctx` cannot work, never for what a client sent.
 *
 * @example
 * ```ts
 * import { createJwtSigner, handleGetWsBindingToken } from "@fhir-ws/binding";
 *
 * const base = "https://example.org/fhir/R5";
 * const tokens = await createJwtSigner({ sign: { kid: "k1", key: crypto.getRandomValues(new Uint8Array(32)) } });
 * const subscription = { resourceType: "Subscription", id: "s1", status: "active", channelType: { code: "websocket" } } as const;
 *
 * const response = await handleGetWsBindingToken(new Request(`${base}/Subscription/s1/$get-ws-binding-token`), {
 *   base,
 *   fhirVersion: "R5",
 *   tokens,
 *   subscriptions: { read: (id, caller) => id === "s1" && caller.id === "alice" ? subscription : undefined },
 *   sockets: { websocketUrl: "wss://example.org/ws" },
 *   authenticate: () => ({ id: "alice" }),
 * });
 * if (response.status !== 200) throw new Error("unreachable");
 * ```
 */
export async function handleGetWsBindingToken(request: Request, ctx: BindingTokenContext): Promise<Response> {
  checkOnce(ctx, checked, checkOwn);
  let caller: Caller | undefined;
  // The steps of `answerCall`, written out: this is the call that comes by the thousand, and each layer costs it time.
  try {
    const call = readCall(request, PATH);
    const type = readAccept(request, call, ctx.fhirVersion);
    caller = await authenticate(request, ctx);
    if (ctx.isEnabled !== undefined) await checkEnabled(caller, ctx);
    if (ctx.rateLimit !== undefined) await askRate(ctx, caller, "issue");
    const body = call.method === "POST" ? await readBody(request, ctx) : undefined;
    const grant = await readGrant(readIds(call, body, ctx.maxIds ?? MAX_IDS), caller, ctx);
    const { websocketUrl } = ctx.sockets;
    const url = typeof websocketUrl === "string" ? websocketUrl : await askUrl(websocketUrl, request, caller, ctx);
    const token = call.method === "HEAD" ? "" : await sign(grant, ctx);
    const parameters = bindingTokenParameters(token, grant.expiresAt, grant.subscriptions, url);
    return resourceResponse(parameters, { method: call.method, type });
  } catch (error) {
    return refuse(error, request, caller, ctx);
  }
}

async function checkEnabled(caller: Caller, ctx: BindingTokenContext): Promise<void> {
  const enabled = await askHost(ctx, "enabled", () => ctx.isEnabled?.(caller) ?? false);
  if (!enabled) throw new BindingError("not-enabled");
}

async function askUrl(
  websocketUrl: (request: Request, caller: Caller) => string,
  request: Request,
  caller: Caller,
  ctx: BindingTokenContext,
): Promise<string> {
  return await askHost(ctx, "url", () => checkWebsocketUrl(websocketUrl(request, caller), ctx.sockets.allowInsecure));
}

async function sign(grant: BindingGrant, ctx: BindingTokenContext): Promise<string> {
  const token = await askHost(ctx, "sign", () => ctx.tokens.sign(grant), ctx.tokens.local);
  if (token.length > MAX_TOKEN_LENGTH) throw new BindingError("too-many-ids");
  if (!isBearerText(token)) throw new TypeError("Cannot issue a token: it holds characters that no frame could carry");
  report(ctx, {
    type: "issued",
    caller: who(grant.caller),
    token: grant.id,
    subscriptions: grant.subscriptions,
    expiresAt: grant.expiresAt,
  });
  return token;
}

/** Seconds of a year: far beyond it lie dates that FHIR cannot write. */
const MAX_LIFETIME = 31_536_000;

/** Contexts that were found to be in order. */
const checked = new WeakSet<BindingTokenContext>();

function checkOwn({ tokenLifetime = TOKEN_LIFETIME, tokens, maxIds, sockets }: BindingTokenContext): void {
  const { websocketUrl, allowInsecure } = sockets;
  if (typeof websocketUrl === "string") checkWebsocketUrl(websocketUrl, allowInsecure);
  checkCount("tokenLifetime", tokenLifetime, Math.min(MAX_LIFETIME, tokens.maxLifetime ?? Infinity));
  checkCount("maxIds", maxIds, MAX_IDS);
}
