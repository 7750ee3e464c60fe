import type { BindingGrant, TokenStore } from "../../src/types.ts";
import { type Contract, createClock, expectEqual } from "./contract.ts";

const HOUR = 3600;
/** More than the bounded sweep of one write can overlook. */
const MANY_WRITES = 64;

/**
 * What a `TokenStore` promises.
 *
 * @example
 * ```ts
 * import { tokenStoreContract } from "@fhir-ws/binding/contracts";
 * import { createMemoryTokenStore } from "@fhir-ws/binding/storage/memory";
 *
 * for (const contract of tokenStoreContract) await contract.run((setup) => createMemoryTokenStore(setup));
 * ```
 */
export const tokenStoreContract: readonly Contract<TokenStore>[] = [
  {
    name: "gives a grant back as it was put, under its digest only",
    async run(make) {
      const { now } = createClock();
      const store = await make({ now });
      const rich: BindingGrant = {
        ...sample("t1", now),
        caller: { id: "ålice \u{1F489} \"'%_\\", tenant: "north", claims: { roles: ["a", 1.5, null, { deep: true }] } },
        subscriptions: Array.from({ length: 100 }, (_, index) => `subscription-${index}`),
        generations: Array.from({ length: 101 }, (_, index) => index),
      };
      await store.put("digest-1", rich);
      await store.put("digest-2", sample("t2", now));
      expectEqual(await store.get("digest-1"), rich, "the first grant");
      expectEqual(await store.get("digest-2"), sample("t2", now), "the second grant");
      for (const digest of ["digest-3", "DIGEST-1", "digest-", "digest-%", "", "__proto__"]) {
        expectEqual(await store.get(digest) ?? null, null, `the grant of ${JSON.stringify(digest)}`);
      }
    },
  },
  {
    name: "still gives a grant after it was redeemed",
    async run(make) {
      const { now } = createClock();
      const store = await make({ now });
      const grant = sample("t1", now);
      await store.put("digest", grant);
      await store.redeem(grant.id, "attempt", grant.expiresAt);
      expectEqual(await store.get("digest"), grant, "the grant");
    },
  },
  {
    name: "keeps a grant for ten minutes past its expiry, so that a client can be told",
    needs: "clock",
    async run(make) {
      const { now, advance } = createClock();
      const store = await make({ now });
      const grant = sample("t1", now);
      await store.put("digest", grant);
      advance(HOUR + 590);
      for (let write = 0; write < MANY_WRITES; write++) await store.put(`other-${write}`, sample(`o${write}`, now));
      expectEqual(await store.get("digest"), grant, "the expired grant");
    },
  },
  {
    name: "forgets a grant long after its expiry, when others are put",
    needs: "clock",
    async run(make) {
      const { now, advance } = createClock();
      const store = await make({ now });
      await store.put("digest", sample("t1", now));
      advance(48 * HOUR);
      for (let write = 0; write < MANY_WRITES; write++) await store.put(`other-${write}`, sample(`o${write}`, now));
      expectEqual(await store.get("digest") ?? null, null, "the old grant");
      expectEqual((await store.get("other-0"))?.id, "o0", "a later grant");
    },
  },
  {
    name: "redeems for the first attempt, again for the same one, and for no other",
    async run(make) {
      const { now } = createClock();
      const store = await make({ now });
      const until = sample("", now).expiresAt;
      expectEqual(await store.redeem("t1", "first", until), true, "the first attempt");
      expectEqual(await store.redeem("t1", "second", until), false, "another attempt");
      expectEqual(await store.redeem("t1", "first", until), true, "the first attempt again");
      expectEqual(await store.redeem("t1", "second", until), false, "the other attempt again");
      expectEqual(await store.redeem("t2", "second", until), true, "another token");
    },
  },
  {
    name: "lets one of fifty concurrent attempts redeem a token",
    async run(make) {
      const { now } = createClock();
      const store = await make({ now });
      const until = sample("", now).expiresAt;
      const attempts = Array.from({ length: 50 }, (_, index) => `attempt-${index}`);
      const answers = await Promise.all(attempts.map(async (attempt) => await store.redeem("t1", attempt, until)));
      expectEqual(answers.filter(Boolean).length, 1, "attempts that redeemed");
      const winner = attempts[answers.indexOf(true)] ?? "";
      expectEqual(await store.redeem("t1", winner, until), true, "the same attempt again");
    },
  },
  {
    name: "remembers who redeemed for ten minutes past the expiry",
    needs: "clock",
    async run(make) {
      const { now, advance } = createClock();
      const store = await make({ now });
      const until = sample("", now).expiresAt;
      await store.redeem("t1", "first", until);
      advance(HOUR + 590);
      for (let write = 0; write < MANY_WRITES; write++) await store.redeem(`o${write}`, "x", until + 2 * HOUR);
      expectEqual(await store.redeem("t1", "second", until), false, "another attempt");
      expectEqual(await store.redeem("t1", "first", until), true, "the first attempt");
    },
  },
  {
    name: "counts revocations per subject, from 0",
    async run(make) {
      const { now } = createClock();
      const store = await make({ now });
      const subjects = [
        "tok:t1",
        "sub:t1",
        'sub:["https://example.org/fhir","a\u0000b","s\'1"]',
        "sub:ü\u{1F489}%_",
        "",
      ];
      expectEqual(await store.generations(subjects), [0, 0, 0, 0, 0], "before");
      for (const [index, subject] of subjects.entries()) {
        for (let times = 0; times < index; times++) await store.revoke(subject);
      }
      expectEqual(await store.generations(subjects), [0, 1, 2, 3, 4], "after");
      expectEqual(await store.generations(["tok:t", "tok:t11", "SUB:t1"]), [0, 0, 0], "subjects that look alike");
    },
  },
  {
    name: "gives generations in the order of the subjects, repeats and all",
    async run(make) {
      const { now } = createClock();
      const store = await make({ now });
      expectEqual(await store.generations([]), [], "of no subject");
      const subjects = Array.from({ length: 250 }, (_, index) => `sub:${index}`);
      await store.revoke("sub:249");
      await store.revoke("sub:0");
      await store.revoke("sub:0");
      expectEqual(
        await store.generations(subjects),
        subjects.map((_, i) => i === 0 ? 2 : i === 249 ? 1 : 0),
        "of many",
      );
      expectEqual(await store.generations(["sub:249", "new", "sub:0", "sub:249"]), [1, 0, 2, 1], "of some twice");
    },
  },
  {
    name: "loses no revocation of fifty concurrent ones",
    async run(make) {
      const { now } = createClock();
      const store = await make({ now });
      await Promise.all(Array.from({ length: 50 }, async () => await store.revoke("tok:t1")));
      expectEqual(await store.generations(["tok:t1"]), [50], "the generation");
    },
  },
  {
    name: "never forgets a revocation",
    needs: "clock",
    async run(make) {
      const { now, advance } = createClock();
      const store = await make({ now });
      await store.revoke("caller:alice");
      advance(365 * 24 * HOUR);
      for (let write = 0; write < MANY_WRITES; write++) await store.put(`other-${write}`, sample(`o${write}`, now));
      await store.revoke("caller:bob");
      await store.revoke("caller:alice");
      expectEqual(await store.generations(["caller:alice", "caller:bob"]), [2, 1], "the generations");
    },
  },
];

/** Issued now, for an hour. */
function sample(id: string, now: () => number): BindingGrant {
  const issuedAt = Math.floor(now() / 1000);
  return {
    id,
    audience: "https://example.org/fhir",
    caller: { id: "alice", tenant: "north" },
    subscriptions: ["s1", "s2"],
    issuedAt,
    expiresAt: issuedAt + HOUR,
  };
}
