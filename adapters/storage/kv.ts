/**
 * Storage in Deno KV, for one machine or, where KV is a service, for many: `Deno.openKv()`, or npm's `@deno/kv`. The
 * connection is the host's, to open and to close; the keys of this adapter begin with `prefix`.
 *
 * KV removes what has expired when it likes, so expiry is written beside each value and compared when it is read. What
 * KV would refuse for its size is refused before anything is written, with a `RangeError`; a large event is split.
 *
 * @module
 */
import { Forbidden } from "../../src/forbidden.ts";
import type { BindingGrant, Caller, FhirSubscription, SubscriptionStore, TokenStore } from "../../src/types.ts";
import {
  decode,
  encodeSmall,
  getAll,
  keyOf,
  type KvAtomic,
  type KvDatabase,
  type KvKey,
  type KvOptions,
  untilCommitted,
  write,
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

  async function find(id: string, caller: Caller): Promise<{ versionstamp: string | null; found: Owned | undefined }> {
    const { value, versionstamp } = await kv.get(keyFor("subscription", caller, id));
    // `put` writes bytes.
    return { versionstamp, found: value === null ? undefined : decode<Owned>(value as Uint8Array) };
  }

  /** Adds to a write what gives a new Subscription the owner's next place. */
  async function takePlace(atomic: KvAtomic, id: string, owner: Caller): Promise<number> {
    const key = keyFor("places", owner, owner.id);
    const { value, versionstamp } = await kv.get(key);
    const place = Number(value ?? 0) + 1;
    atomic.check({ key, versionstamp }).set(key, place).set(keyFor("owned", owner, owner.id, place), id);
    return place;
  }

  return {
    async read(id, caller) {
      const { found } = await find(id, caller);
      return found?.owner === caller.id ? found.subscription : undefined;
    },
    async list(caller, limit) {
      if (limit <= 0) return [];
      const places = await Array.fromAsync(kv.list({ prefix: keyFor("owned", caller, caller.id) }, { limit }));
      const found = await getAll(kv, places.map(({ value }) => keyFor("subscription", caller, String(value))));
      return found.flatMap(({ value }) => value === null ? [] : decode<Owned>(value as Uint8Array)) // see find
        .filter(({ owner }) => owner === caller.id)
        .map(({ subscription }) => subscription);
    },
    async activate(id, caller) {
      await untilCommitted(async () => {
        const { versionstamp, found } = await find(id, caller);
        if (found?.owner !== caller.id || found.subscription.status !== "requested") return true;
        const active: Owned = { ...found, subscription: { ...found.subscription, status: "active" } };
        const key = keyFor("subscription", caller, id);
        const value = encodeSmall("Subscription", active);
        return (await kv.atomic().check({ key, versionstamp }).set(key, value).commit()).ok || undefined;
      });
    },
    async put(subscription, owner) {
      const { id } = subscription;
      if (!id) throw new TypeError("Cannot store the Subscription: it has no id");
      const key = keyFor("subscription", owner, id);
      await untilCommitted(async () => {
        const { versionstamp, found } = await find(id, owner);
        if (found && found.owner !== owner.id) throw new Forbidden();
        const atomic = kv.atomic().check({ key, versionstamp });
        const place = found?.place ?? await takePlace(atomic, id, owner);
        atomic.set(key, encodeSmall("Subscription", { owner: owner.id, place, subscription } satisfies Owned));
        return (await atomic.commit()).ok || undefined;
      });
    },
    async delete(id, owner) {
      return await untilCommitted(async () => {
        const { versionstamp, found } = await find(id, owner);
        if (found?.owner !== owner.id) return false;
        const key = keyFor("subscription", owner, id);
        const atomic = kv.atomic().check({ key, versionstamp }).delete(key);
        const { ok } = await atomic.delete(keyFor("owned", owner, owner.id, found.place)).commit();
        return ok || undefined;
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

  function isGone(expiresAt: number): boolean {
    return expiresAt + GRACE < now() / 1000;
  }
  function expiry(expiresAt: number): { expireIn: number } {
    // KV takes whole milliseconds, and no zero.
    return { expireIn: Math.max(1, Math.ceil((expiresAt + GRACE) * 1000 - now())) };
  }

  return {
    async put(digest, grant) {
      const key = keyOf(...prefix, "grant", digest);
      const value = encodeSmall("grant", grant);
      await write(kv, (atomic) => atomic.set(key, value, expiry(grant.expiresAt)));
    },
    async get(digest) {
      const { value } = await kv.get(keyOf(...prefix, "grant", digest));
      const grant = value === null ? undefined : decode<BindingGrant>(value as Uint8Array); // see put
      return grant && !isGone(grant.expiresAt) ? grant : undefined;
    },
    async redeem(id, attempt, expiresAt) {
      const key = keyOf(...prefix, "redemption", id);
      return await untilCommitted(async () => {
        const { value, versionstamp } = await kv.get(key);
        const first = value as Redemption | null; // see below
        if (first && !isGone(first.expiresAt)) return first.attempt === attempt;
        const mine: Redemption = { attempt, expiresAt };
        const { ok } = await kv.atomic().check({ key, versionstamp }).set(key, mine, expiry(expiresAt)).commit();
        return ok || undefined;
      });
    },
    async revoke(subject) {
      const key = keyOf(...prefix, "generation", subject);
      await write(kv, (atomic) => atomic.sum(key, 1n));
    },
    async generations(subjects) {
      const found = await getAll(kv, subjects.map((subject) => keyOf(...prefix, "generation", subject)));
      return found.map(({ value }) => Number((value as { readonly value: bigint } | null)?.value ?? 0)); // KV's own sum
    },
  };
}

/** Who redeemed a token. */
interface Redemption {
  readonly attempt: string;
  readonly expiresAt: number;
}
