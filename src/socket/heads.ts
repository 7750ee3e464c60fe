// The log's heads, many at once.

import { askHost } from "../host.ts";
import type { Binding } from "./binding.ts";
import type { BinderState } from "./state.ts";

/** Keys asked for at once. */
const BATCH = 500;

/**
 * The highest number of each key.
 *
 * @throws {BindingError} `unavailable`.
 */
export async function readHeads(state: BinderState, keys: readonly string[]): Promise<readonly number[]> {
  const batches: Promise<readonly number[]>[] = [];
  for (let n = 0; n < keys.length; n += BATCH) {
    const batch = keys.slice(n, n + BATCH);
    batches.push(askHost(state.settings, "log", () => state.settings.events.heads(batch)));
  }
  return (await Promise.all(batches)).flat();
}

/** The heads of some bindings by key, each asked for once; `undefined` when the log is down. */
export async function headsOf(
  state: BinderState,
  bindings: readonly Binding[],
): Promise<ReadonlyMap<string, number> | undefined> {
  const keys = [...new Set(bindings.map(({ access }) => access.watched.key))];
  try {
    const heads = await readHeads(state, keys);
    return new Map(keys.map((key, n) => [key, heads[n] ?? 0]));
  } catch {
    return undefined; // the host has been told the cause
  }
}
