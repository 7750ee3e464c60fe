// Whether a bind may go on: all that can refuse it, before a token is used up.

import { BindingError } from "../errors.ts";
import { callerSubject } from "../event/key.ts";
import { askRate, clock } from "../host.ts";
import type { VerifiedBinding } from "../token/verify.ts";
import type { BindingGrant, Caller, FhirSubscription } from "../types.ts";
import { isChanged, isDoubtful, keysOf } from "./attempt.ts";
import { readHeads } from "./heads.ts";
import type { Session } from "./session.ts";
import { type BindAttempt, type BinderState, type Moment, moment } from "./state.ts";

/** A bind that has been verified. */
export interface Accepted extends VerifiedBinding {
  /** The Subscriptions by the ids that were asked for: a host's resource may lack its own. */
  readonly found: readonly (readonly [id: string, subscription: FhirSubscription])[];
  /** When the Subscriptions began to be read. */
  readonly checked: Moment;
}

/** Times that a bind is verified anew because what it rests on has changed meanwhile. */
const TRIES = 10;

/**
 * Verifies until nothing that it rests on has changed on the way. Everything that may refuse is in here.
 *
 * @throws {BindingError} for every refusal.
 */
export async function accept(
  state: BinderState,
  session: Session,
  verify: () => Promise<VerifiedBinding>,
  attempt: BindAttempt,
): Promise<Accepted> {
  for (let n = 0; n < TRIES; n++) {
    attempt.seen.clear();
    const checked = moment(state);
    const verified = await verify();
    // A copy: what a signer gives may be slices of a longer text, which they would keep alive for as long as it is bound.
    const grant: BindingGrant = JSON.parse(JSON.stringify(verified.grant));
    const found = foundOf({ ...verified, grant });
    checkCaller(session, grant.caller);
    if (n === 0) await askRate(state.settings, grant.caller, "bind");
    checkLimits(state, session, attempt, grant.caller, found.map(([id]) => id));
    // A log that is down refuses here, before a single-use token is used up.
    if (state.settings.tokens.redeem) await checkLog(state, keysOf(grant));
    if (grant.expiresAt * 1000 <= clock(state.settings)) throw new BindingError("token-expired");
    if (!isChanged(attempt, grant) && !isDoubtful(attempt, grant)) return { ...verified, grant, found, checked };
  }
  throw new BindingError("unavailable");
}

function foundOf({ grant, subscriptions, refused }: VerifiedBinding): Accepted["found"] {
  const ids = grant.subscriptions.filter((id) => !refused.some(({ subscription }) => subscription === id));
  return subscriptions.map((subscription, n) => [ids[n] ?? "", subscription]);
}

function checkCaller(session: Session, caller: Caller): void {
  if (session.caller === undefined || callerSubject(session.caller) === callerSubject(caller)) return;
  throw new BindingError("other-caller");
}

/** A socket takes its place among the caller's before it is bound: many at once do not slip past the limit. */
function checkLimits(
  state: BinderState,
  session: Session,
  attempt: BindAttempt,
  caller: Caller,
  ids: readonly string[],
): void {
  const { bindingsPerSocket, socketsPerCaller } = state.settings.limits;
  const more = ids.filter((id) => !session.bindings.has(id)).length;
  const subject = callerSubject(caller);
  const sockets = state.callers.get(subject) ?? new Set();
  const isFull = !sockets.has(session) && sockets.size >= socketsPerCaller;
  if (session.bindings.size + more > bindingsPerSocket || isFull) throw new BindingError("too-many-bindings");
  state.callers.set(subject, sockets.add(session));
  attempt.place = subject;
}

/** Gives the place of a bind back that came to nothing. */
export function vacate(state: BinderState, session: Session, { place }: BindAttempt): void {
  if (session.caller !== undefined || place === undefined) return;
  const sockets = state.callers.get(place);
  sockets?.delete(session);
  if (sockets?.size === 0) state.callers.delete(place);
}

async function checkLog(state: BinderState, keys: readonly string[]): Promise<void> {
  const heads = await readHeads(state, keys);
  if (keys.some((key) => !heads.has(key))) throw new BindingError("unavailable");
}
