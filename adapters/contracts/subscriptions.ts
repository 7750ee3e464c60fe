import type { Caller, FhirSubscription, SubscriptionStore } from "../../src/types.ts";
import { type Contract, type ContractSetup, expectEqual } from "./contract.ts";

const SETUP: ContractSetup = { now: Date.now };
const ALICE: Caller = { id: "alice", tenant: "north", claims: { login: "1" } };
const BOB: Caller = { id: "bob", tenant: "north" };
/** The same name elsewhere is somebody else. */
const OTHER_ALICES: readonly Caller[] = [{ id: "alice", tenant: "south" }, { id: "alice" }];

/**
 * What a `SubscriptionStore` promises. Only the owner sees a Subscription: the caller of the same tenant and id that
 * put it.
 *
 * @example
 * ```ts
 * import { subscriptionStoreContract } from "@fhir-ws/binding/contracts";
 * import { createMemorySubscriptionStore } from "@fhir-ws/binding/storage/memory";
 *
 * for (const contract of subscriptionStoreContract) await contract.run(() => createMemorySubscriptionStore());
 * ```
 */
export const subscriptionStoreContract: readonly Contract<SubscriptionStore>[] = [
  {
    name: "reads a Subscription as its owner put it, whatever the claims",
    async run(make) {
      const store = await make(SETUP);
      const subscription = { ...sample("s1"), reason: "Überwachung \u{1F489} \"'%_\\", note: [{ deep: [1.5, null] }] };
      await store.put(subscription, ALICE);
      expectEqual(await store.read("s1", { id: "alice", tenant: "north" }), subscription, "read by the owner");
    },
  },
  {
    name: "gives undefined for what is not there or another's",
    async run(make) {
      const store = await make(SETUP);
      await store.put(sample("s1"), ALICE);
      for (const caller of [BOB, ...OTHER_ALICES]) {
        expectUndefined(await store.read("s1", caller), `read by ${JSON.stringify(caller)}`);
      }
      for (const id of ["s2", "S1", "s", "s%", "", "__proto__", "constructor"]) {
        expectUndefined(await store.read(id, ALICE), `read of ${JSON.stringify(id)}`);
      }
    },
  },
  {
    name: "replaces a Subscription of the same owner",
    async run(make) {
      const store = await make(SETUP);
      await store.put({ ...sample("s1"), reason: "old" } as FhirSubscription, ALICE);
      await store.put(sample("s1", "off"), { id: "alice", tenant: "north" });
      expectEqual(await store.read("s1", ALICE), sample("s1", "off"), "read after the second put");
    },
  },
  {
    name: "refuses as forbidden to put what another owns, and changes nothing",
    async run(make) {
      const store = await make(SETUP);
      await store.put(sample("s1"), ALICE);
      await expectForbidden(() => store.put(sample("s1", "off"), BOB));
      expectEqual(await store.read("s1", ALICE), sample("s1"), "read by the owner");
      expectUndefined(await store.read("s1", BOB), "read by the other");
    },
  },
  {
    name: "keeps the same id of several tenants apart",
    async run(make) {
      const store = await make(SETUP);
      const callers = [ALICE, ...OTHER_ALICES];
      for (const [index, caller] of callers.entries()) await store.put(sample("s1", `status-${index}`), caller);
      for (const [index, caller] of callers.entries()) {
        expectEqual(
          await store.read("s1", caller),
          sample("s1", `status-${index}`),
          `read by ${JSON.stringify(caller)}`,
        );
      }
      expectEqual(await store.delete("s1", ALICE), true, "delete");
      for (const caller of OTHER_ALICES) {
        expectEqual((await store.read("s1", caller))?.id, "s1", `read by ${JSON.stringify(caller)} after the delete`);
      }
    },
  },
  {
    name: "lets one of two callers have an id that both put at once",
    async run(make) {
      const store = await make(SETUP);
      const callers = [ALICE, BOB];
      const puts = callers.map(async (caller) => await store.put(sample("s1", caller.id), caller));
      const refused = (await Promise.allSettled(puts)).map(({ status }) => status === "rejected");
      expectEqual(refused.filter(Boolean).length, 1, "refused puts");
      for (const [index, caller] of callers.entries()) {
        const seen = await store.read("s1", caller);
        expectEqual(seen ?? null, refused[index] ? null : sample("s1", caller.id), `read by "${caller.id}"`);
      }
    },
  },
  {
    name: "lists the caller's own in the order of creation, up to the limit",
    async run(make) {
      const store = await make(SETUP);
      const list = expectMember(store, "list");
      for (const id of ["b", "a", "d", "c", "z"]) await store.put(sample(id), ALICE);
      await store.put(sample("e"), BOB);
      for (const caller of OTHER_ALICES) await store.put(sample("f"), caller);
      await store.put(sample("b", "off"), ALICE);
      await store.delete("d", ALICE);
      await store.put(sample("d"), ALICE);
      expectEqual(ids(await list(ALICE, 100)), ["b", "a", "c", "z", "d"], "list");
      expectEqual(ids(await list(ALICE, 2)), ["b", "a"], "list of two");
      expectEqual(ids(await list(ALICE, 0)), [], "list of none");
      expectEqual((await list(ALICE, 1))[0], sample("b", "off"), "the replaced one");
      expectEqual(ids(await list({ id: "nobody", tenant: "north" }, 100)), [], "list of a stranger");
    },
  },
  {
    name: "lists more than a hundred",
    async run(make) {
      const store = await make(SETUP);
      const list = expectMember(store, "list");
      const wanted = Array.from({ length: 120 }, (_, index) => `s${index}`);
      for (const id of wanted) await store.put(sample(id), ALICE);
      expectEqual(ids(await list(ALICE, 1000)), wanted, "list");
    },
  },
  {
    name: "activates what is requested and nothing else, for the owner only",
    async run(make) {
      const store = await make(SETUP);
      const activate = expectMember(store, "activate");
      const requested = { ...sample("s1", "requested"), reason: "kept" };
      await store.put(requested, ALICE);
      for (const caller of [BOB, ...OTHER_ALICES]) await activate("s1", caller);
      expectEqual(await store.read("s1", ALICE), requested, "after others tried");
      await activate("s1", ALICE);
      expectEqual(await store.read("s1", ALICE), { ...requested, status: "active" }, "after the owner did");
      for (const status of ["active", "error", "off", "entered-in-error"]) {
        await store.put(sample("s2", status), ALICE);
        await activate("s2", ALICE);
        expectEqual(await store.read("s2", ALICE), sample("s2", status), `after activating one that is "${status}"`);
      }
      const withoutStatus: FhirSubscription = { resourceType: "Subscription", id: "s3" };
      await store.put(withoutStatus, ALICE);
      await activate("s3", ALICE);
      expectEqual(await store.read("s3", ALICE), withoutStatus, "after activating one without a status");
      await activate("nowhere", ALICE);
      expectUndefined(await store.read("nowhere", ALICE), "after activating what is not there");
    },
  },
  {
    name: "deletes for the owner only, says whether it did, and frees the id",
    async run(make) {
      const store = await make(SETUP);
      await store.put(sample("s1"), ALICE);
      for (const caller of [BOB, ...OTHER_ALICES]) {
        expectEqual(await store.delete("s1", caller), false, `delete by ${JSON.stringify(caller)}`);
      }
      expectEqual(await store.read("s1", ALICE), sample("s1"), "read after others tried");
      expectEqual(await store.delete("s1", ALICE), true, "delete by the owner");
      expectUndefined(await store.read("s1", ALICE), "read after the delete");
      expectEqual(await store.delete("s1", ALICE), false, "second delete");
      await store.put(sample("s1", "off"), BOB);
      expectEqual(await store.read("s1", BOB), sample("s1", "off"), "read by the next owner");
    },
  },
  {
    name: "keeps a copy of its own",
    async run(make) {
      const store = await make(SETUP);
      const given = sample("s1");
      await store.put(given, ALICE);
      given.channel.type = "changed";
      const taken = await store.read("s1", ALICE);
      expectEqual(taken, sample("s1"), "read after the argument was changed");
      Object.assign(taken ?? {}, { status: "changed" });
      expectEqual(await store.read("s1", ALICE), sample("s1"), "read after a result was changed");
      const [listed] = await store.list?.(ALICE, 1) ?? [];
      Object.assign(listed ?? {}, { status: "changed" });
      expectEqual(await store.read("s1", ALICE), sample("s1"), "read after a listed one was changed");
    },
  },
];

interface Sample extends FhirSubscription {
  readonly id: string;
  readonly status: string;
  readonly channel: { type: string };
}

function sample(id: string, status = "active"): Sample {
  return { resourceType: "Subscription", id, status, channel: { type: "websocket" } };
}

function ids(subscriptions: readonly FhirSubscription[]): readonly (string | undefined)[] {
  return subscriptions.map(({ id }) => id);
}

function expectUndefined(value: unknown, what: string): void {
  if (value !== undefined) throw new Error(`${what}: expected undefined, got ${JSON.stringify(value)}`);
}

/** `list` and `activate` are optional in a lookup; a store has both. */
function expectMember<Name extends "list" | "activate">(
  store: SubscriptionStore,
  name: Name,
): NonNullable<SubscriptionStore[Name]> {
  const member = store[name];
  if (!member) throw new Error(`the store has no "${name}"`);
  // Bound, since a store may be a class.
  return member.bind(store) as NonNullable<SubscriptionStore[Name]>;
}

async function expectForbidden(put: () => unknown): Promise<void> {
  try {
    await put();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "forbidden") return;
    throw new Error('put of what another owns: expected BindingError "forbidden"', { cause: error });
  }
  throw new Error('put of what another owns: expected BindingError "forbidden", got no error');
}
