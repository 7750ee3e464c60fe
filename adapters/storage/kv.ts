/**
 * Storage in Deno KV, for one machine or, where KV is a service, for many: `Deno.openKv()`, or npm's `@deno/kv`. The
 * connection is the host's, to open and to close; the keys of this adapter begin with `prefix`.
 *
 * KV removes what has expired when it likes, so expiry is written beside each value and compared when it is read. What
 * KV would refuse for its size is refused before anything is written, with a `RangeError`; a large event is split.
 *
 * @module
 */
import { BindingError } from "../../src/errors.ts";
import type { BindingGrant, Caller, FhirSubscription, SubscriptionStore, TokenStore } from "../../src/types.ts";
import {
  change,
  type Decision,
  decode,
  encodeSmall,
  getAll,
  keyOf,
  type KvAtomic,
  type KvDatabase,
  type KvKey,
  type KvOptions,
  listAll,
  writeEach,
} from "./kv_database.ts";

export { createKvEventLog, type KvEventLogOptions } from "./kv_log.ts";
export type { KvAtomic, KvCheck, KvDatabase, KvEntry, KvKey, KvOptions } from "./kv_database.ts";

/** Options of `createKvSubscriptionStore`. */
export interface KvSubscriptionStoreOptions extends KvOptions {
  /** The base whose Subscriptions these are: several bases can share a database. */
  readonly base: string;
}

/** Seconds for which grants and redemptions outlive their expiry, so that a late client hears "expired". */
const GRACE = 600;

/** A Subscription as it is stored. */
interface Owned {
  readonly owner: string;
  /** Its place in the order of creation among its owner's. */
  readonly place: number;
  readonly subscription: FhirSubscription & { readonly status?: unknown };
}

/**
 * Subscriptions of one base, each visible to its owner only: the caller, by tenant and id, who put it there first.
 *
 * @throws {RangeError} later, when a Subscription has more than 64 KiB.
 *
 * @example
 * ```ts
 * import { createKvSubscriptionStore } from "@fhir-ws/binding/storage/kv";
 *
 * const kv = await Deno.openKv(":memory:");
 * const store = createKvSubscriptionStore(kv, { base: "https://example.org/fhir" });
 * await store.put({ resourceType: "Subscription", id: "s1" }, { id: "alice" });
 * const mine = await store.read("s1", { id: "alice" });
 * kv.close();
 * if (mine?.id !== "s1") throw new Error("unreachable");
 * ```
 */
export function createKvSubscriptionStore(
  kv: KvDatabase,
  options: KvSubscriptionStoreOptions,
): Required<SubscriptionStore> {
  const { prefix = ["fhir-ws"], base } = options;

  function keyFor(kind: "subscription" | "owned" | "places", { tenant }: Caller, ...rest: (string | number)[]): KvKey {
    // The tenant as JSON, so that no tenant is not the tenant "".
    return keyOf(...prefix, kind, base, JSON.stringify(tenant ?? null), ...rest);
  }

  /** Adds to a write what gives a new Subscription the owner's next place. */
  async function takePlace(atomic: KvAtomic, id: string, owner: Caller): Promise<number> {
    const key = keyFor("places", owner, owner.id);
    const { value, versionstamp } = await kv.get(key);
    const place = Number(value ?? 0) + 1;
    atomic.check({ key, versionstamp }).set(key, place).set(keyFor("owned", owner, owner.id, place), id);
    return place;
  }

  /** What `put` wrote, when it is this caller's. */
  function mine(value: unknown, caller: Caller): Owned | undefined {
    const found = value ? decode<Owned>(value) : undefined;
    return found?.owner === caller.id ? found : undefined;
  }

  /** Decides what becomes of a caller's Subscription, of which it is told the key and what is there. */
  function update(
    id: string,
    caller: Caller,
    decide: (atomic: KvAtomic, key: KvKey, found: Owned | undefined, value: unknown) => Decision | Promise<Decision>,
  ): Promise<boolean> {
    const key = keyFor("subscription", caller, id);
    return change(kv, key, (value, atomic) => decide(atomic, key, mine(value, caller), value));
  }

  return {
    async read(id, caller) {
      const { value } = await kv.get(keyFor("subscription", caller, id));
      return mine(value, caller)?.subscription;
    },
    async list(caller, limit) {
      if (limit <= 0) return [];
      const places = await listAll(kv, { prefix: keyFor("owned", caller, caller.id) }, { limit });
      const found = await getAll(kv, places.map(({ value }) => keyFor("subscription", caller, String(value))));
      return found.flatMap(({ value }) => mine(value, caller)?.subscription ?? []);
    },
    async activate(id, caller) {
      await update(id, caller, (atomic, key, found) => {
        if (found?.subscription.status !== "requested") return false;
        const active: Owned = { ...found, subscription: { ...found.subscription, status: "active" } };
        return void atomic.set(key, encodeSmall(active));
      });
    },
    async put(subscription, owner) {
      const { id } = subscription;
      if (!id) throw new TypeError("Cannot store the Subscription: it has no id");
      await update(id, owner, async (atomic, key, found, value) => {
        if (value !== null && !found) throw new BindingError("forbidden");
        const place = found?.place ?? await takePlace(atomic, id, owner);
        return void atomic.set(key, encodeSmall({ owner: owner.id, place, subscription } satisfies Owned));
      });
    },
    delete(id, owner) {
      return update(id, owner, (atomic, key, found) => {
        if (!found) return false;
        return void atomic.delete(key).delete(keyFor("owned", owner, owner.id, found.place));
      });
    },
  };
}

