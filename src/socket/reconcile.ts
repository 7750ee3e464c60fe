// Comparing with the truth from time to time, since any message of the bus may be lost.

import { askHost, clock } from "../host.ts";
import { isFresh } from "./access.ts";
import { type Binding, endBinding } from "./binding.ts";
import { wake } from "./delivery.ts";
import { headsOf } from "./heads.ts";
import { recheckTokens } from "./revocation.ts";
import { startBindings } from "./start.ts";
import type { BinderState } from "./state.ts";

/** Finds lost events, lost revocations and handshakes that still wait. Never rejects. */
export async function reconcile(state: BinderState): Promise<void> {
  await reconcileRevocations(state);
  await reconcileEvents(state);
}

async function reconcileRevocations(state: BinderState): Promise<void> {
  const { tokens } = state.settings;
  const before = state.revocations;
  let sessions = [...state.sessions].filter(({ suspect }) => suspect);
  try {
    state.revocations = await askHost(state.settings, "verify", () => tokens.revocations?.());
    if (before !== undefined && state.revocations !== before) sessions = [...state.sessions];
  } catch {
    // The host has been told the cause. The count stays, so that what moved it meanwhile is found next time.
  }
  await recheckTokens(state, sessions.filter((session) => !session.over && session.tokens.length > 0));
}

async function reconcileEvents(state: BinderState): Promise<void> {
  const bindings = [...state.watched.values()].flatMap(({ accesses }) =>
    [...accesses.values()].flatMap((access) => [...access.bindings])
  );
  await startBindings(state, bindings.filter(({ awaitsHandshake }) => awaitsHandshake));
  const live = bindings.filter((binding) => binding.live && !binding.ended);
  const cursors = live.map(({ cursor }) => cursor);
  const heads = await headsOf(state, live);
  if (heads === undefined) return;
  for (const [n, binding] of live.entries()) {
    compare(state, binding, cursors[n] ?? 0, heads.get(binding.access.watched.key) ?? 0);
  }
}

/** `cursor` is from before the head was read: a head below it means that the id was made anew. */
function compare(state: BinderState, binding: Binding, cursor: number, head: number): void {
  if (binding.ended) return;
  if (head < cursor) return endBinding(state, binding, "access-lost");
  const stale = binding.access.failing.size > 0 && !isFresh(state, binding.access, clock(state.settings));
  if (head > binding.cursor || stale) wake(state, binding);
}
