// The names under which logs, buses, token stores and maps know things.

import type { Caller, Revocation } from "../types.ts";

/** The same id in another base or tenant is another Subscription. */
export function subscriptionKey(base: string, tenant: string | undefined, id: string): string {
  return JSON.stringify([base, tenant ?? null, id]);
}

/** The keys of several, in their order: what they have in common is written once. */
export function subscriptionKeys(base: string, tenant: string | undefined, ids: readonly string[]): string[] {
  const common = JSON.stringify([base, tenant ?? null]).slice(0, -1);
  return ids.map((id) => `${common},${JSON.stringify(id)}]`);
}

/** The subject that counts every revocation. */
export const ANY_REVOCATION = "all";

/** A caller is the same on every base, whatever it claims. */
export function callerSubject(caller: Pick<Caller, "id" | "tenant">): string {
  return `caller:${JSON.stringify([caller.tenant ?? null, caller.id])}`;
}

/** The subject of every token that covers a Subscription. */
export function subscriptionSubject(base: string, tenant: string | undefined, id: string): string {
  return `sub:${subscriptionKey(base, tenant, id)}`;
}

/** The subject of one token, by its jti. */
export function tokenSubject(id: string): string {
  return `tok:${id}`;
}

/** What a host means by a revocation on one base. */
export function revocationSubject(base: string, what: Revocation): string {
  if ("token" in what) return tokenSubject(what.token);
  if ("caller" in what) {
    return callerSubject(what.tenant === undefined ? { id: what.caller } : { id: what.caller, tenant: what.tenant });
  }
  return subscriptionSubject(base, what.tenant, what.subscription);
}
