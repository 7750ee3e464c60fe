// Comparing with the truth from time to time, since any message of the bus may be lost.

import { ANY_REVOCATION } from "../event/key.ts";
import { askHost } from "../host.ts";
import { noteForAttempts } from "./attempt.ts";
import { renewReads, wake } from "./delivery.ts";
import { readHeads } from "./heads.ts";
import { recheckTokens } from "./revocation.ts";
import { startBindings } from "./start.ts";
import { type BinderState, bindingsOf, type Watched } from "./state.ts";

/** Finds lost events, lost revocations and handshakes that still wait. Never rejects. */
export async function reconcile(state: BinderState): Promise<void> {
  // Neither store has to wait for the other one.
  await Promise.all([reconcileRevocations(state), reconcileEvents(state)]);
}

async function reconcileRevocations(state: BinderState): Promise<void> {
  const { tokens } = state.settings;
  const before = state.revocations;
  try {
    state.revocations = await askHost(state.settings, "verify", () => tokens.revocations?.());
  } catch {
    // The host has been told the cause. The count stays, so that what moved it meanwhile is found next time.
  }
  const moved = before !== undefined && state.revocations !== before;
  if (moved) noteForAttempts(state, ANY_REVOCATION);
  await recheckTokens(state, [...state.sessions].filter((one) => one.bindings.size > 0 && (moved || one.suspect)));
}

async function reconcileEvents(state: BinderState): Promise<void> {
  await startBindings(state, [...state.watched.values()].flatMap(bindingsOf));
  const heads = await readHeads(state, [...state.watched.keys()]);
  for (const watched of state.watched.values()) compare(state, watched, heads.get(watched.key));
}

/**
 * Lets those look into the log that are not where it is, or had trouble. One that is beyond the head is either just
 * ahead of this news, or the id was made anew: the log tells.
 */
function compare(state: BinderState, watched: Watched, head: number | undefined): void {
  const elsewhere = bindingsOf(watched).filter(({ live, cursor, access }) =>
    live && (access.failing.size > 0 || head !== undefined && head !== cursor)
  );
  if (elsewhere.length === 0) return;
  renewReads(watched);
  for (const binding of elsewhere) wake(state, binding);
}
