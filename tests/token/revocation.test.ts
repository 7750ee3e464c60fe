import { describe, it } from "node:test";
import {
  type BindingGrant,
  createJwtSigner,
  createNotifier,
  createOpaqueSigner,
  handleGetWsBindingToken,
  type RevocableSigner,
  type Revocation,
  type RevokingNotifier,
  type TokenStore,
} from "@fhir-ws/binding";
import { createMemoryBus, createMemoryEventLog } from "@fhir-ws/binding/storage/memory";
import { assertEquals, assertGreater } from "@std/assert";
import { producedBy } from "../tools/produced.ts";
import { makeDistantStore, makeStore } from "./stores.ts";
import { assertRefused, assertUnknown, BASE, makeGrant, NOW, SECONDS } from "./tokens.ts";

const KEY = crypto.getRandomValues(new Uint8Array(32));
const OTHER_BASE = "https://example.org/fhir/R4";

const MAKERS: Readonly<Record<string, (store: TokenStore) => Promise<RevocableSigner> | RevocableSigner>> = {
  JWT: (store) => createJwtSigner({ sign: { kid: "k1", key: KEY }, store }),
  "single-use JWT": (store) => createJwtSigner({ sign: { kid: "k1", key: KEY }, store, singleUse: true }),
  opaque: (store) => createOpaqueSigner({ store }),
};

function makeNotifier(tokenStore: TokenStore, base = BASE): RevokingNotifier {
  return createNotifier({ base, tokenStore, events: createMemoryEventLog(), bus: createMemoryBus() });
}

/** One token in each way to revoke it, under the names that stores keep: they may not change between releases. */
const WAYS: Readonly<Record<string, readonly [subject: string, what: Revocation]>> = {
  token: ["tok:t1", { token: "t1" }],
  caller: ['caller:["acme","alice"]', { caller: "alice", tenant: "acme" }],
  Subscription: [`sub:["${BASE}","acme","s1"]`, { subscription: "s1", tenant: "acme" }],
};

function aliceAt(more: Partial<BindingGrant> = {}): BindingGrant {
  return makeGrant({ id: "t1", caller: { id: "alice", tenant: "acme" }, subscriptions: ["s1"], ...more });
}

