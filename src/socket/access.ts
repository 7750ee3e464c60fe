// Access is read at every bind and again before deliveries, once for all sockets of a caller.

import { readSubscription, whyNotEligible } from "../fhir/subscription.ts";
import { askHost, clock } from "../host.ts";
import { readVisible } from "../token/verify.ts";
import type { EndReason, FhirSubscription } from "../types.ts";
import { endBinding, settleExpiry } from "./binding.ts";
import { type Access, type BinderState, type Failure, type FreshRead, PATIENCE } from "./state.ts";

/** Whether the last decision may be used again. A clock that was set back makes it old. */
export function isFresh(state: BinderState, access: Access, now: number): boolean {
  const age = now - access.checkedAt;
  return age >= 0 && age < state.settings.recheckAfter && !access.failing.has("access");
}

/** Reads the Subscription again and acts upon it; one read at a time, and another when it changed meanwhile. */
export function refresh(state: BinderState, access: Access): Promise<void> {
  access.reading ??= readUntilCalm(state, access).finally(() => {
    access.reading = undefined;
  });
  return access.reading;
}

async function readUntilCalm(state: BinderState, access: Access): Promise<void> {
  let changes: number;
  do {
    changes = access.changes;
    await readOnce(state, access);
  } while (access.changes !== changes && access.bindings.size > 0);
}

async function readOnce(state: BinderState, access: Access): Promise<void> {
  const checkedAt = clock(state.settings);
  let subscription: FhirSubscription | undefined;
  try {
    subscription = await readActivated(state, access);
  } catch {
    return failed(state, access, "access"); // the host has been told the cause
  }
  access.failing.delete("access");
  if (subscription === undefined) return endAll(state, access, "access-lost");
  const read = freshRead(state, subscription, checkedAt);
  const reason = reasonToEnd(read, clock(state.settings));
  if (reason !== undefined) return endAll(state, access, reason);
  adopt(state, access, read);
}

/** New facts apply from the next notification on. */
export function adopt(state: BinderState, access: Access, read: FreshRead): void {
  const { endsAt, heartbeatPeriod } = access.facts;
  Object.assign(access, read, { rendered: undefined });
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
export function freshRead(state: BinderState, subscription: FhirSubscription, checkedAt: number): FreshRead {
  const facts = readSubscription(subscription, state.settings.fhirVersion);
  return { facts, subscription: state.settings.mayReceive && subscription, checkedAt };
}

function reasonToEnd({ facts }: FreshRead, now: number): EndReason | undefined {
  if (facts.problem === undefined && facts.endsAt !== undefined && facts.endsAt * 1000 <= now) return "expired";
  return whyNotEligible(facts, now) === undefined ? undefined : "subscription-off";
}

/** Events are held while nothing can be read, and not for ever. */
export function failed(state: BinderState, access: Access, failure: Failure): void {
  const now = clock(state.settings);
  const since = access.failing.get(failure) ?? now;
  access.failing.set(failure, since);
  if (now - since >= PATIENCE) endAll(state, access, "store");
}

/** Ends what one caller has bound of a Subscription. */
export function endAll(state: BinderState, access: Access, reason: EndReason): void {
  for (const binding of [...access.bindings]) endBinding(state, binding, reason);
}
