// What every kind of token has in common.

import { ANY_REVOCATION, callerSubject, subscriptionSubject, tokenSubject } from "../event/key.ts";
import type { BindingGrant, GrantDraft, TokenStore } from "../types.ts";

/** Characters of a token; a frame of the default size holds it with room to spare. */
export const MAX_TOKEN_LENGTH = 16384;

/** Subscriptions of a token. */
export const MAX_IDS = 100;

/** RFC 6750 §2.1 b68token: what a text frame can carry without quoting. */
export function isBearerText(token: string): boolean {
  return /^[A-Za-z0-9\-._~+/]+=*$/.test(token);
}

/** Revocation as every signer with a store does it. */
export interface Revocations {
  generations(draft: GrantDraft): Promise<readonly number[]>;
  surviving(grants: readonly BindingGrant[]): Promise<readonly (readonly string[])[]>;
  revocations(): Promise<number>;
}

/** Reads generations; a grant of the caller's or a Subscription's older generation is dead, or dead in part. */
export function createRevocations(store: TokenStore): Revocations {
  return {
    async generations(draft) {
      return await store.generations(subjectsOf(draft));
    },
    async surviving(grants) {
      const subjects = grants.map((grant) => [tokenSubject(grant.id), ...subjectsOf(grant)]);
      const now = await store.generations(subjects.flat());
      let end = 0;
      return grants.map((grant, n) => survivingOf(grant, now.slice(end, end += subjects[n]?.length ?? 0)));
    },
    async revocations() {
      const [count] = await store.generations([ANY_REVOCATION]);
      return count ?? 0;
    },
  };
}

/** What is left of a grant, by the generations of the token, the caller and the Subscriptions. */
function survivingOf(
  { generations = [], subscriptions }: BindingGrant,
  [token, caller, ...now]: readonly number[],
): readonly string[] {
  const [callerThen, ...then] = generations;
  if (token !== 0 || caller !== callerThen) return [];
  return subscriptions.filter((_, n) => now[n] === then[n]);
}

/** The caller first, then the Subscriptions, as in `BindingGrant.generations`. */
function subjectsOf({ audience, caller, subscriptions }: GrantDraft): string[] {
  return [callerSubject(caller), ...subscriptions.map((id) => subscriptionSubject(audience, caller.tenant, id))];
}

/** A grant for some of its Subscriptions, each with its generation. */
export function narrow(grant: BindingGrant, ids: readonly string[]): BindingGrant {
  if (ids.length === grant.subscriptions.length) return grant;
  const kept = grant.subscriptions.flatMap((id, n) => ids.includes(id) ? [{ id, n }] : []);
  const [caller = 0, ...generations] = grant.generations ?? [];
  return {
    ...grant,
    subscriptions: kept.map(({ id }) => id),
    ...(grant.generations && { generations: [caller, ...kept.map(({ n }) => generations[n] ?? 0)] }),
  };
}
