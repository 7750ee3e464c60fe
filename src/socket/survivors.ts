// What revocations have left of live tokens.

import { askHost } from "../host.ts";
import type { BindingGrant } from "../types.ts";
import type { Settings } from "./settings.ts";

/** Grants asked about at once. */
const BATCH = 100;

/** The Subscriptions of a grant that still stand. Rejects with a `BindingError` when the signer could not tell. */
export type Survivors = (grant: BindingGrant) => Promise<readonly string[]>;

/** Asks about all that is wanted in the same turn together: one revocation may concern every socket. */
export function createSurvivors(settings: Settings): Survivors {
  let batch: BindingGrant[] = [];
  let answer: Promise<readonly (readonly string[])[]>;

  function begin(): void {
    const grants: BindingGrant[] = batch = [];
    answer = Promise.resolve().then(() => {
      if (batch === grants) batch = [];
      return askHost(settings, "verify", () => settings.tokens.surviving?.(grants) ?? []);
    });
  }

  return async (grant) => {
    if (batch.length === 0 || batch.length === BATCH) begin();
    const n = batch.push(grant) - 1;
    return (await answer)[n] ?? [];
  };
}
