// Where a first bind begins to read the log.

import { callerSubject } from "../event/key.ts";
import { clock } from "../host.ts";
import type { Binding } from "./binding.ts";
import type { BinderState } from "./state.ts";

const REMEMBERED_FOR = 600_000;

/** The number after which to begin, and whether that leaves out events that were asked for. */
export function replayStart(state: BinderState, binding: Binding, head: number): { cursor: number; cut: boolean } {
  const wanted = Math.max(0, Math.min(head, wantedStart(state, binding, head)));
  const least = head - state.settings.limits.maxReplay;
  return wanted < least ? { cursor: least, cut: true } : { cursor: wanted, cut: false };
}

function wantedStart(state: BinderState, binding: Binding, head: number): number {
  const { replay } = state.settings;
  if (binding.since !== undefined) return binding.since - 1;
  if (replay === "none") return head;
  if (replay === "missed") return recall(state, binding) ?? head;
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

function recall(state: BinderState, binding: Binding): number | undefined {
  const known = state.remembered.get(nameOf(binding));
  return known !== undefined && known.until > clock(state.settings) ? known.number : undefined;
}

function nameOf({ access }: Binding): string {
  return callerSubject(access.caller) + access.watched.key;
}
