import { describe, it } from "node:test";
import { BindingError, createJwtSigner, createOpaqueSigner, type TokenSigner, type TokenStore } from "@fhir-ws/binding";
import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { P256 } from "./known_keys.ts";
import { makeDistantStore, makeStore } from "./stores.ts";
import { assertRefused, base64url, makeGrant, NOW } from "./tokens.ts";

const KEY = crypto.getRandomValues(new Uint8Array(32));

/** A signer whose tokens bind once. */
type SingleUseSigner = TokenSigner & Required<Pick<TokenSigner, "redeem">>;

function isSingleUse(signer: TokenSigner): signer is SingleUseSigner {
  return signer.redeem !== undefined;
}

async function makeSigner(kind: string, store: TokenStore): Promise<SingleUseSigner> {
  const signer: TokenSigner = kind === "JWT"
    ? await createJwtSigner({ sign: { kid: "k1", key: KEY }, store, singleUse: true })
    : createOpaqueSigner({ store, singleUse: true });
  if (!isSingleUse(signer)) throw new Error("a single-use signer redeems");
  return signer;
}

/** A store whose `redeem` does what it should and then goes wrong, the first `times` times. */
function makeLossyStore(times: number, loss: () => Promise<never>): TokenStore {
  const store = makeStore();
  let left = times;
  return {
    ...store,
    async redeem(id, attempt, expiresAt) {
      const answer = await store.redeem(id, attempt, expiresAt);
      return left-- > 0 ? await loss() : answer;
    },
  };
}

for (const kind of ["JWT", "opaque"]) {
  describe(`redeem of a single-use ${kind} signer`, () => {
    it("gives the token to the first attempt, again to the same one, and to no other", async () => {
      const signer = await makeSigner(kind, makeStore());
      const token = await signer.sign(makeGrant());
      const grant = await signer.verify(token, NOW);
      await signer.redeem(grant, "first");
      await assertRefused(() => signer.redeem(grant, "second"));
      await signer.redeem(grant, "first");
      await assertRefused(() => signer.redeem(grant, "first "));
      await assertRefused(() => signer.redeem(grant, ""));
    });

    it("is what uses a token: verifying it, however often, does not", async () => {
      const signer = await makeSigner(kind, makeStore());
      const token = await signer.sign(makeGrant());
      for (let time = 0; time < 5; time++) await signer.verify(token, NOW);
      await assertRefused(() => signer.verify(`${token}x`, NOW));
      await signer.redeem(await signer.verify(token, NOW), "first");
      // A used token still verifies, so that unbinding with it works; what refuses it is the redeem.
      await assertRefused(async () => await signer.redeem(await signer.verify(token, NOW), "second"));
    });

    it("counts each token by itself", async () => {
      const signer = await makeSigner(kind, makeStore());
      for (const token of [await signer.sign(makeGrant()), await signer.sign(makeGrant())]) {
        await signer.redeem(await signer.verify(token, NOW), `for ${token.length}`);
      }
    });

    it("counts over all signers that share a store, and none that does not", async () => {
      const store = makeStore();
      const [here, there] = [await makeSigner(kind, store), await makeSigner(kind, store)];
      const token = await here.sign(makeGrant());
      const grant = await there.verify(token, NOW);
      await there.redeem(grant, "there");
      await assertRefused(() => here.redeem(grant, "here"));
      await (await makeSigner(kind, makeStore())).redeem(grant, "elsewhere");
    });

    for (const [place, make] of [["at hand", makeStore], ["far away", makeDistantStore]] as const) {
      it(`lets exactly one of 20 win, 1,000 times of 1,000, with a store ${place}`, async () => {
        const signer = await makeSigner(kind, make());
        for (let round = 0; round < 1000; round++) {
          const grant = makeGrant({ id: `token-${round}` });
          const racers = Array.from({ length: 20 }, async (_, n) => await signer.redeem(grant, `${round}-${n}`));
          const results = await Promise.allSettled(racers);
          const losses = results.flatMap((result) => result.status === "rejected" ? [result.reason] : []);
          assertEquals(losses.length, 19);
          for (const cause of losses) assert(cause instanceof BindingError && cause.code === "token-unknown");
        }
      });
    }

    it("succeeds when it is tried again after the store's answer was lost", async () => {
      const lost = new Error("connection reset");
      const signer = await makeSigner(kind, makeLossyStore(2, () => Promise.reject(lost)));
      const grant = await signer.verify(await signer.sign(makeGrant()), NOW);
      assertEquals(await assertRejects(async () => await signer.redeem(grant, "mine")), lost);
      assertEquals(await assertRejects(async () => await signer.redeem(grant, "mine")), lost);
      await signer.redeem(grant, "mine");
      await assertRefused(() => signer.redeem(grant, "another"));
    });

    it("succeeds when it is tried again after the store never answered, and stays lost for others meanwhile", async () => {
      const signer = await makeSigner(kind, makeLossyStore(1, () => new Promise(() => undefined)));
      const grant = await signer.verify(await signer.sign(makeGrant()), NOW);
      void signer.redeem(grant, "mine");
      await assertRefused(() => signer.redeem(grant, "another"));
      await signer.redeem(grant, "mine");
    });

    it("is not there when tokens may be used again", async () => {
      const store = makeStore();
      const signer: TokenSigner = kind === "JWT"
        ? await createJwtSigner({ sign: { kid: "k1", key: KEY }, store })
        : createOpaqueSigner({ store });
      assertEquals(signer.redeem, undefined);
    });
  });
}

/** The order of P-256: FIPS 186-5, with SP 800-186 §3.2.1.3. */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** The other signature that ECDSA takes for the same bytes: (r, n - s). */
function resign(token: string): string {
  const end = token.lastIndexOf(".") + 1;
  const latin1 = atob(token.slice(end).replaceAll("-", "+").replaceAll("_", "/"));
  const hex = Array.from(latin1, (one) => one.charCodeAt(0).toString(16).padStart(2, "0")).join("");
  const s = (ORDER - BigInt(`0x${hex.slice(64)}`)).toString(16).padStart(64, "0");
  const bytes = (hex.slice(0, 64) + s).match(/../g) ?? [];
  return token.slice(0, end) + base64url(Uint8Array.from(bytes, (byte) => parseInt(byte, 16)));
}

describe("redeem of a single-use ES256 signer", () => {
  it("counts a token once under both of its signatures, since it goes by the jti", async () => {
    const signer: TokenSigner = await createJwtSigner({
      sign: { kid: "k1", key: P256 },
      store: makeStore(),
      singleUse: true,
    });
    const token = await signer.sign(makeGrant());
    const other = resign(token);
    assertNotEquals(other, token);
    await signer.redeem?.(await signer.verify(other, NOW), "first");
    await assertRefused(async () => await signer.redeem?.(await signer.verify(token, NOW), "second"));
  });
});
