import type { BindingGrant, TokenStore } from "@fhir-ws/binding";
import { createMemoryTokenStore } from "@fhir-ws/binding/storage/memory";
import { NOW } from "./tokens.ts";

/** A store by the clock of these tests. */
export function makeStore(): TokenStore {
  return createMemoryTokenStore({ now: () => NOW });
}

/** A store that answers after a while, a different one each time, and keeps no order among its answers. */
export function makeDistantStore(store: TokenStore = makeStore()): TokenStore {
  let calls = 0;
  async function travel<T>(work: () => T): Promise<Awaited<T>> {
    const hops = (calls++ * 7) % 11;
    for (let hop = 0; hop < hops; hop++) await Promise.resolve();
    const answer = await work();
    for (let hop = 0; hop < 11 - hops; hop++) await Promise.resolve();
    return answer;
  }
  return {
    put: (digest, grant) => travel(() => store.put(digest, grant)),
    get: (digest) => travel(() => store.get(digest)),
    redeem: (id, attempt, expiresAt) => travel(() => store.redeem(id, attempt, expiresAt)),
    revoke: (subject) => travel(() => store.revoke(subject)),
    generations: (subjects) => travel(() => store.generations(subjects)),
  };
}

/** All that a store was told and has answered. */
export interface Call {
  readonly method: keyof TokenStore;
  readonly args: readonly unknown[];
}

export function makeSpiedStore(): { readonly store: TokenStore; readonly calls: Call[] } {
  const inner = makeStore();
  const calls: Call[] = [];
  function note<A extends readonly unknown[], T>(method: keyof TokenStore, work: (...args: A) => T): (...args: A) => T {
    return (...args) => {
      calls.push({ method, args });
      return work(...args);
    };
  }
  const store: TokenStore = {
    put: note("put", inner.put),
    get: note(
      "get",
      (digest: string): BindingGrant | undefined | Promise<BindingGrant | undefined> => inner.get(digest),
    ),
    redeem: note("redeem", inner.redeem),
    revoke: note("revoke", inner.revoke),
    generations: note("generations", inner.generations),
  };
  return { store, calls };
}
