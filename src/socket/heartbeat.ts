// Heartbeats, where a Subscription asks for them: https://hl7.org/fhir/R5/subscriptionstatus.html

import { clock } from "../host.ts";
import { isFresh, refresh } from "./access.ts";
import { type Binding, heartbeatAt, schedule } from "./binding.ts";
import { headsOf } from "./heads.ts";
import { renderHeartbeat } from "./rendering.ts";
import type { BinderState } from "./state.ts";

/** Milliseconds after which a heartbeat that could not be sent is tried again. */
const RETRY = 1000;

/** Sends what has come due in one tick, with one look at the log for all of it. Never rejects. */
export async function sendHeartbeats(state: BinderState): Promise<void> {
  const due = [...state.heartbeats].filter((binding) => !binding.beating);
  if (due.length === 0) return;
  for (const binding of due) binding.beating = true;
  await refreshStale(state, due);
  const heads = await headsOf(state, due);
  const now = clock(state.settings);
  for (const binding of due) {
    binding.beating = false;
    state.heartbeats.delete(binding);
    if (binding.ended) continue;
    const head = heads?.get(binding.access.watched.key);
    const sent = head !== undefined && beat(state, binding, head, now);
    schedule(state, binding, sent ? 0 : now + RETRY);
  }
}

/** Access is read again before a heartbeat as before an event. */
async function refreshStale(state: BinderState, due: readonly Binding[]): Promise<void> {
  const now = clock(state.settings);
  const stale = new Set(due.map(({ access }) => access).filter((access) => !isFresh(state, access, now)));
  await Promise.all([...stale].map((access) => refresh(state, access)));
}

/** True when it was sent, or is not due any more because something else was. */
function beat(state: BinderState, binding: Binding, head: number, now: number): boolean {
  const { access, session, dialect } = binding;
  if (now < heartbeatAt(binding) || dialect === "legacy") return true;
  if (access.failing.has("access") || session.suspect || now >= binding.expiresAt || !session.hasRoom()) return false;
  if (!session.send(renderHeartbeat(state, access, dialect, Math.max(head, binding.cursor)))) return false;
  binding.sentAt = now;
  return true;
}
