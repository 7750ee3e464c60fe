// Where a first bind begins to read the log.

import { callerSubject } from "../event/key.ts";
import { clock } from "../host.ts";
import type { Binding } from "./binding.ts";
import type { BinderState } from "./state.ts";

const REMEMBERED_FOR = 600_000;

/** The number after which a binding was to begin, and the one after which it may. */
export function replayStart(state: BinderState, binding: Binding, head: number): Pick<Binding, "cursor" | "floor"> {
  const wanted = wantedStart(state, binding, head);
  return { cursor: Math.max(0, Math.min(head, wanted)), floor: head - state.settings.limits.maxReplay };
}

function wantedStart(state: BinderState, binding: Binding, head: number): number {
  const { replay } = state.settings;
  if (binding.since !== undefined) return binding.since - 1;
  if (replay === "none") return head;
  if (replay === "missed") return recall(state, binding, head) ?? head;
  return head - replay.last;
}

/** Keeps how far a caller has come, for ten minutes. */
export function remember(state: BinderState, binding: Binding): void {
  if (state.settings.replay !== "missed" || !binding.live) return;
  const now = clock(state.settings);
  const name = nameOf(binding);
  const number = Math.max(binding.cursor, recall(state, binding) ?? 0);
  state.remembered.delete(name);
  state.remembered.set(name, { number, until: now + REMEMBERED_FOR });
  for (const [old, { until }] of state.remembered) {
    if (until > now) break;
    state.remembered.delete(old);
  }
}

/** Nothing is missed of a Subscription that has gone; another one with its id counts anew. */
export function forget(state: BinderState, binding: Binding): void {
  state.remembered.delete(nameOf(binding));
}

function recall(state: BinderState, binding: Binding, head = Infinity): number | undefined {
  const known = state.remembered.get(nameOf(binding));
  if (known === undefined || known.until <= clock(state.settings)) return undefined;
  if (known.number <= head) return known.number;
  forget(state, binding);
  return undefined;
}

function nameOf({ access }: Binding): string {
  return callerSubject(access.caller) + access.watched.key;
}
