// Comparing with the truth from time to time, since any message of the bus may be lost.

import { ANY_REVOCATION } from "../event/key.ts";
import { askHost } from "../host.ts";
import { noteForAttempts } from "./attempt.ts";
import type { Binding } from "./binding.ts";
import { renewReads, wake } from "./delivery.ts";
import { readHeads } from "./heads.ts";
import { recheckTokens } from "./revocation.ts";
import { startBindings } from "./start.ts";
import type { BinderState, Watched } from "./state.ts";

/**
 * Finds lost events, lost revocations and handshakes that still wait. What it sets going is not waited for: one store or
 * Subscription that hangs must not keep the others from the next round. Never rejects.
 */
export async function reconcile(state: BinderState): Promise<void> {
  void startBindings(state, waiting(state)); // it never rejects
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
  const doubtful = [...state.sessions].filter((one) => one.bindings.size > 0 && (moved || one.suspect));
  void recheckTokens(state, doubtful); // it never rejects
}

async function reconcileEvents(state: BinderState): Promise<void> {
  const heads = await readHeads(state, [...state.watched.keys()]);
  for (const watched of state.watched.values()) compare(state, watched, heads.get(watched.key));
}

/**
 * Lets those look into the log that are not where it is, or had trouble. One that is beyond the head is either just
 * ahead of this news, or the id was made anew: the log tells.
 */
function compare(state: BinderState, watched: Watched, head: number | undefined): void {
  let renewed = false;
  for (const access of watched.accesses.values()) {
    for (const binding of access.bindings) {
      const elsewhere = access.failing.size > 0 || head !== undefined && head !== binding.cursor;
      if (!binding.live || !elsewhere) continue;
      if (!renewed) renewReads(watched);
      renewed = true;
      wake(state, binding);
    }
  }
}

/** Bindings without a handshake. */
function waiting(state: BinderState): Binding[] {
  const bindings: Binding[] = [];
  for (const { accesses } of state.watched.values()) {
    for (const access of accesses.values()) {
      for (const binding of access.bindings) if (binding.awaitsHandshake) bindings.push(binding);
    }
  }
  return bindings;
}
