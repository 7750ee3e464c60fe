// A contract that nothing can break proves nothing: here each of them meets stores that break it.

import {
  type Contract,
  type ContractSetup,
  eventLogContract,
  notificationBusContract,
  subscriptionStoreContract,
  tokenStoreContract,
} from "@fhir-ws/binding/contracts";
import {
  createMemoryBus,
  createMemoryEventLog,
  createMemorySubscriptionStore,
  createMemoryTokenStore,
} from "@fhir-ws/binding/storage/memory";
import type {
  BusMessage,
  EventLog,
  FhirSubscription,
  NotificationBus,
  SubscriptionStore,
  TokenStore,
} from "@fhir-ws/binding";
import { assert, assertEquals } from "@std/assert";
import { describe, test } from "node:test";

type Make<Subject> = (setup: ContractSetup) => Subject;
/** What is wrong with a store, and how to make one. */
type Broken<Subject> = { readonly [what: string]: Make<Subject> };

/** Each broken store must break a contract, and each contract must be broken by one of them. */
function testContracts<Subject>(contracts: readonly Contract<Subject>[], stores: Broken<Subject>): void {
  const broken = new Set<string>();
  for (const [what, make] of Object.entries(stores)) {
    test(`some contract sees that it ${what}`, async () => {
      const results = await Promise.allSettled(contracts.map(({ run }) => run(make)));
      const names = contracts.filter((_, index) => results[index]?.status === "rejected").map(({ name }) => name);
      assert(names.length > 0);
      for (const name of names) broken.add(name);
    });
  }
  test("every contract was broken", () => {
    assertEquals(contracts.map(({ name }) => name).filter((name) => !broken.has(name)), []);
  });
}

/** A memory store with some of its members replaced. */
function subscriptions(
  change: (store: Required<SubscriptionStore>) => Partial<SubscriptionStore>,
): Make<SubscriptionStore> {
  return () => {
    const store = createMemorySubscriptionStore();
    return { ...store, ...change(store) };
  };
}

function tokens(change: (store: TokenStore, setup: ContractSetup) => Partial<TokenStore>): Make<TokenStore> {
  return (setup) => {
    const store = createMemoryTokenStore(setup);
    return { ...store, ...change(store, setup) };
  };
}

function events(change: (log: EventLog, setup: ContractSetup) => Partial<EventLog>): Make<EventLog> {
  return (setup) => {
    const log = createMemoryEventLog(setup);
    return { ...log, ...change(log, setup) };
  };
}

function bus(change: (bus: NotificationBus) => Partial<NotificationBus>): Make<NotificationBus> {
  return () => {
    const memory = createMemoryBus();
    return { ...memory, ...change(memory) };
  };
}

/** Lets everybody else in before it goes on. */
async function yieldOnce(): Promise<void> {
  await new Promise<void>((resolve) => setTimeout(resolve, 0));
}

