// Revocations reach live bindings: by a message at once, by the count of them when the message was lost.

import { tokenSubject } from "../event/key.ts";
import { clock } from "../host.ts";
import { refresh } from "./access.ts";
import { type Binding, endBinding, settleExpiry } from "./binding.ts";
import type { Session } from "./session.ts";
import { resume } from "./start.ts";
import { type BinderState, bindingsOf, type BoundToken, PATIENCE } from "./state.ts";

/** The sockets that a subject concerns. */
export function sessionsOf(state: BinderState, subject: string): Iterable<Session> {
  if (subject.startsWith("caller:")) return state.callers.get(subject) ?? [];
  if (subject.startsWith("tok:")) return [...state.sessions].filter((session) => holds(session, subject));
  const watched = state.watched.get(subject.slice("sub:".length));
  return new Set(watched && bindingsOf(watched).map(({ session }) => session));
}

function holds({ bindings }: Session, subject: string): boolean {
  for (const { tokens } of bindings.values()) {
    if (tokens.some(({ grant }) => tokenSubject(grant.id) === subject)) return true;
  }
  return false;
}

/**
 * Asks the signer which bindings still stand; the message alone could be an old one. Nothing is sent on these sockets
 * until it has answered. Never rejects.
 */
export async function recheckTokens(state: BinderState, sessions: Iterable<Session>): Promise<void> {
  const now = clock(state.settings);
  const all = [...sessions];
  // A clock that was set back must not make it wait longer.
  for (const session of all) session.suspectSince = Math.min(now, session.suspectSince ?? now);
  await Promise.all(all.map((session) => recheckSession(state, session)));
}

/** What began before there was reason for it may have come too early: then it is done again. */
async function recheckSession(state: BinderState, session: Session): Promise<void> {
  const running = state.checks.get(session);
  if (running !== undefined) return running.next ??= running.done.then(() => recheckSession(state, session));
  const done = checkSession(state, session).finally(() => state.checks.delete(session));
  state.checks.set(session, { done, next: undefined });
  await done;
  if (!session.suspect) await resume(state, [...session.bindings.values()]);
}

async function checkSession(state: BinderState, session: Session): Promise<void> {
  try {
    for (const token of tokensOf(session)) {
      await drop(state, session, token, await state.survivors(token.grant));
    }
  } catch {
    return distrust(state, session); // the host has been told the cause
  }
  if (state.checks.get(session)?.next === undefined) session.suspectSince = undefined;
}

function tokensOf({ bindings }: Session): Set<BoundToken> {
  return new Set([...bindings.values()].flatMap(({ tokens }) => tokens));
}

/** Takes a token away from the bindings that it does not cover any more. */
async function drop(
  state: BinderState,
  session: Session,
  token: BoundToken,
  surviving: readonly string[],
): Promise<void> {
  const lost = [...session.bindings.values()].filter(({ id, tokens }) =>
    tokens.includes(token) && !surviving.includes(id)
  );
  await Promise.all(lost.map((binding) => dropFrom(state, binding, token)));
}

async function dropFrom(state: BinderState, binding: Binding, token: BoundToken): Promise<void> {
  // Where the Subscription itself has gone, that is the better answer. A newer token may bind meanwhile, and stays.
  if (binding.tokens.length === 1) await refresh(state, binding.access);
  binding.tokens = binding.tokens.filter((one) => one !== token);
  if (binding.tokens.length > 0) settleExpiry(state, binding);
  else endBinding(state, binding, "revoked");
}

/** Fails closed: events are held, and not for ever. */
function distrust(state: BinderState, session: Session): void {
  if (clock(state.settings) - (session.suspectSince ?? 0) < PATIENCE) return;
  for (const binding of [...session.bindings.values()]) endBinding(state, binding, "store");
}
