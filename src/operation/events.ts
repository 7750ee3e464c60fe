// https://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition-backport-subscription-events.html

import { BindingError } from "../errors.ts";
import { subscriptionKey } from "../event/key.ts";
import { buildNotification } from "../fhir/notification.ts";
import { valueError } from "../fhir/parameters.ts";
import { stamp } from "../fhir/status.ts";
import { isLevel, LEVELS, readSubscription } from "../fhir/subscription.ts";
import { askHost, askRate, clock } from "../host.ts";
import { checkCount } from "../setup.ts";
import type {
  Caller,
  ContentLevel,
  EventPage,
  FhirResource,
  FhirSubscription,
  LoggedEvent,
  MaybePromise,
} from "../types.ts";
import { answerCall, checkOnce } from "./answer.ts";
import { readOne, type SubscriptionQueryContext } from "./query.ts";
import { hasPath, type OperationCall, readBody, readInstance, readValues } from "./request.ts";

/** What `handleSubscriptionEvents` needs. */
export interface SubscriptionEventsContext extends SubscriptionQueryContext {
  /** Events in one answer; a link `next` leads on. Default 1000. */
  readonly maxEvents?: number;
  /** For Subscriptions that name no content level. Default `empty`. Give what the binder has. */
  readonly defaultContent?: ContentLevel;
  /** Withholds one event from one caller. Give what the binder has. */
  mayReceive?(event: LoggedEvent, subscription: FhirSubscription, caller: Caller): MaybePromise<boolean>;
}

const PATH = /\/Subscription\/([^/]+)\/(?:\$|%24)events$/;
const MAX_EVENTS = 1000;
/** Events that `mayReceive` is asked about at the same time: as many as a binder does. */
const DECISIONS = 100;
/** The IG has strings, R5 integer64, which is a string in JSON too. */
const NUMBER_TYPES = ["valueString", "valueInteger64", "valueInteger", "valueUnsignedInt", "valuePositiveInt"];
const CONTENT_TYPES = ["valueCode", "valueString"];

/**
 * Whether a request's path is that of `$events`, below any base, with `$` or `%24`.
 *
 * @example
 * ```ts
 * import { isSubscriptionEventsRequest } from "@fhir-ws/binding";
 *
 * const request = new Request("https://example.org/fhir/R4/Subscription/s1/$events?eventsSinceNumber=7");
 * if (!isSubscriptionEventsRequest(request)) throw new Error("unreachable");
 * ```
 */
export function isSubscriptionEventsRequest(request: Request): boolean {
  return hasPath(request, PATH);
}

/**
 * Answers `Subscription/[id]/$events`, by GET, HEAD or POST: a notification Bundle whose status of type `query-event`
 * tells of the events from `eventsSinceNumber` to `eventsUntilNumber`, both inclusive and optional, or an
 * OperationOutcome. `content` may lower the level of the Subscription, never raise it. Events that the log holds no
 * more are named in the status's `error`; where there are more than fit, a link `next` asks for the rest. What
 * `mayReceive` withholds leaves a gap in the numbers.
 *
 * [Operation definition](https://hl7.org/fhir/R5/subscription-operation-events.html)
 *
 * @param request Any Fetch request; one for another path is answered 404.
 * @param ctx The base that answers and the host's callbacks. The same object serves every request.
 * @throws {TypeError} or {RangeError} when `ctx` cannot work, never for what a client sent.
 *
 * @example
 * ```ts
 * import { createNotifier, handleSubscriptionEvents } from "@fhir-ws/binding";
 * import { createMemoryBus, createMemoryEventLog } from "@fhir-ws/binding/storage/memory";
 *
 * const base = "https://example.org/fhir/R5";
 * const subscription = { resourceType: "Subscription", id: "s1", status: "active", channelType: { code: "websocket" } } as const;
 * const events = createMemoryEventLog();
 * await createNotifier({ base, events, bus: createMemoryBus() }).notify(["s1"], { interaction: "create", focus: "Patient/p1" });
 *
 * const response = await handleSubscriptionEvents(new Request(`${base}/Subscription/s1/$events?eventsSinceNumber=1`), {
 *   base,
 *   fhirVersion: "R5",
 *   events,
 *   subscriptions: { read: () => subscription },
 *   authenticate: () => ({ id: "alice" }),
 * });
 * const { entry } = await response.json();
 * if (entry[0].resource.notificationEvent[0].eventNumber !== "1") throw new Error("unreachable");
 * ```
 */
export async function handleSubscriptionEvents(request: Request, ctx: SubscriptionEventsContext): Promise<Response> {
  checkOnce(ctx, checked, checkOwn);
  return await answerCall(request, ctx, PATH, async (call, caller) => {
    await askRate(ctx, caller, "query");
    return await answerEvents(call, await readBody(request, ctx), caller, ctx);
  });
}

/** Contexts that were found to be in order. */
const checked = new WeakSet<SubscriptionEventsContext>();

