// Revocations reach live bindings: by a message at once, by the count of them when the message was lost.

import { subscriptionSubject, tokenSubject } from "../event/key.ts";
import { askHost, clock } from "../host.ts";
import { refresh } from "./access.ts";
import { type Binding, endBinding, settleExpiry } from "./binding.ts";
import { wake } from "./delivery.ts";
import type { Session } from "./session.ts";
import { type BinderState, type BoundToken, PATIENCE } from "./state.ts";
import { startBindings } from "./start.ts";
import { forgetIdleTokens } from "./unbind.ts";

/** The sockets that a subject concerns. */
export function sessionsOf(state: BinderState, subject: string): readonly Session[] {
  if (subject.startsWith("caller:")) return [...state.callers.get(subject) ?? []];
  return [...state.sessions].filter((session) => session.tokens.some((token) => concerns(token, subject)));
}

function concerns({ grant }: BoundToken, subject: string): boolean {
  if (subject === tokenSubject(grant.id)) return true;
  return grant.subscriptions.some((id) => subscriptionSubject(grant.audience, grant.caller.tenant, id) === subject);
}

/**
 * Asks the signer which bindings still stand; the message alone could be an old one. Nothing is sent on these sockets
 * until it has answered. Never rejects.
 */
export async function recheckTokens(state: BinderState, sessions: readonly Session[]): Promise<void> {
  const now = clock(state.settings);
  for (const session of sessions) session.suspectSince ??= now;
  await Promise.all(sessions.map((session) => recheckSession(state, session)));
}

async function recheckSession(state: BinderState, session: Session): Promise<void> {
  const { tokens } = state.settings;
  try {
    for (const token of session.tokens) {
      const surviving = await askHost(state.settings, "verify", () => tokens.surviving?.(token.grant) ?? []);
      await drop(state, session, token, surviving);
    }
  } catch {
    return distrust(state, session); // the host has been told the cause
  }
  session.suspectSince = undefined;
  forgetIdleTokens(session);
  const bindings = [...session.bindings.values()];
  await startBindings(state, bindings.filter(({ awaitsHandshake }) => awaitsHandshake));
  for (const binding of bindings) wake(state, binding);
}

/** Takes a token away from the bindings that it does not cover any more. */
async function drop(
  state: BinderState,
  session: Session,
  token: BoundToken,
  surviving: readonly string[],
): Promise<void> {
  for (const binding of [...session.bindings.values()]) {
    if (surviving.includes(binding.id) || !binding.tokens.includes(token)) continue;
    const left = binding.tokens.filter((one) => one !== token);
    if (left.length === 0) await endRevoked(state, binding);
    else {
      binding.tokens = left;
      settleExpiry(state, binding);
    }
  }
}

/** Where the Subscription itself has gone, that is the better answer. */
async function endRevoked(state: BinderState, binding: Binding): Promise<void> {
  await refresh(state, binding.access);
  endBinding(state, binding, "revoked");
}

/** Fails closed: events are held, and not for ever. */
function distrust(state: BinderState, session: Session): void {
  if (clock(state.settings) - (session.suspectSince ?? 0) < PATIENCE) return;
  for (const binding of [...session.bindings.values()]) endBinding(state, binding, "store");
}
