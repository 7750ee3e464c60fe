// https://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition-backport-subscription-status.html

import { BindingError } from "../errors.ts";
import { subscriptionKeys } from "../event/key.ts";
import { member, text } from "../fhir/json.ts";
import { type AskedValue, valueError } from "../fhir/parameters.ts";
import { type Notified, stamp, statusResource } from "../fhir/status.ts";
import { readSubscription } from "../fhir/subscription.ts";
import { askHost, askRate, clock } from "../host.ts";
import { checkCount } from "../setup.ts";
import type { Caller, FhirResource, FhirSubscription } from "../types.ts";
import { answerCall, checkOnce } from "./answer.ts";
import { readList, readOne, type SubscriptionQueryContext } from "./query.ts";
import { hasPath, type OperationCall, readBody, readIds, readInstance, readValues } from "./request.ts";

/** What `handleSubscriptionStatus` needs. Its `subscriptions.list` should list those of every channel and status. */
export interface SubscriptionStatusContext extends SubscriptionQueryContext {
  /** Subscriptions in one answer, beyond which a call is refused. Default 500, which is also the most. */
  readonly maxStatuses?: number;
}

const PATH = /\/Subscription(?:\/([^/]+))?\/(?:\$|%24)status$/;
const MAX_STATUSES = 500;
const STATUSES: ReadonlySet<unknown> = new Set(["requested", "active", "error", "off", "entered-in-error"]);
const STATUS_TYPES = ["valueCode", "valueString"];

/**
 * Whether a request's path is that of `$status`, at type or instance level, below any base, with `$` or `%24`.
 *
 * @example
 * ```ts
 * import { isSubscriptionStatusRequest } from "@fhir-ws/binding";
 *
 * const request = new Request("https://example.org/fhir/R4/Subscription/s1/$status");
 * if (!isSubscriptionStatusRequest(request)) throw new Error("unreachable");
 * ```
 */
export function isSubscriptionStatusRequest(request: Request): boolean {
  return hasPath(request, PATH);
}

/**
 * Answers `Subscription/$status` and `Subscription/[id]/$status`, by GET, HEAD or POST: a `searchset` Bundle with a
 * status of type `query-status` for each Subscription, on whatever channel and in whatever state, or an
 * OperationOutcome. At type level `id` and `status` narrow it down, and ids that are not found are left out; without
 * `id` it is all that `subscriptions.list` gives. Every notification in R4 and R4B refers to this URL.
 *
 * [Operation definition](https://hl7.org/fhir/R5/subscription-operation-status.html)
 *
 * @param request Any Fetch request; one for another path is answered 404.
 * @param ctx The base that answers and the host's callbacks. The same object serves every request.
 * @throws {TypeError} or {RangeError} when `ctx` cannot work, never for what a client sent.
 *
 * @example
 * ```ts
 * import { handleSubscriptionStatus } from "@fhir-ws/binding";
 * import { createMemoryEventLog } from "@fhir-ws/binding/storage/memory";
 *
 * const base = "https://example.org/fhir/R5";
 * const subscription = { resourceType: "Subscription", id: "s1", status: "off", channelType: { code: "rest-hook" } } as const;
 *
 * const response = await handleSubscriptionStatus(new Request(`${base}/Subscription/s1/$status`), {
 *   base,
 *   fhirVersion: "R5",
 *   events: createMemoryEventLog(),
 *   subscriptions: { read: (id, caller) => id === "s1" && caller.id === "alice" ? subscription : undefined },
 *   authenticate: () => ({ id: "alice" }),
 * });
 * const { type, total } = await response.json();
 * if (type !== "searchset" || total !== 1) throw new Error("unreachable");
 * ```
 */
export async function handleSubscriptionStatus(request: Request, ctx: SubscriptionStatusContext): Promise<Response> {
  checkOnce(ctx, checked, checkOwn);
  return await answerCall(request, ctx, PATH, async (call, caller) => {
    await askRate(ctx, caller, "query");
    return await answerStatus(call, await readBody(request, ctx), caller, ctx);
  });
}

/** Contexts that were found to be in order. */
const checked = new WeakSet<SubscriptionStatusContext>();

