// A binding begins with the log's head, then its handshake, then whatever the log has after its cursor.

import { clock } from "../host.ts";
import { failed, isOutdated, refresh } from "./access.ts";
import { type Binding, breakDown, endBinding, schedule } from "./binding.ts";
import { renewReads, wake } from "./delivery.ts";
import { headsOf } from "./heads.ts";
import { renderHandshake } from "./rendering.ts";
import { replayStart } from "./replay.ts";
import { type Access, type BinderState, moment } from "./state.ts";

/** Sends a handshake to each that waits for one; where that fails it waits for the next `reconcile`. Never rejects. */
export async function startBindings(state: BinderState, all: readonly Binding[]): Promise<void> {
  const bindings = all.filter((one) => state.waiting.has(one) && !one.starting);
  if (bindings.length === 0) return;
  for (const binding of bindings) binding.starting = true;
  const outdated = new Set(bindings.map(({ access }) => access).filter(isOutdated));
  const [heads] = await Promise.all([headsOf(state, bindings), ...[...outdated].map((one) => refresh(state, one))]);
  for (const binding of bindings) {
    binding.starting = false;
    start(state, binding, heads.get(binding.access.watched.key));
  }
}

/** Goes on after something had stood in the way. Never rejects. */
export async function resume(state: BinderState, bindings: readonly Binding[]): Promise<void> {
  for (const binding of bindings) if (binding.live) wake(state, binding);
  await startBindings(state, bindings);
}

/** Somebody says that the Subscription has changed: nothing is sent by what was known before. Never rejects. */
export async function change(state: BinderState, access: Access): Promise<void> {
  access.changed = moment(state).order;
  await refresh(state, access);
  await resume(state, [...access.bindings]);
}

function start(state: BinderState, binding: Binding, head: number | undefined): void {
  try {
    if (head === undefined) failed(state, binding.access, "log");
    else handshake(state, binding, head);
  } catch (cause) {
    breakDown(state, binding, cause);
  }
}

function handshake(state: BinderState, binding: Binding, head: number): void {
  const { access, session } = binding;
  const now = clock(state.settings);
  if (binding.ended || session.suspect || isOutdated(access)) return;
  if (now >= binding.expiresAt) return endBinding(state, binding, "expired");
  const text = renderHandshake(state, access, binding.dialect, Math.max(head, binding.cursor));
  if (!session.hasRoom() || !session.send(text)) return;
  access.failing?.delete("log");
  state.waiting.delete(binding);
  binding.sentAt = now;
  if (!binding.live) {
    binding.live = true;
    state.watched.settle(access.watched, undefined);
    ({ cursor: binding.cursor, floor: binding.floor } = replayStart(state, binding, head));
  }
  schedule(state, binding);
  // One under way could be from the log of another Subscription that had this id before.
  renewReads(access.watched);
  if (binding.again || binding.cursor < head) wake(state, binding);
}