/**
 * Grants, redemptions and revocations of every base and process that share the database.
 *
 * @throws {RangeError} later, when a grant has more than 64 KiB.
 *
 * @example
 * ```ts
 * import { createKvTokenStore } from "@fhir-ws/binding/storage/kv";
 *
 * const kv = await Deno.openKv(":memory:");
 * const store = createKvTokenStore(kv);
 * const inAnHour = Math.floor(Date.now() / 1000) + 3600;
 * const first = await store.redeem("token-1", "attempt-1", inAnHour);
 * const second = await store.redeem("token-1", "attempt-2", inAnHour);
 * kv.close();
 * if (!first || second) throw new Error("unreachable");
 * ```
 */
export function createKvTokenStore(kv: KvDatabase, options: KvOptions = {}): TokenStore {
  const { prefix = ["fhir-ws"], now = Date.now } = options;

  /** Milliseconds for which it is still kept. */
  function timeLeft(expiresAt: number): number {
    return (expiresAt + GRACE) * 1000 - now();
  }
  function expiry(expiresAt: number): { expireIn: number } {
    return { expireIn: Math.max(1, Math.ceil(timeLeft(expiresAt))) }; // KV takes whole milliseconds, and no zero
  }
  function keyFor(kind: "grant" | "redemption" | "generation", name: string): KvKey {
    return keyOf(...prefix, kind, name);
  }

  return {
    async put(digest, grant) {
      const value = encodeSmall(grant);
      await writeEach(
        kv,
        [keyFor("grant", digest)],
        1,
        (atomic, key) => atomic.set(key, value, expiry(grant.expiresAt)),
      );
    },
    async get(digest) {
      const { value } = await kv.get(keyFor("grant", digest));
      const grant = value ? decode<BindingGrant>(value) : undefined;
      return grant && timeLeft(grant.expiresAt) >= 0 ? grant : undefined;
    },
    async redeem(id, attempt, expiresAt) {
      const key = keyFor("redemption", id);
      return await change(kv, key, (value, atomic) => {
        const first = value as Redemption | null; // see below
        if (first && timeLeft(first.expiresAt) >= 0) return first.attempt === attempt;
        return void atomic.set(key, { attempt, expiresAt } satisfies Redemption, expiry(expiresAt));
      });
    },
    async revoke(subject) {
      await writeEach(kv, [keyFor("generation", subject)], 1, (atomic, key) => atomic.sum(key, 1n));
    },
    async generations(subjects) {
      const found = await getAll(kv, subjects.map((subject) => keyFor("generation", subject)));
      return found.map(({ value }) => Number((value as { readonly value: bigint } | null)?.value ?? 0)); // KV's own sum
    },
  };
}

/** Who redeemed a token. */
interface Redemption {
  readonly attempt: string;
  readonly expiresAt: number;
}