function checkOwn({ maxEvents, defaultContent }: SubscriptionEventsContext): void {
  checkCount("maxEvents", maxEvents);
  if (defaultContent !== undefined && !isLevel(defaultContent)) {
    throw new TypeError(`Cannot use defaultContent "${defaultContent}": there is no such level`);
  }
}

/** What is asked of one Subscription; the numbers are inclusive. */
interface Range {
  readonly since: number;
  readonly until: number;
  readonly content: ContentLevel | undefined;
}

async function answerEvents(
  call: OperationCall,
  body: unknown,
  caller: Caller,
  ctx: SubscriptionEventsContext,
): Promise<FhirResource> {
  const id = readInstance(call.instance ?? "", body);
  const range = readRange(call, body);
  const subscription = await readOne(id, caller, ctx);
  if (subscription === undefined) throw new BindingError("not-found");

  const page = await readPage(id, range, caller, ctx);
  const events = ctx.mayReceive === undefined
    ? page.events
    : await withoutWithheld(page.events, subscription, caller, ctx);
  const { base, fhirVersion } = ctx;
  const facts = readSubscription(subscription, fhirVersion);
  const level = lower(facts.content ?? ctx.defaultContent ?? "empty", range.content);
  const error = whatIsGone(page, range);
  return buildNotification(
    { base, fhirVersion, id, facts, level, dialect: "text", ...stamp(clock(ctx)) },
    { type: "query-event", head: page.head, events, ...(error !== undefined && { error }) },
    nextUrl(`${base}/Subscription/${id}/$events`, page, range),
  );
}

function readRange(call: OperationCall, body: unknown): Range {
  const since = readParameter(call, body, "eventsSinceNumber", NUMBER_TYPES, eventNumber);
  const until = readParameter(call, body, "eventsUntilNumber", NUMBER_TYPES, eventNumber);
  const content = readParameter(
    call,
    body,
    "content",
    CONTENT_TYPES,
    (value) => isLevel(value) ? value : undefined,
  );
  return { since: Math.max(1, since ?? 1), until: until ?? Infinity, content };
}

/** @throws {BindingError} `invalid-value` where it cannot be read, or stands more than once. */
function readParameter<T>(
  call: OperationCall,
  body: unknown,
  name: string,
  types: readonly string[],
  read: (value: unknown) => T | undefined,
): T | undefined {
  const [first, second] = readValues(call, body, name, types);
  if (second !== undefined) throw valueError("invalid-value", [second], `Cannot read ${name}: it is repeated`);
  if (first === undefined) return undefined;
  const value = read(first.value);
  if (value !== undefined) return value;
  throw valueError("invalid-value", [first], `Cannot read ${name}: its value is not one of its type`);
}

/** Numbers beyond every log are as good as any other beyond its head. */
function eventNumber(value: unknown): number | undefined {
  if (typeof value === "string" && /^\d{1,19}$/.test(value)) return Math.min(Number(value), Number.MAX_SAFE_INTEGER);
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function lower(level: ContentLevel, asked: ContentLevel | undefined): ContentLevel {
  return asked !== undefined && LEVELS.indexOf(asked) < LEVELS.indexOf(level) ? asked : level;
}

/** One read of the log is one answer. An empty range reads one event in vain, for the head. */
async function readPage(
  id: string,
  { since, until }: Range,
  caller: Caller,
  ctx: SubscriptionEventsContext,
): Promise<EventPage> {
  const key = subscriptionKey(ctx.base, caller.tenant, id);
  const limit = Math.max(1, Math.min(ctx.maxEvents ?? MAX_EVENTS, until - since + 1));
  const page = await askHost(ctx, "log", () => ctx.events.read(key, since - 1, limit));
  return { ...page, events: page.events.filter(({ number }) => number >= since && number <= until) };
}

async function withoutWithheld(
  events: readonly LoggedEvent[],
  subscription: FhirSubscription,
  caller: Caller,
  ctx: SubscriptionEventsContext,
): Promise<readonly LoggedEvent[]> {
  const allowed: LoggedEvent[] = [];
  for (let n = 0; n < events.length; n += DECISIONS) {
    const some = events.slice(n, n + DECISIONS);
    const decisions = await Promise.all(
      some.map((event) => askHost(ctx, "may-receive", () => ctx.mayReceive?.(event, subscription, caller) ?? false)),
    );
    allowed.push(...some.filter((_, k) => decisions[k]));
  }
  return allowed;
}

function whatIsGone({ oldest, head }: EventPage, { since, until }: Range): string | undefined {
  const last = Math.min(oldest - 1, until, head);
  if (last < since) return undefined;
  return `Some events are not kept any more: ${since === last ? since : `${since} to ${last}`}`;
}

/** Where the rest of the range is; what is withheld counts as told. */
function nextUrl(url: string, { events, head }: EventPage, { until, content }: Range): string | undefined {
  const last = events.at(-1)?.number;
  if (last === undefined || last >= Math.min(until, head)) return undefined;
  const query = new URLSearchParams({ eventsSinceNumber: String(last + 1) });
  if (until !== Infinity) query.set("eventsUntilNumber", String(until));
  if (content !== undefined) query.set("content", content);
  return `${url}?${query}`;
}
