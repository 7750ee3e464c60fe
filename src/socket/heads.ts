// The log's heads, many at once.

import { askHost } from "../host.ts";
import type { Binding } from "./binding.ts";
import type { BinderState } from "./state.ts";

/** Keys asked for at once. */
const BATCH = 500;

/** The highest number of each key. Never rejects: keys that the log could not tell of are left out. */
export async function readHeads(state: BinderState, keys: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const batches: Promise<void>[] = [];
  const heads = new Map<string, number>();
  for (let n = 0; n < keys.length; n += BATCH) batches.push(readBatch(state, keys.slice(n, n + BATCH), heads));
  await Promise.all(batches);
  return heads;
}

/** The same for bindings; each key is asked for once. */
export function headsOf(state: BinderState, bindings: readonly Binding[]): Promise<ReadonlyMap<string, number>> {
  return readHeads(state, [...new Set(bindings.map(({ access }) => access.watched.key))]);
}

async function readBatch(state: BinderState, keys: readonly string[], into: Map<string, number>): Promise<void> {
  try {
    const heads = await askHost(state.settings, "log", () => state.settings.events.heads(keys));
    for (const [n, key] of keys.entries()) into.set(key, heads[n] ?? 0);
  } catch {
    // The host has been told the cause.
  }
}