for (const [kind, make] of Object.entries(MAKERS)) {
  describe(`A revocation of ${kind} tokens`, () => {
    for (const [way, [subject, what]] of Object.entries(WAYS)) {
      it(`by ${way} ends every earlier token, whatever the clocks say, and no later one`, async () => {
        for (const revoke of ["store", "notifier"]) {
          const store = makeStore();
          const signer = await make(store);
          const token = await signer.sign(aliceAt());
          // Minted with a clock that is ahead: as far as times go it is newer than the revocation.
          const ahead = await signer.sign(aliceAt({ issuedAt: SECONDS + 4, expiresAt: SECONDS + 7200 }));
          await signer.verify(token, NOW);
          if (revoke === "store") await store.revoke(subject);
          else await makeNotifier(store).revoke(what);
          for (const clock of [NOW, NOW - 1000, NOW + 3_000_000]) {
            await assertRefused(() => signer.verify(token, clock));
            await assertRefused(() => signer.verify(ahead, clock));
          }
          // Minted with a clock that was set back: as far as times go it is older.
          const later = aliceAt({ id: "t2", issuedAt: SECONDS - 600, expiresAt: SECONDS + 60 });
          assertEquals((await signer.verify(await signer.sign(later), NOW)).id, "t2");
        }
      });
    }

    it("by token ends that token alone", async () => {
      const store = makeStore();
      const signer = await make(store);
      const [token, other] = [await signer.sign(aliceAt()), await signer.sign(aliceAt({ id: "t2" }))];
      await store.revoke("tok:t1");
      await assertUnknown(signer, token);
      await assertUnknown(signer, await signer.sign(aliceAt()), "the same jti once more");
      assertEquals((await signer.verify(other, NOW)).id, "t2");
    });

    it("by Subscription takes that one out of what verify returns, and the token dies with the last", async () => {
      const store = makeStore();
      const signer = await make(store);
      const notifier = makeNotifier(store);
      const subscriptions = ["s1", "s2", "s3"];
      // Revoked before, so that every one has another generation.
      for (const id of ["s2", "s3", "s3"]) await notifier.revoke({ subscription: id });
      const token = await signer.sign(makeGrant({ subscriptions }));
      const whole = await signer.verify(token, NOW);
      assertEquals([whole.subscriptions, whole.generations], [subscriptions, [0, 0, 1, 2]]);
      await notifier.revoke({ subscription: "s2" });
      const narrowed = await signer.verify(token, NOW);
      assertEquals([narrowed.subscriptions, narrowed.generations], [["s1", "s3"], [0, 0, 2]]);
      assertEquals(await signer.surviving([narrowed]), [["s1", "s3"]]);
      await notifier.revoke({ subscription: "s1" });
      const narrower = await signer.verify(token, NOW);
      assertEquals([narrower.subscriptions, narrower.generations], [["s3"], [0, 2]]);
      await notifier.revoke({ subscription: "s3" });
      await assertUnknown(signer, token);
    });

    it("leaves other callers, tenants, ids and bases alone", async () => {
      const store = makeStore();
      const signer = await make(store);
      const others = [
        aliceAt({ caller: { id: "bob", tenant: "acme" }, subscriptions: ["s2"] }),
        aliceAt({ caller: { id: "alice" } }),
        aliceAt({ caller: { id: "alice", tenant: "other" } }),
        aliceAt({ caller: { id: 'alice"]', tenant: "acme" }, subscriptions: ["s2"] }),
        aliceAt({ caller: { id: "ALICE", tenant: "acme" }, subscriptions: ["S1"] }),
      ].map((grant, n) => ({ ...grant, id: `other-${n}` }));
      const tokens = await Promise.all(others.map((grant) => signer.sign(grant)));
      for (const [subject] of Object.values(WAYS)) await store.revoke(subject);
      for (const [n, token] of tokens.entries()) assertEquals((await signer.verify(token, NOW)).id, `other-${n}`);
    });

    it("by Subscription holds on its base, by caller on every base", async () => {
      const store = makeStore();
      const signer = await make(store);
      const here = await signer.sign(aliceAt({ id: "here" }));
      const there = await signer.sign(aliceAt({ id: "there", audience: OTHER_BASE }));
      await makeNotifier(store).revoke({ subscription: "s1", tenant: "acme" });
      await assertUnknown(signer, here);
      assertEquals((await signer.verify(there, NOW)).id, "there");
      await makeNotifier(store).revoke({ caller: "alice", tenant: "acme" });
      await assertUnknown(signer, there);
    });

    it("ends a token whose generations were read before it, however late the token is signed", async () => {
      for (const [subject] of Object.values(WAYS)) {
        for (const store of [makeStore(), makeDistantStore()]) {
          const signer = await make(store);
          const grant = aliceAt();
          const generations = await signer.generations(grant);
          await store.revoke(subject);
          await assertUnknown(signer, await signer.sign({ ...grant, generations }), subject);
        }
      }
    });

    it("ends a token that is being issued, when it comes while the Subscriptions are read", async () => {
      const store = makeStore();
      const tokens = await make(store);
      const notifier = makeNotifier(store);
      async function issue(whileReading: () => Promise<void>): Promise<string> {
        const request = new Request(`${BASE}/Subscription/s1/$get-ws-binding-token`);
        const response = await handleGetWsBindingToken(request, {
          base: BASE,
          fhirVersion: "R5",
          tokens,
          now: () => NOW,
          authenticate: () => ({ id: "alice" }),
          sockets: { websocketUrl: "wss://example.org/ws" },
          subscriptions: {
            async read(id) {
              const found = {
                resourceType: "Subscription",
                id,
                status: "active",
                channelType: { code: "websocket" },
              } as const;
              await whileReading();
              return found;
            },
          },
        });
        assertEquals(response.status, 200);
        const { parameter }: { parameter: { name: string; valueString: string }[] } = await (await producedBy(response))
          .json();
        return parameter.find(({ name }) => name === "token")?.valueString ?? "";
      }
      await assertUnknown(tokens, await issue(() => notifier.revoke({ caller: "alice" })));
      await assertUnknown(tokens, await issue(() => notifier.revoke({ subscription: "s1" })));
      await assertUnknown(tokens, await issue(() => notifier.deleted("s1")));
      assertEquals((await tokens.verify(await issue(() => Promise.resolve()), NOW)).subscriptions, ["s1"]);
    });

    it("by deletion ends the tokens of an id, also for the Subscription that has it next", async () => {
      const store = makeStore();
      const signer = await make(store);
      const [old, both] = [await signer.sign(makeGrant({ subscriptions: ["s1"] })), await signer.sign(makeGrant())];
      await makeNotifier(store).deleted("s1");
      const next = await signer.sign(makeGrant({ subscriptions: ["s1"] }));
      await assertUnknown(signer, old);
      assertEquals((await signer.verify(both, NOW)).subscriptions, ["s2"]);
      assertEquals((await signer.verify(next, NOW)).subscriptions, ["s1"]);
    });

    it("tells live bindings what survives of a grant that verified before", async () => {
      const store = makeStore();
      const signer = await make(store);
      const notifier = makeNotifier(store);
      const grant = await signer.verify(await signer.sign(makeGrant({ id: "t1" })), NOW);
      assertEquals(await signer.surviving([grant]), [["s1", "s2"]]);
      await notifier.revoke({ subscription: "s1" });
      assertEquals(await signer.surviving([grant]), [["s2"]]);
      const narrowed = await signer.verify(await signer.sign({ ...grant, generations: grant.generations ?? [] }), NOW);
      assertEquals([narrowed.subscriptions, await signer.surviving([narrowed])], [["s2"], [["s2"]]]);
      await notifier.revoke({ token: "t1" });
      assertEquals(await signer.surviving([grant]), [[]]);
      assertEquals(await signer.surviving([narrowed]), [[]]);
    });

    it("moves revocations, and nothing else does", async () => {
      const store = makeStore();
      const signer = await make(store);
      const notifier = makeNotifier(store);
      let before = await signer.revocations();
      await signer.verify(await signer.sign(makeGrant()), NOW);
      await notifier.notify(["s1"], { interaction: "create", focus: "Patient/p1" });
      await notifier.changed("s1");
      assertEquals(await signer.revocations(), before);
      const doings = [
        () => notifier.revoke({ token: "t1" }),
        () => notifier.revoke({ subscription: "s1" }),
        () => notifier.revoke({ caller: "alice" }),
        () => notifier.deleted("s2"),
        () => makeNotifier(store, OTHER_BASE).revoke({ subscription: "s1" }),
      ];
      for (const revoke of doings) {
        await revoke();
        const after = await signer.revocations();
        assertGreater(after, before);
        before = after;
      }
    });
  });
}

