import { test } from "node:test";
import {
  createJwtSigner,
  createNotifier,
  createOpaqueSigner,
  type JwtKeySet,
  type RevocableSigner,
  type TokenSigner,
} from "@fhir-ws/binding";
import { createMemoryBus, createMemoryEventLog } from "@fhir-ws/binding/storage/memory";
import { assertEquals, assertRejects } from "@std/assert";
import { makeStore } from "./stores.ts";
import { BASE, makeGrant } from "./tokens.ts";

const sign = { kid: "k1", key: crypto.getRandomValues(new Uint8Array(32)) };

// The lines that may not compile are what is tested here; running them shows that they are right not to.

test("createJwtSigner without a store has nothing to revoke or redeem with, by type and in fact", async () => {
  const signer: Pick<TokenSigner, "sign" | "verify"> & JwtKeySet = await createJwtSigner({ sign });
  // @ts-expect-error: it cannot be used up
  assertEquals(signer.redeem, undefined);
  // @ts-expect-error: it has no generations
  assertEquals(signer.generations, undefined);
  // @ts-expect-error: nothing dies but by its time
  assertEquals(signer.surviving, undefined);
  // @ts-expect-error: nor is there a count
  assertEquals(signer.revocations, undefined);
  const inferred = await createJwtSigner({ sign, issuer: BASE, maxLifetime: 60, clockSkew: 0 });
  // @ts-expect-error: the same for what the compiler infers
  assertEquals([inferred.redeem, "generations" in inferred], [undefined, false]);
  // @ts-expect-error: hence it is no RevocableSigner
  const revocable: RevocableSigner = inferred;
  assertEquals(revocable.generations, undefined);
});

test("createJwtSigner does not take singleUse without a store, by type and in fact", async () => {
  // @ts-expect-error: where should it be remembered?
  await assertRejects(() => createJwtSigner({ sign, singleUse: true }), TypeError);
});

test("createJwtSigner and createOpaqueSigner with a store can revoke, and redeem when tokens are single-use", async () => {
  const store = makeStore();
  const signers: readonly RevocableSigner[] = [
    await createJwtSigner({ sign, store }),
    await createJwtSigner({ sign, store, singleUse: true }),
    createOpaqueSigner({ store }),
    createOpaqueSigner({ store, singleUse: true }),
  ];
  for (const signer of signers) {
    assertEquals(await signer.generations(makeGrant()), [0, 0, 0]);
    assertEquals(await signer.revocations(), 0);
  }
  assertEquals(signers.map(({ redeem }) => redeem !== undefined), [false, true, false, true]);
  // @ts-expect-error: whether tokens are single-use is not to be seen from the type
  await signers[1]?.redeem(makeGrant(), "attempt");
});

test("createNotifier without the token store cannot revoke, by type and in fact", () => {
  const notifier = createNotifier({ base: BASE, events: createMemoryEventLog(), bus: createMemoryBus() });
  // @ts-expect-error: it knows no store
  assertEquals(notifier.revoke, undefined);
});

test("createOpaqueSigner does not go without a store, by type", () => {
  // @ts-expect-error: there is nowhere else to keep a grant
  assertEquals(typeof createOpaqueSigner({ singleUse: true }), "object");
});