function checkOwn({ maxStatuses }: SubscriptionStatusContext): void {
  checkCount("maxStatuses", maxStatuses, MAX_STATUSES);
}

async function answerStatus(
  call: OperationCall,
  body: unknown,
  caller: Caller,
  ctx: SubscriptionStatusContext,
): Promise<FhirResource> {
  if (call.instance !== undefined) {
    const id = readInstance(call.instance, body);
    const subscription = await readOne(id, caller, ctx);
    if (subscription === undefined) throw new BindingError("not-found");
    return await statusBundle([[id, subscription]], `/${id}/$status`, caller, ctx);
  }
  const ids = readIds(call, body, ctx.maxStatuses ?? MAX_STATUSES).map(({ value }) => value);
  const statuses = readStatuses(readValues(call, body, "status", STATUS_TYPES));
  const found = ids.length > 0 ? await readAll(ids, caller, ctx) : await list(caller, ctx);
  const wanted = statuses.length === 0 ? found : found.filter(([, one]) => statuses.includes(member(one, "status")));
  const asked = [...ids.map((id) => ["id", id]), ...statuses.map((status) => ["status", String(status)])];
  const search = asked.length === 0 ? "" : `?${new URLSearchParams(asked)}`;
  return await statusBundle(wanted, `/$status${search}`, caller, ctx);
}

type Found = readonly [id: string, subscription: FhirSubscription];

async function readAll(ids: readonly string[], caller: Caller, ctx: SubscriptionStatusContext): Promise<Found[]> {
  const found = await Promise.all(ids.map((id) => readOne(id, caller, ctx)));
  return ids.flatMap((id, n) => {
    const subscription = found[n];
    return subscription === undefined ? [] : [[id, subscription] as const];
  });
}

/** One more than fits is asked for: what does not fit is refused rather than left out in silence. */
async function list(caller: Caller, ctx: SubscriptionStatusContext): Promise<Found[]> {
  const most = ctx.maxStatuses ?? MAX_STATUSES;
  const found = await readList(caller, most + 1, ctx);
  if (found.size > most) {
    throw new BindingError("too-many-ids", "Too many Subscriptions for one answer: name some by id");
  }
  return [...found];
}

function readStatuses(asked: readonly AskedValue[]): readonly unknown[] {
  const bad = asked.filter(({ value }) => !STATUSES.has(value));
  if (bad.length > 0) throw valueError("invalid-value", bad, "Cannot read a status: it is none of a Subscription's");
  return [...new Set(asked.map(({ value }) => value))];
}

/** `self` follows the URL of the type: bdl-18 wants it in a searchset. */
async function statusBundle(
  found: readonly Found[],
  self: string,
  caller: Caller,
  ctx: SubscriptionStatusContext,
): Promise<FhirResource> {
  const { base } = ctx;
  const keys = subscriptionKeys(base, caller.tenant, found.map(([id]) => id));
  const heads = keys.length === 0 ? [] : await askHost(ctx, "log", () => ctx.events.heads(keys));
  const now = clock(ctx);
  return {
    resourceType: "Bundle",
    type: "searchset",
    timestamp: new Date(now).toISOString(),
    total: found.length,
    link: [{ relation: "self", url: `${base}/Subscription${self}` }],
    // An array without items is no JSON of FHIR.
    ...(found.length > 0 && { entry: found.map((one, n) => statusEntry(one, heads[n] ?? 0, now, ctx)) }),
  } as FhirResource; // a Bundle, of which the library's own type knows no more than that
}

function statusEntry(
  [id, subscription]: Found,
  head: number,
  now: number,
  { base, fhirVersion }: SubscriptionStatusContext,
): object {
  const facts = readSubscription(subscription, fhirVersion);
  // Whoever may read the Subscription knows its topic: no content level keeps it from them.
  const notified: Notified = { base, fhirVersion, id, facts, level: "id-only", dialect: "text", ...stamp(now) };
  const error = facts.status === "error" ? text(member(subscription, "error")) : undefined;
  const content = { type: "query-status" as const, head, ...(error !== undefined && { error }) };
  const resource = statusResource(notified, content, fhirVersion);
  return { fullUrl: `urn:uuid:${resource.id}`, resource, search: { mode: "match" } };
}