describe("A JWT signer with a store", () => {
  it("refuses a token that says nothing of generations, or too little", async () => {
    const store = makeStore();
    const signer = await createJwtSigner({ sign: { kid: "k1", key: KEY }, store });
    const bare = await createJwtSigner({ sign: { kid: "k1", key: KEY } });
    await assertUnknown(signer, await bare.sign(makeGrant()));
    await assertUnknown(signer, await bare.sign(makeGrant({ generations: [] })));
    await assertUnknown(signer, await bare.sign(makeGrant({ generations: [0] })));
    await assertUnknown(signer, await bare.sign(makeGrant({ generations: [1, 0, 0] })));
    assertEquals((await signer.verify(await bare.sign(makeGrant({ generations: [0, 0] })), NOW)).subscriptions, ["s1"]);
  });

  it("refuses everything while the store does not answer, and says that it was the store", async () => {
    const down = new Error("connection refused");
    const store = { ...makeStore(), generations: () => Promise.reject(down) };
    const signer = await createJwtSigner({ sign: { kid: "k1", key: KEY }, store });
    const token = await signer.sign(makeGrant({ generations: [0, 0, 0] }));
    const outcome = await Promise.resolve(signer.verify(token, NOW)).catch((cause) => cause);
    assertEquals(outcome, down);
    await assertUnknown(signer, `${token}x`, "the signature comes before the store");
  });
});