describe("subscriptionStoreContract", () =>
  testContracts(subscriptionStoreContract, {
    "loses a member": subscriptions((store) => ({
      put: ({ resourceType, id }, owner) => store.put({ resourceType, id }, owner),
    })),
    "shows claims' owners only": subscriptions((store) => ({
      read: (id, caller) => caller.claims ? store.read(id, caller) : undefined,
    })),
    "forgets tenants": subscriptions((store) => ({
      read: (id, { id: caller }) => store.read(id, { id: caller }),
      put: (subscription, { id }) => store.put(subscription, { id }),
    })),
    "forgets owners": subscriptions(({ read, put, list, activate, delete: remove }) => ({
      read: (id, { tenant = "" }) => read(id, { id: tenant }),
      put: (subscription, { tenant = "" }) => put(subscription, { id: tenant }),
      list: ({ tenant = "" }, limit) => list({ id: tenant }, limit),
      activate: (id, { tenant = "" }) => activate(id, { id: tenant }),
      delete: (id, { tenant = "" }) => remove(id, { id: tenant }),
    })),
    "never replaces": subscriptions((store) => ({
      async put(subscription, owner) {
        if (await store.read(subscription.id ?? "", owner)) return;
        await store.put(subscription, owner);
      },
    })),
    "checks the owner too early": () => {
      const kept = new Map<string, { owner: string; text: string }>();
      return {
        read(id, { id: caller }) {
          const found = kept.get(id);
          return found?.owner === caller ? JSON.parse(found.text) : undefined;
        },
        async put(subscription, { id: owner }) {
          const before = kept.get(subscription.id ?? "")?.owner ?? owner;
          await yieldOnce();
          if (before !== owner) throw Object.assign(new Error("forbidden"), { code: "forbidden" });
          kept.set(subscription.id ?? "", { owner, text: JSON.stringify(subscription) });
        },
        delete: (id) => kept.delete(id),
      };
    },
    "lists the newest first": subscriptions((store) => ({
      list: async (caller, limit) => [...await store.list(caller, 1000)].reverse().slice(0, limit),
    })),
    "lists a hundred at most": subscriptions((store) => ({
      list: (caller, limit) => store.list(caller, Math.min(limit, 100)),
    })),
    "activates what is off": subscriptions((store) => ({
      async activate(id, caller) {
        const found = await store.read(id, caller);
        if (found) await store.put({ ...found, status: "active" } as FhirSubscription, caller);
      },
    })),
    "says that it deleted nothing": subscriptions((store) => ({
      async delete(id, owner) {
        await store.delete(id, owner);
        return false;
      },
    })),
    "shares its objects": () => {
      const kept = new Map<string, FhirSubscription>();
      return {
        read: (id) => kept.get(id),
        put: (subscription) => void kept.set(subscription.id ?? "", subscription),
        delete: (id) => kept.delete(id),
      };
    },
  }));

describe("tokenStoreContract", () =>
  testContracts(tokenStoreContract, {
    "loses generations": tokens((store) => ({
      put: (digest, { generations: _, ...grant }) => store.put(digest, grant),
    })),
    "forgets a grant when it is redeemed": tokens((store) => {
      const gone = new Set<string>();
      return {
        async get(digest) {
          const grant = await store.get(digest);
          return grant && !gone.has(grant.id) ? grant : undefined;
        },
        redeem(id, attempt, expiresAt) {
          gone.add(id);
          return store.redeem(id, attempt, expiresAt);
        },
      };
    }),
    "forgets a grant when it expires": tokens((store, { now }) => ({
      async get(digest) {
        const grant = await store.get(digest);
        return grant && grant.expiresAt > now() / 1000 ? grant : undefined;
      },
    })),
    "never forgets a grant": (setup) => ({ ...createMemoryTokenStore(setup), ...createMemoryTokenStore() }),
    "redeems always": tokens(() => ({ redeem: () => true })),
    "redeems once and not again": tokens(() => {
      const used = new Set<string>();
      return { redeem: (id) => !used.has(id) && Boolean(used.add(id)) };
    }),
    "looks first and redeems later": tokens(() => {
      const used = new Map<string, string>();
      return {
        async redeem(id, attempt) {
          const first = used.get(id) ?? attempt;
          await yieldOnce();
          if (first === attempt) used.set(id, attempt);
          return first === attempt;
        },
      };
    }),
    "forgets redemptions when they expire": tokens((store, { now }) => ({
      redeem: (id, attempt, expiresAt) => expiresAt > now() / 1000 ? store.redeem(id, attempt, expiresAt) : true,
    })),
    "ignores case": tokens((store) => ({
      revoke: (subject) => store.revoke(subject.toLowerCase()),
      generations: (subjects) => store.generations(subjects.map((subject) => subject.toLowerCase())),
    })),
    "gives generations in order of the alphabet": tokens((store) => ({
      generations: (subjects) => store.generations([...subjects].sort()),
    })),
    "reads, adds and writes": tokens(() => {
      const generations = new Map<string, number>();
      return {
        async revoke(subject) {
          const next = (generations.get(subject) ?? 0) + 1;
          await yieldOnce();
          generations.set(subject, next);
        },
        generations: (subjects) => subjects.map((subject) => generations.get(subject) ?? 0),
      };
    }),
    "forgets revocations after a month": tokens((store, { now }) => {
      const start = now();
      return {
        generations: (subjects) =>
          now() - start > 30 * 86_400_000 ? subjects.map(() => 0) : store.generations(subjects),
      };
    }),
  }));

