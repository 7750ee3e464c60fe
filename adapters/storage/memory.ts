/**
 * Storage and bus in the memory of one process: for tests, demos and servers that may forget. It is also the reference:
 * the shortest code that keeps every promise of the interfaces.
 *
 * What is forgotten with the process includes revocations and used tokens: a JWT whose key is kept binds again.
 *
 * @module
 */
import { BindingError } from "../../src/errors.ts";
import type { BindingGrant, Caller, FhirSubscription, SubscriptionStore, TokenStore } from "../../src/types.ts";

export { createMemoryBus } from "./memory_bus.ts";
export { createMemoryEventLog, type MemoryEventLogOptions } from "./memory_log.ts";

/** Seconds for which grants and redemptions outlive their expiry, so that a late client hears "expired". */
const GRACE = 600;

/** Options of `createMemoryTokenStore`. */
export interface MemoryTokenStoreOptions {
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
}

/**
 * Subscriptions of one base, each visible to its owner only: the caller, by tenant and id, who put it there first.
 *
 * @example
 * ```ts
 * import { createMemorySubscriptionStore } from "@fhir-ws/binding/storage/memory";
 *
 * const store = createMemorySubscriptionStore();
 * await store.put({ resourceType: "Subscription", id: "s1" }, { id: "alice" });
 * const mine = await store.read("s1", { id: "alice" });
 * const theirs = await store.read("s1", { id: "bob" });
 * if (mine?.id !== "s1" || theirs !== undefined) throw new Error("unreachable");
 * ```
 */
export function createMemorySubscriptionStore(): Required<SubscriptionStore> {
  // JSON text, so that neither side can change what the other holds.
  const texts = new Map<string, Map<string, string>>();
  const owners = new Map<string, string>();

  return {
    read(id, caller) {
      const text = texts.get(scoped(caller, caller.id))?.get(id);
      return text === undefined ? undefined : JSON.parse(text);
    },
    list(caller, limit) {
      const own = texts.get(scoped(caller, caller.id))?.values() ?? [];
      return [...own].slice(0, limit).map((text): FhirSubscription => JSON.parse(text));
    },
    activate(id, caller) {
      const own = texts.get(scoped(caller, caller.id));
      const text = own?.get(id);
      if (!own || text === undefined) return;
      const subscription: FhirSubscription & { status?: unknown } = JSON.parse(text);
      if (subscription.status === "requested") own.set(id, JSON.stringify({ ...subscription, status: "active" }));
    },
    put(subscription, owner) {
      const { id } = subscription;
      if (!id) throw new TypeError("Cannot store the Subscription: it has no id");
      const ownerKey = scoped(owner, owner.id);
      if ((owners.get(scoped(owner, id)) ?? ownerKey) !== ownerKey) throw new BindingError("forbidden");
      const text = JSON.stringify(subscription);
      const own = texts.get(ownerKey) ?? new Map<string, string>();
      own.set(id, text);
      texts.set(ownerKey, own);
      owners.set(scoped(owner, id), ownerKey);
    },
    delete(id, owner) {
      const ownerKey = scoped(owner, owner.id);
      const own = texts.get(ownerKey);
      if (!own?.delete(id)) return false;
      owners.delete(scoped(owner, id));
      if (own.size === 0) texts.delete(ownerKey);
      return true;
    },
  };
}

/**
 * Grants, redemptions and revocations of one process.
 *
 * @example
 * ```ts
 * import { createMemoryTokenStore } from "@fhir-ws/binding/storage/memory";
 *
 * const store = createMemoryTokenStore();
 * const inAnHour = Date.now() / 1000 + 3600;
 * const first = await store.redeem("token-1", "attempt-1", inAnHour);
 * const second = await store.redeem("token-1", "attempt-2", inAnHour);
 * if (!first || second) throw new Error("unreachable");
 * ```
 */
export function createMemoryTokenStore(options: MemoryTokenStoreOptions = {}): TokenStore {
  const { now = Date.now } = options;
  const grants = new Map<string, { readonly text: string; readonly expiresAt: number }>();
  const redemptions = new Map<string, { readonly attempt: string; readonly expiresAt: number }>();
  const generations = new Map<string, number>();
  const sweepGrants = createSweeper(grants, now);
  const sweepRedemptions = createSweeper(redemptions, now);

  return {
    put(digest, grant) {
      sweepGrants();
      grants.set(digest, { text: JSON.stringify(grant), expiresAt: grant.expiresAt });
    },
    get(digest): BindingGrant | undefined {
      const grant = grants.get(digest);
      return grant && JSON.parse(grant.text);
    },
    redeem(id, attempt, expiresAt) {
      const first = redemptions.get(id);
      if (first) return first.attempt === attempt;
      sweepRedemptions();
      redemptions.set(id, { attempt, expiresAt });
      return true;
    },
    revoke(subject) {
      generations.set(subject, (generations.get(subject) ?? 0) + 1);
    },
    generations(subjects) {
      return subjects.map((subject) => generations.get(subject) ?? 0);
    },
  };
}

/** A name within a caller's tenant; tenants never meet, and no tenant is one of its own. */
function scoped(caller: Caller, name: string): string {
  return JSON.stringify([caller.tenant ?? null, name]);
}

/** Looks at the next two entries at each call and forgets those past their grace: bounded work, and no timer. */
function createSweeper(entries: Map<string, { readonly expiresAt: number }>, now: () => number): () => void {
  let cursor = entries.entries();
  return () => {
    for (let looked = 0; looked < 2; looked++) {
      const next = cursor.next();
      if (next.done) {
        cursor = entries.entries();
        return;
      }
      const [name, { expiresAt }] = next.value;
      if (expiresAt + GRACE < now() / 1000) entries.delete(name);
    }
  };
}
