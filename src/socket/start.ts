// A binding begins with the log's head, then its handshake, then whatever the log has after its cursor.

import { clock } from "../host.ts";
import { failed } from "./access.ts";
import { type Binding, endBinding, schedule } from "./binding.ts";
import { wake } from "./delivery.ts";
import { readHeads } from "./heads.ts";
import { renderHandshake } from "./rendering.ts";
import { replayStart } from "./replay.ts";
import type { BinderState } from "./state.ts";

/** Sends each its handshake; where that fails it waits for the next `reconcile`. Never rejects. */
export async function startBindings(state: BinderState, all: readonly Binding[]): Promise<void> {
  const bindings = all.filter((binding) => !binding.starting && !binding.ended);
  if (bindings.length === 0) return;
  for (const binding of bindings) binding.starting = true;
  try {
    const heads = await readHeads(state, bindings.map(({ access }) => access.watched.key));
    for (const [n, binding] of bindings.entries()) handshake(state, binding, heads[n] ?? 0);
  } catch {
    for (const { access } of bindings) failed(state, access, "log"); // the host has been told the cause
  } finally {
    for (const binding of bindings) binding.starting = false;
  }
}

function handshake(state: BinderState, binding: Binding, head: number): void {
  const { access, session } = binding;
  const now = clock(state.settings);
  if (binding.ended || session.suspect) return;
  if (now >= binding.expiresAt) return endBinding(state, binding, "expired");
  const first = !binding.live;
  const { cursor, cut } = first ? replayStart(state, binding, head) : { cursor: binding.cursor, cut: false };
  const text = renderHandshake(state, access, binding.dialect, Math.max(head, cursor));
  if (!session.hasRoom() || !session.send(text)) return;
  access.failing.delete("log");
  binding.awaitsHandshake = false;
  binding.live = true;
  binding.sentAt = now;
  binding.cursor = cursor;
  if (cut) tellCut(binding);
  schedule(state, binding);
  if (binding.again || cursor < head) wake(state, binding);
}

function tellCut(binding: Binding): void {
  binding.session.tell([{
    code: "incomplete",
    text: `Events before ${binding.cursor + 1} are not replayed`,
    subscription: binding.id,
  }]);
}
