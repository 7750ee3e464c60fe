// What $status and $events have in common: the order of refusals is that of $get-ws-binding-token.

import { askHost, askRate } from "../host.ts";
import { checkChallenge, checkCount, checkEndpoint } from "../setup.ts";
import type { BindingTokenContext, Caller, EventLog, FhirEndpoint, FhirResource, FhirSubscription } from "../types.ts";
import { authenticate, MAX_BODY_SIZE, type OperationCall, readAccept, readBody, readCall } from "./request.ts";
import { refuse, resourceResponse } from "./response.ts";

/**
 * What a host gives to be asked about its Subscriptions: the context of `handleGetWsBindingToken` with the event log,
 * or less. Whether websockets are enabled for a tenant is not asked: Subscriptions on other channels have a status too.
 */
export interface SubscriptionQueryContext
  extends Omit<FhirEndpoint, "tokens">, Pick<BindingTokenContext, "authenticate" | "challenge" | "maxBodySize"> {
  /** The log that notifiers write. */
  readonly events: Pick<EventLog, "read" | "heads">;
}

/** A call that may be answered. */
export interface Query {
  readonly call: OperationCall;
  readonly body: unknown;
  readonly caller: Caller;
}

/** Answers a request to such a path with one resource, or with an OperationOutcome. */
export async function answerQuery(
  request: Request,
  ctx: SubscriptionQueryContext,
  path: RegExp,
  answer: (query: Query) => Promise<FhirResource>,
): Promise<Response> {
  let caller: Caller | undefined;
  try {
    const call = readCall(request, path);
    const type = readAccept(request, call, ctx.fhirVersion);
    caller = await authenticate(request, ctx);
    await askRate(ctx, caller, "query");
    const body = call.method === "POST"
      ? await readBody(request, ctx.maxBodySize ?? MAX_BODY_SIZE, ctx.fhirVersion)
      : undefined;
    return resourceResponse(await answer({ call, body, caller }), { method: call.method, type });
  } catch (error) {
    return refuse(error, request, caller, ctx);
  }
}

/**
 * A Subscription of any channel and status.
 *
 * @throws {BindingError} `forbidden`, `unavailable`.
 */
export async function readSubscriptionOf(
  id: string,
  caller: Caller,
  ctx: SubscriptionQueryContext,
): Promise<FhirSubscription | undefined> {
  return await askHost(ctx, "read", () => ctx.subscriptions.read(id, caller)) ?? undefined;
}

/** @throws {TypeError} or {RangeError} */
export function checkQueryContext(ctx: SubscriptionQueryContext): void {
  checkEndpoint(ctx);
  checkChallenge(ctx.challenge);
  checkCount("maxBodySize", ctx.maxBodySize);
}
