// How operations answer: what they have in common, and the order of refusals, which is the same for all.

import { checkChallenge, checkCount, checkEndpoint } from "../setup.ts";
import type { Caller, FhirResource } from "../types.ts";
import type { CallContext } from "./query.ts";
import { authenticate, type OperationCall, readAccept, readCall } from "./request.ts";
import { refuse, resourceResponse } from "./response.ts";

/** Answers a request to such a path with one resource, or with an OperationOutcome. */
export async function answerCall(
  request: Request,
  ctx: CallContext,
  path: RegExp,
  answer: (call: OperationCall, caller: Caller) => Promise<FhirResource>,
): Promise<Response> {
  let caller: Caller | undefined;
  try {
    const call = readCall(request, path);
    const type = readAccept(request, call, ctx.fhirVersion);
    caller = await authenticate(request, ctx);
    return resourceResponse(await answer(call, caller), { method: call.method, type });
  } catch (error) {
    return refuse(error, request, caller, ctx);
  }
}

/**
 * Checks a context when it is seen first; `check` looks at what is the operation's own.
 *
 * @throws {TypeError} or {RangeError}
 */
export function checkOnce<C extends CallContext>(ctx: C, checked: WeakSet<C>, check: (ctx: C) => void): void {
  if (checked.has(ctx)) return;
  checkEndpoint(ctx);
  checkChallenge(ctx.challenge);
  checkCount("maxBodySize", ctx.maxBodySize);
  check(ctx);
  checked.add(ctx);
}
