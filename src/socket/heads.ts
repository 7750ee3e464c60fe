// The log's heads, many at once.

import { askHost } from "../host.ts";
import type { Binding } from "./binding.ts";
import type { BinderState } from "./state.ts";

/** Keys asked for at once. */
const BATCH = 500;

/** As many at a time as the log is asked for at once. */
export function* inBatches<T>(items: Iterable<T>): Generator<readonly T[]> {
  let batch: T[] = [];
  for (const item of items) {
    batch.push(item);
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** The highest number of each key, in their order; `undefined` when the log could not tell. Never rejects. */
export async function readBatch(state: BinderState, keys: readonly string[]): Promise<readonly number[] | undefined> {
  try {
    return await askHost(state.settings, "log", () => state.settings.events.heads(keys));
  } catch {
    return undefined; // the host has been told the cause
  }
}

/** The highest number of each key. Never rejects: keys that the log could not tell of are left out. */
export async function readHeads(state: BinderState, keys: Iterable<string>): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  await Promise.all(Array.from(inBatches(keys), async (batch) => {
    const heads = await readBatch(state, batch);
    if (heads !== undefined) { for (const [n, key] of batch.entries()) found.set(key, heads[n] ?? 0); }
  }));
  return found;
}

/** The same for bindings; each key is asked for once. */
export function headsOf(state: BinderState, bindings: readonly Binding[]): Promise<ReadonlyMap<string, number>> {
  return readHeads(state, new Set(bindings.map(({ access }) => access.watched.key)));
}
