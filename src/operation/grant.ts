// From the ids that were asked for to what the token will say.

import { BindingError, type BindingIssue } from "../errors.ts";
import { isIssue, judgeSubscription, refusalOf } from "../fhir/eligibility.ts";
import type { AskedId } from "../fhir/parameters.ts";
import { askHost, clock } from "../host.ts";
import { MAX_IDS, narrow } from "../token/grant.ts";
import type { BindingGrant, BindingTokenContext, Caller, FhirSubscription } from "../types.ts";
import { readList, readOne } from "./query.ts";

/** Seconds that a token lives, unless the host says otherwise. */
export const TOKEN_LIFETIME = 3600;

/**
 * Reads and judges the Subscriptions. Asked for by id it is all or nothing; of all the caller's, those that nobody
 * could bind to are skipped.
 *
 * @throws {BindingError} `id-required`, `not-found`, `not-eligible`, `forbidden`, `unavailable`.
 */
export async function readGrant(
  asked: readonly AskedId[],
  caller: Caller,
  ctx: BindingTokenContext,
): Promise<BindingGrant> {
  const listed = asked.length === 0 ? await list(caller, ctx) : undefined;
  const wanted: readonly AskedId[] = listed === undefined ? asked : [...listed.keys()].map((value) => ({ value }));
  const ids = wanted.map(({ value }) => value);
  // Before the Subscriptions: what is revoked while they are read then counts as later than the token.
  const draft = { audience: ctx.base, caller, subscriptions: ids };
  const generations = ctx.tokens.generations && await askHost(ctx, "sign", () => ctx.tokens.generations?.(draft));
  const now = clock(ctx);
  const found = await findAll(ids, listed, generations !== undefined, caller, ctx);

  const issuedAt = Math.floor(now / 1000);
  let expiresAt = issuedAt + (ctx.tokenLifetime ?? TOKEN_LIFETIME);
  const covered: string[] = [];
  const issues: BindingIssue[] = [];
  for (const [n, { value: id, expression }] of wanted.entries()) {
    const judged = judgeSubscription(id, found[n], ctx.fhirVersion, now);
    if (isIssue(judged)) {
      issues.push(expression === undefined ? judged : { ...judged, expression });
    } else {
      covered.push(id);
      expiresAt = Math.min(expiresAt, judged.endsAt ?? Infinity);
    }
  }
  if (listed === undefined && issues.length > 0) throw refusalOf(issues);
  if (covered.length === 0) throw new BindingError("not-eligible", "There is no websocket Subscription to bind");
  const grant = { ...draft, id: crypto.randomUUID(), issuedAt, expiresAt, ...(generations && { generations }) };
  return narrow(grant, covered);
}

/** The caller's Subscriptions by id, as many as fit. */
async function list(caller: Caller, ctx: BindingTokenContext): Promise<ReadonlyMap<string, FhirSubscription>> {
  const limit = ctx.maxIds ?? MAX_IDS;
  return new Map([...await readList(caller, limit, ctx)].slice(0, limit));
}

/** Each Subscription as it is after the generations were read; a list from before is read again. */
async function findAll(
  ids: readonly string[],
  listed: ReadonlyMap<string, FhirSubscription> | undefined,
  again: boolean,
  caller: Caller,
  ctx: BindingTokenContext,
): Promise<readonly (FhirSubscription | undefined)[]> {
  if (listed !== undefined) {
    const current = again ? await list(caller, ctx) : listed;
    return ids.map((id) => current.get(id));
  }
  return await Promise.all(ids.map((id) => readOne(id, caller, ctx)));
}
