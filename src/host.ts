// How the library calls into host code: in bounded time, and with one answer for everything that goes wrong there.

import { BindingError, type BindingErrorCode } from "./errors.ts";
import type { BindingEvent, Caller, FhirEndpoint, HostCall, MaybePromise } from "./types.ts";

/** What has to be known of an endpoint to call its callbacks. */
export type Host = Pick<FhirEndpoint, "storeTimeout" | "now" | "onEvent">;

/** A `BindingEvent` without its time. */
export type UntimedEvent = BindingEvent extends infer E ? E extends BindingEvent ? Omit<E, "at"> : never : never;

/** Seconds that a throttled caller is sent away for at most: a day. */
const LONGEST_WAIT = 86_400;

/** The refusals that are a callback's to make; whatever else it throws means that it is down. */
const REFUSALS: Partial<Record<HostCall, readonly BindingErrorCode[]>> = {
  verify: ["token-unknown", "token-expired"],
  redeem: ["token-unknown"],
};

/** Milliseconds since the epoch, by the host's clock. */
export function clock(host: Host): number {
  return (host.now ?? Date.now)();
}

/** Tells the host what happened. */
export function report(host: Host, event: UntimedEvent): void {
  if (host.onEvent === undefined) return;
  // Where errors are reported may fail itself: there is nobody left to tell then, and no client may suffer for it.
  try {
    const told: unknown = host.onEvent({ at: clock(host), ...event } as BindingEvent); // Omit loses the union's shape
    if (isPromise(told)) Promise.resolve(told).catch(() => {});
  } catch {
    return;
  }
}

/**
 * Calls a host callback, in bounded time unless it is known to wait for nobody.
 *
 * @throws {BindingError} `forbidden` or another refusal that is this callback's to make, `unavailable` for the rest.
 */
export async function askHost<T>(
  host: Host,
  during: HostCall,
  call: () => MaybePromise<T>,
  local = false,
): Promise<T> {
  try {
    const answer = call();
    if (!isPromise(answer)) return answer;
    return await (local ? answer : inTime(answer, host.storeTimeout ?? 5000, during));
  } catch (cause) {
    if (isRefusal(cause, during)) throw cause;
    report(host, { type: "error", during, cause });
    throw new BindingError("unavailable", undefined, { cause });
  }
}

/**
 * Asks whether this caller may go on.
 *
 * @throws {BindingError} `throttled`, `unavailable`.
 */
export async function askRate(
  host: Host & Pick<FhirEndpoint, "rateLimit">,
  caller: Caller,
  action: "issue" | "bind" | "query",
): Promise<void> {
  if (host.rateLimit === undefined) return;
  const seconds = await askHost(host, "rate-limit", () => host.rateLimit?.(caller, action));
  if (!seconds || seconds <= 0) return;
  throw new BindingError("throttled", undefined, { retryAfter: Math.min(Math.ceil(seconds), LONGEST_WAIT) });
}

/** A caller as events tell of it: without its claims. */
export function who({ id, tenant }: Caller): Pick<Caller, "id" | "tenant"> {
  return tenant === undefined ? { id } : { id, tenant };
}

function isRefusal(cause: unknown, during: HostCall): boolean {
  if (!(cause instanceof BindingError)) return false;
  return cause.code === "forbidden" || (REFUSALS[during]?.includes(cause.code) ?? false);
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function"; // any thenable will do
}

function inTime<T>(promise: Promise<T>, milliseconds: number, during: HostCall): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`Cannot ${during}: no answer in ${milliseconds} ms`)),
      milliseconds,
    );
    Promise.resolve(promise).then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
