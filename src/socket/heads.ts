// The log's heads, many at once. Written so that it leaves little behind: most of what it is asked for has not moved.

import { askHost } from "../host.ts";
import type { Binding } from "./binding.ts";
import type { BinderState } from "./state.ts";

/** Keys asked for at once. */
export const BATCH = 500;

/** The highest number of each key, in their order; `undefined` when the log could not tell. Never rejects. */
export async function readBatch(state: BinderState, keys: readonly string[]): Promise<readonly number[] | undefined> {
  try {
    return await askHost(state.settings, "log", () => state.settings.events.heads(keys));
  } catch {
    return undefined; // the host has been told the cause
  }
}

/** The highest number of each key. Never rejects: keys that the log could not tell of are left out. */
export async function readHeads(state: BinderState, keys: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  const each = [...new Set(keys)];
  const batches: Promise<void>[] = [];
  for (let n = 0; n < each.length; n += BATCH) batches.push(readInto(state, found, each.slice(n, n + BATCH)));
  await Promise.all(batches);
  return found;
}

async function readInto(state: BinderState, found: Map<string, number>, keys: readonly string[]): Promise<void> {
  const heads = await readBatch(state, keys);
  if (heads !== undefined) keys.forEach((key, n) => found.set(key, heads[n] ?? 0));
}

/** The same for bindings; each key is asked for once. */
export function headsOf(state: BinderState, bindings: readonly Binding[]): Promise<ReadonlyMap<string, number>> {
  return readHeads(state, bindings.map(({ access }) => access.watched.key));
}
