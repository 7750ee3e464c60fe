// Comparing with the truth from time to time, since any message of the bus may be lost.

import { ANY_REVOCATION } from "../event/key.ts";
import { askHost } from "../host.ts";
import { noteForAttempts } from "./attempt.ts";
import { renewReads, wake } from "./delivery.ts";
import { BATCH, readBatch } from "./heads.ts";
import { recheckTokens } from "./revocation.ts";
import { startBindings } from "./start.ts";
import type { Session } from "./session.ts";
import type { BinderState, Watched } from "./state.ts";
import type { Row } from "./watchlist.ts";

/** Batches that the log is asked for at a time: many would be a burden to it, and to the memory here. */
const LANES = 4;

/**
 * Finds lost events, lost revocations and handshakes that still wait. What it sets going is not waited for: one store or
 * Subscription that hangs must not keep the others from the next round. Never rejects.
 */
export async function reconcile(state: BinderState): Promise<void> {
  void startBindings(state, [...state.waiting]); // it never rejects
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
  const doubtful: Session[] = [];
  for (const one of state.sessions) if ((moved || one.suspect) && one.bindings.size > 0) doubtful.push(one);
  void recheckTokens(state, doubtful); // it never rejects
}

async function reconcileEvents(state: BinderState): Promise<void> {
  const rows = state.watched.rows(BATCH);
  const lane = async () => {
    for (const row of rows) await reconcileRow(state, row);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

/** Where all stood at this head already, and cursors never go back, there is nobody to look at. */
async function reconcileRow(state: BinderState, { from, keys }: Row): Promise<void> {
  const heads = await readBatch(state, keys);
  keys.forEach((key, n) => {
    const head = heads && (heads[n] ?? 0);
    if (head !== undefined && state.watched.isSettled(from + n, key, head)) return;
    const watched = state.watched.get(key);
    if (watched !== undefined) compare(state, watched, head);
  });
}

/**
 * Lets those look into the log that are not where it is, or had trouble. One that is beyond the head is either just
 * ahead of this news, or the id was made anew: the log tells.
 */
function compare(state: BinderState, watched: Watched, head: number | undefined): void {
  let settled = head !== undefined;
  let renewed = false;
  for (const access of watched.accesses.values()) {
    const failing = (access.failing?.size ?? 0) > 0;
    for (const binding of access.bindings) {
      const elsewhere = failing || head !== undefined && head !== binding.cursor;
      if (elsewhere || !binding.live) settled = false;
      if (!elsewhere || !binding.live) continue;
      if (!renewed) renewReads(watched);
      renewed = true;
      wake(state, binding);
    }
  }
  state.watched.settle(watched, settled ? head : undefined);
}
