// Everything of a bind up to the redeem.

import { BindingError, type BindingIssue } from "../errors.ts";
import { isIssue, judgeSubscription, refusalOf } from "../fhir/eligibility.ts";
import { askHost, clock } from "../host.ts";
import type { BindingGrant, Caller, FhirEndpoint, FhirSubscription } from "../types.ts";

/** A token that may bind now. */
export interface VerifiedBinding {
  /** What the token says, without what was revoked. */
  readonly grant: BindingGrant;
  /** The Subscriptions that may be bound: at least one. */
  readonly subscriptions: readonly FhirSubscription[];
  /** Why the others of the grant may not. */
  readonly refused: readonly BindingIssue[];
}

/**
 * Verifies a token and reads its Subscriptions again, in the order that makes a bind safe, for hosts with a socket
 * tier of their own. What is left to them: their limits, then `endpoint.tokens.redeem?.(grant, attempt)` as the very
 * last step, then the handshakes.
 *
 * @throws {BindingError} `token-unknown`, `token-expired`, `not-found` or `not-eligible` when no Subscription is left,
 * `unavailable`.
 *
 * @example
 * ```ts
 * import { createOpaqueSigner, verifyBinding } from "@fhir-ws/binding";
 * import { createMemoryTokenStore } from "@fhir-ws/binding/storage/memory";
 *
 * const endpoint = {
 *   base: "https://example.org/fhir/R5",
 *   fhirVersion: "R5" as const,
 *   tokens: createOpaqueSigner({ store: createMemoryTokenStore() }),
 *   subscriptions: { read: () => undefined },
 * };
 * const code = await verifyBinding("nonsense", endpoint).catch((error) => error.code);
 * if (code !== "token-unknown") throw new Error("unreachable");
 * ```
 */
export async function verifyBinding(token: string, endpoint: FhirEndpoint): Promise<VerifiedBinding> {
  const { tokens } = endpoint;
  const grant = await askHost(endpoint, "verify", () => tokens.verify(token, clock(endpoint)), tokens.local);
  if (grant.audience !== endpoint.base) throw new BindingError("token-unknown");
  const found = await Promise.all(grant.subscriptions.map((id) => readVisible(id, grant.caller, endpoint)));
  const subscriptions: FhirSubscription[] = [];
  const refused: BindingIssue[] = [];
  for (const [n, id] of grant.subscriptions.entries()) {
    const subscription = found[n];
    const judged = judgeSubscription(id, subscription, endpoint.fhirVersion, clock(endpoint));
    if (isIssue(judged)) refused.push(judged);
    else if (subscription) subscriptions.push(subscription);
  }
  if (subscriptions.length === 0) throw refusalOf(refused);
  return { grant, subscriptions, refused };
}

/**
 * Reads a Subscription; one that the host forbids looks like one that is not there.
 *
 * @throws {BindingError} `unavailable`.
 */
export async function readVisible(
  id: string,
  caller: Caller,
  endpoint: FhirEndpoint,
): Promise<FhirSubscription | undefined> {
  try {
    return await askHost(endpoint, "read", () => endpoint.subscriptions.read(id, caller)) ?? undefined;
  } catch (error) {
    if (error instanceof BindingError && error.code === "forbidden") return undefined;
    throw error;
  }
}
