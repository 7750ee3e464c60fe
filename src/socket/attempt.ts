// A bind under way: what it rests on may change at any moment of it.

import { ANY_REVOCATION, callerSubject, subscriptionKeys, subscriptionSubject, tokenSubject } from "../event/key.ts";
import type { BindingGrant } from "../types.ts";
import type { BindAttempt, BinderState } from "./state.ts";

/** A message named this key or subject, or might have been lost that did. */
export function noteForAttempts(state: BinderState, name: string): void {
  for (const attempt of state.attempts) attempt.seen.add(name);
}

/** Whether one of a grant's Subscriptions has changed meanwhile, or who may see it. */
export function isChanged({ seen }: BindAttempt, grant: BindingGrant): boolean {
  return seen.size > 0 && keysOf(grant).some((key) => seen.has(key));
}

/** Whether the grant may have been revoked meanwhile, in whole or in part. */
export function isDoubtful({ seen }: BindAttempt, grant: BindingGrant): boolean {
  return seen.size > 0 && subjectsOf(grant).some((subject) => seen.has(subject));
}

/** The keys of a grant's Subscriptions. */
export function keysOf({ audience, caller, subscriptions }: BindingGrant): string[] {
  return subscriptionKeys(audience, caller.tenant, subscriptions);
}

function subjectsOf({ id, audience, caller, subscriptions }: BindingGrant): string[] {
  const those = subscriptions.map((one) => subscriptionSubject(audience, caller.tenant, one));
  return [ANY_REVOCATION, tokenSubject(id), callerSubject(caller), ...those];
}
