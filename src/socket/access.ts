// Access is read at every bind and again before deliveries, once for all sockets of a caller.

import { BindingError } from "../errors.ts";
import { readSubscription, whyNotEligible } from "../fhir/subscription.ts";
import { askHost, clock, report } from "../host.ts";
import { readVisible } from "../token/verify.ts";
import type { EndReason, FhirSubscription } from "../types.ts";
import { endBinding, settleExpiry } from "./binding.ts";
import { type Access, type BinderState, type Failure, type FreshRead, type Moment, moment, PATIENCE } from "./state.ts";

/** Whether the last decision may be used again. A clock that was set back makes it old. */
export function isFresh(state: BinderState, access: Access, now: number): boolean {
  const age = now - access.checked.at;
  return age >= 0 && age < state.settings.recheckAfter && !isOutdated(access) && !access.failing?.has("access");
}

/** Whether it has changed since it was last read. */
export function isOutdated({ checked, changed }: Access): boolean {
  return checked.order < changed;
}

/**
 * Reads the Subscription again and acts upon it. All who ask share one read, unless it began before the last change:
 * then they share the next. Never rejects.
 */
export function refresh(state: BinderState, access: Access): Promise<void> {
  const { reading } = access;
  if (reading === undefined) return beginReading(state, access);
  if (reading.began.order > access.changed) return reading.done;
  return reading.next ??= reading.done.then(() => refresh(state, access));
}

function beginReading(state: BinderState, access: Access): Promise<void> {
  const began = moment(state);
  const done = readOnce(state, access, began).finally(() => {
    access.reading = undefined;
  });
  access.reading = { began, done, next: undefined };
  return done;
}

async function readOnce(state: BinderState, access: Access, began: Moment): Promise<void> {
  const read = await tryRead(state, access, began);
  // A bind has read it later, and is right.
  if (began.order < access.checked.order) return;
  if (read === "failed") return failed(state, access, "access");
  if (read === undefined) return endAll(state, access, "access-lost");
  const reason = reasonToEnd(read, clock(state.settings));
  if (reason !== undefined) return endAll(state, access, reason);
  adopt(state, access, read);
}

async function tryRead(state: BinderState, access: Access, began: Moment): Promise<FreshRead | undefined | "failed"> {
  try {
    const subscription = await readActivated(state, access);
    return subscription && freshRead(state, subscription, began);
  } catch (cause) {
    // Of what a callback did the host has been told.
    if (!(cause instanceof BindingError)) report(state.settings, { type: "error", during: "internal", cause });
    return "failed";
  }
}

/** New facts apply from the next notification on; what was read before those at hand is none. */
export function adopt(state: BinderState, access: Access, read: FreshRead): void {
  if (read.checked.order < access.checked.order) return;
  const { endsAt, heartbeatPeriod } = access.facts;
  Object.assign(access, read, { rendered: undefined });
  access.failing?.delete("access");
  if (read.facts.endsAt === endsAt && read.facts.heartbeatPeriod === heartbeatPeriod) return;
  for (const binding of access.bindings) settleExpiry(state, binding);
}

/** A `requested` Subscription is bound by now: the host is asked to make it active. */
async function readActivated(state: BinderState, { watched, caller }: Access): Promise<FhirSubscription | undefined> {
  const { settings } = state;
  const subscription = await readVisible(watched.id, caller, settings);
  if (subscription === undefined || settings.subscriptions.activate === undefined) return subscription;
  if (readSubscription(subscription, settings.fhirVersion).status !== "requested") return subscription;
  await askHost(settings, "activate", () => settings.subscriptions.activate?.(watched.id, caller));
  return await readVisible(watched.id, caller, settings);
}

/** What an access keeps of a Subscription that was read. */
export function freshRead(state: BinderState, subscription: FhirSubscription, checked: Moment): FreshRead {
  const facts = readSubscription(subscription, state.settings.fhirVersion);
  return { facts, subscription: state.settings.mayReceive && subscription, checked };
}

function reasonToEnd({ facts }: FreshRead, now: number): EndReason | undefined {
  if (facts.problem === undefined && facts.endsAt !== undefined && facts.endsAt * 1000 <= now) return "expired";
  return whyNotEligible(facts, now) === undefined ? undefined : "subscription-off";
}

/** Events are held while nothing can be read, and not for ever. */
export function failed(state: BinderState, access: Access, failure: Failure): void {
  const { storeTimeout = 5000, reconcileEvery } = state.settings;
  const now = clock(state.settings);
  const failing = access.failing ??= new Map();
  const before = failing.get(failure);
  // What fails is tried again each round; a longer silence says that it had recovered, or was not needed.
  const goesOn = before !== undefined && now - before.last < 2 * reconcileEvery + 4 * storeTimeout;
  // A clock that was set back must not make it wait longer.
  const since = goesOn ? Math.min(now, before.since) : now;
  failing.set(failure, { since, last: now });
  state.watched.settle(access.watched, undefined);
  if (now - since >= PATIENCE) endAll(state, access, "store");
}

/** Ends what one caller has bound of a Subscription. */
export function endAll(state: BinderState, access: Access, reason: EndReason): void {
  for (const binding of [...access.bindings]) endBinding(state, binding, reason);
}
