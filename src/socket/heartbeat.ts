// Heartbeats, where a Subscription asks for them: https://hl7.org/fhir/R5/subscriptionstatus.html

import { clock } from "../host.ts";
import { isFresh, isOutdated, refresh } from "./access.ts";
import { type Binding, breakDown, heartbeatAt, schedule } from "./binding.ts";
import type { Due } from "./deadlines.ts";
import { headsOf } from "./heads.ts";
import { renderHeartbeat } from "./rendering.ts";
import type { BinderState } from "./state.ts";

/** Milliseconds after which a heartbeat that could not be sent is tried again. */
const RETRY = 1000;

/** Sends what has come due in one tick, with one look at the log for all of it. Never rejects. */
export async function sendHeartbeats(state: BinderState): Promise<void> {
  if (state.heartbeats.length === 0) return;
  const bindings = state.heartbeats.splice(0);
  const watch = watchExpiry(state, bindings);
  const heads = await headsOf(state, bindings);
  state.deadlines.clear(watch);
  for (const binding of bindings) {
    const { access } = binding;
    const head = heads.get(access.watched.key);
    const now = clock(state.settings);
    // Access is read again before a heartbeat as before an event; who waits for that keeps nobody else waiting.
    if (isFresh(state, access, now)) sendHeartbeat(state, binding, head, now);
    else void sendRefreshed(state, binding, head); // it never rejects
  }
}

/**
 * One deadline for all, since mostly the log answers at once. Where it has not until the first of them ends, each has a
 * deadline of its own.
 */
function watchExpiry(state: BinderState, bindings: readonly Binding[]): Due {
  const watch: Due = {
    dueAt: Infinity,
    place: -1,
    due() {
      for (const binding of bindings) schedule(state, binding);
    },
  };
  state.deadlines.set(watch, bindings.reduce((first, { expiresAt }) => Math.min(first, expiresAt), Infinity));
  return watch;
}

async function sendRefreshed(state: BinderState, binding: Binding, head: number | undefined): Promise<void> {
  schedule(state, binding);
  await refresh(state, binding.access);
  sendHeartbeat(state, binding, head, clock(state.settings));
}

function sendHeartbeat(state: BinderState, binding: Binding, head: number | undefined, now: number): void {
  binding.beating = false;
  if (binding.ended) return;
  try {
    const sent = head !== undefined && beat(state, binding, head, now);
    schedule(state, binding, sent ? 0 : now + RETRY);
  } catch (cause) {
    breakDown(state, binding, cause);
  }
}

/** True when it was sent, or is not due any more because something else was. */
function beat(state: BinderState, binding: Binding, head: number, now: number): boolean {
  const { access, session, dialect } = binding;
  if (now < heartbeatAt(binding) || dialect === "legacy") return true;
  if (access.failing?.has("access") || isOutdated(access) || session.suspect) return false;
  if (now >= binding.expiresAt || !session.hasRoom()) return false;
  if (!session.send(renderHeartbeat(state, access, dialect, Math.max(head, binding.cursor)))) return false;
  binding.sentAt = now;
  return true;
}