describe("eventLogContract", () =>
  testContracts(eventLogContract, {
    "numbers all keys together": events((log) => {
      let head = 0;
      return { append: async (keys, event) => (await log.append(keys, event)).map(() => ++head) };
    }),
    "loses the resource": events((log) => ({
      append: (keys, { resource: _, ...event }) => log.append(keys, event),
    })),
    "shares its objects": events((log) => {
      const resources = new Map<string, unknown>();
      return {
        append(keys, event) {
          for (const key of keys) resources.set(key, event.resource);
          return log.append(keys, event);
        },
        async read(key, after, limit) {
          const page = await log.read(key, after, limit);
          const resource = resources.get(key) as { resourceType: string } | undefined;
          return resource ? { ...page, events: page.events.map((event) => ({ ...event, resource })) } : page;
        },
      };
    }),
    "appends twice to a key given twice": events((log) => ({
      append: async (keys, event) => {
        const numbers = [];
        for (const key of keys) numbers.push(...await log.append([key], event));
        return numbers;
      },
    })),
    "makes a key when it is read": events((log) => ({
      async read(key, after, limit) {
        const page = await log.read(key, after, limit);
        return page.head === 0 ? { ...page, oldest: 0 } : page;
      },
    })),
    "gives an event too many": events((log) => ({ read: (key, after, limit) => log.read(key, after, limit + 1) })),
    "cuts keys at U+0000 and ignores case": events((log) => {
      const plain = (key: string): string => key.split("\u0000")[0]!.toLowerCase();
      return {
        append: (keys, event) => log.append(keys.map(plain), event),
        read: (key, after, limit) => log.read(plain(key), after, limit),
      };
    }),
    "gives each head once": events((log) => ({ heads: (keys) => log.heads([...new Set(keys)]) })),
    "takes a thousand keys": events((log) => ({ append: (keys, event) => log.append(keys.slice(0, 1000), event) })),
    "goes on after a drop": events(() => ({ drop: () => {} })),
    "looks first and appends later": events((log) => {
      const heads = new Map<string, number>();
      return {
        async append(keys, event) {
          const numbers = keys.map((key) => (heads.get(key) ?? 0) + 1);
          await yieldOnce();
          for (const [index, key] of keys.entries()) heads.set(key, numbers[index]!);
          await log.append(keys, event);
          return numbers;
        },
      };
    }),
    "never prunes": () => createMemoryEventLog(),
    "counts anew when all is pruned": events((log) => ({
      async read(key, after, limit) {
        const page = await log.read(key, after, limit);
        return page.events.length === 0 && page.oldest > page.head ? { events: [], oldest: 1, head: 0 } : page;
      },
    })),
  }));

describe("notificationBusContract", () =>
  testContracts(notificationBusContract, {
    "loses the event": bus((memory) => ({
      publish: (message) =>
        memory.publish(
          message.type === "event" ? { type: "event", keys: message.keys, numbers: message.numbers } : message,
        ),
    })),
    "knows no revocations": bus((memory) => ({
      publish: (message) => message.type === "revoked" ? undefined : memory.publish(message),
    })),
    "calls a function once that listens twice": () => {
      const listeners = new Set<(message: BusMessage) => void>();
      return {
        publish(message) {
          for (const hear of [...listeners]) if (listeners.has(hear)) hear(message);
        },
        listen(hear) {
          listeners.add(hear);
          return () => void listeners.delete(hear);
        },
      };
    },
    "mixes the order": bus((memory) => ({
      async publish(message) {
        if (message.type === "changed" && message.key.endsWith("0")) await yieldOnce();
        await memory.publish(message);
      },
    })),
    "delivers to a list as it was, and stops at the first error": () => {
      const listeners: ((message: BusMessage) => void)[] = [];
      return {
        publish(message) {
          for (const hear of [...listeners]) hear(message);
        },
        listen(hear) {
          listeners.push(hear);
          return () => void listeners.splice(listeners.indexOf(hear), 1);
        },
      };
    },
  }));
