// What is read of the host's Subscriptions.

import { BindingError } from "../errors.ts";
import { isFhirId, member } from "../fhir/json.ts";
import { askHost } from "../host.ts";
import type { BindingTokenContext, Caller, EventLog, FhirEndpoint, FhirSubscription } from "../types.ts";

/**
 * What a host gives to be asked about its Subscriptions: the context of `handleGetWsBindingToken` with the event log,
 * or less. Whether websockets are enabled for a tenant is not asked: Subscriptions on other channels have a status too.
 */
export interface SubscriptionQueryContext
  extends Omit<FhirEndpoint, "tokens">, Pick<BindingTokenContext, "authenticate" | "challenge" | "maxBodySize"> {
  /** The log that notifiers write. */
  readonly events: Pick<EventLog, "read" | "heads">;
}

/** As much of it as every operation has. */
export type CallContext = Omit<SubscriptionQueryContext, "events">;

/**
 * A Subscription of any channel and status.
 *
 * @throws {BindingError} `forbidden`, `unavailable`.
 */
export async function readOne(id: string, caller: Caller, ctx: CallContext): Promise<FhirSubscription | undefined> {
  return await askHost(ctx, "read", () => ctx.subscriptions.read(id, caller)) ?? undefined;
}

/**
 * The caller's Subscriptions by id; a host may give more than were asked for.
 *
 * @throws {BindingError} `id-required` where the host lists none, `forbidden`, `unavailable`.
 */
export async function readList(
  caller: Caller,
  limit: number,
  ctx: CallContext,
): Promise<ReadonlyMap<string, FhirSubscription>> {
  if (ctx.subscriptions.list === undefined) throw new BindingError("id-required");
  const found = new Map<string, FhirSubscription>();
  for (const one of await askHost(ctx, "list", () => ctx.subscriptions.list?.(caller, limit) ?? [])) {
    const id = member(one, "id");
    if (isFhirId(id)) found.set(id, one);
  }
  return found;
}
