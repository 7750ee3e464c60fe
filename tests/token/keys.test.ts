import { describe, it } from "node:test";
import { createJwtSigner, type JwtSignerOptions, type SigningKey } from "@fhir-ws/binding";
import { assertEquals, assertFalse, assertInstanceOf, assertRejects } from "@std/assert";
import {
  ALGORITHMS,
  caseOf,
  ED25519,
  importKey,
  importPair,
  P256,
  P384,
  privateParts,
  publicHalf,
  SECRET,
} from "./known_keys.ts";
import { makeGrant, NOW } from "./tokens.ts";

describe("createJwtSigner", () => {
  /** Keys that verify well and cannot sign. */
  const PUBLIC: Readonly<Record<string, () => Promise<SigningKey["key"]> | SigningKey["key"]>> = {
    "public CryptoKey": async () => (await importPair(caseOf("ES256"))).publicKey,
    "public JWK": () => publicHalf(ED25519),
    "secret CryptoKey that only verifies": () => importKey(caseOf("HS256"), SECRET, ["verify"]),
    "secret JWK that only verifies": () => ({ ...SECRET, key_ops: ["verify"] }),
  };
  for (const [name, make] of Object.entries(PUBLIC)) {
    it(`rejects a ${name} as the key that signs and takes it to verify with`, async () => {
      const key = await make();
      const error = await assertRejects(() => createJwtSigner({ sign: { kid: "k1", key } }), TypeError);
      assertEquals(error.message, 'Cannot sign with key "k1": it can only verify');
      await createJwtSigner({ sign: { kid: "k2", key: SECRET }, verify: [{ kid: "k1", key }] });
    });
  }

  /** Options that no key makes good. */
  const OPTIONS: Readonly<Record<string, readonly [ErrorConstructor, message: string, options: unknown]>> = {
    "a key without kid": [TypeError, "Cannot use a key: it has no kid", { sign: { key: SECRET } }],
    "an empty kid": [TypeError, "Cannot use a key: it has no kid", { sign: { kid: "", key: SECRET } }],
    "a kid that is a number": [TypeError, "Cannot use a key: it has no kid", { sign: { kid: 1, key: SECRET } }],
    "two keys of one kid": [
      TypeError,
      'Cannot use key "k1": another one has its kid',
      { sign: { kid: "k1", key: SECRET }, verify: [{ kid: "k1", key: P256 }] },
    ],
    "two verifying keys of one kid": [
      TypeError,
      'Cannot use key "k2": another one has its kid',
      { sign: { kid: "k1", key: SECRET }, verify: [{ kid: "k2", key: P256 }, { kid: "k2", key: P384 }] },
    ],
    "single use without a store": [
      TypeError,
      "Cannot make tokens single-use: there is no store",
      { sign: { kid: "k1", key: SECRET }, singleUse: true },
    ],
    "no lifetime": [
      RangeError,
      `Cannot use maxLifetime 0: it is not an integer from 1 to ${Number.MAX_SAFE_INTEGER}`,
      { sign: { kid: "k1", key: SECRET }, maxLifetime: 0 },
    ],
    "a skew that is no number": [
      RangeError,
      `Cannot use clockSkew NaN: it is not an integer from 1 to ${Number.MAX_SAFE_INTEGER}`,
      { sign: { kid: "k1", key: SECRET }, clockSkew: NaN },
    ],
    "a negative skew": [
      RangeError,
      `Cannot use clockSkew -5: it is not an integer from 1 to ${Number.MAX_SAFE_INTEGER}`,
      { sign: { kid: "k1", key: SECRET }, clockSkew: -5 },
    ],
  };
  for (const [name, [type, message, options]] of Object.entries(OPTIONS)) {
    it(`rejects ${name}`, async () => {
      const error = await assertRejects(() => createJwtSigner(options as JwtSignerOptions), Error);
      assertInstanceOf(error, type);
      assertEquals(error.message, message);
    });
  }

  it("publishes the public keys, in the order in which it was given them, and nothing else", async () => {
    const verify = ALGORITHMS.map(({ alg, jwk }) => ({ kid: alg, key: { ...jwk, alg } }));
    const { jwks } = await createJwtSigner({ sign: { kid: "now", key: P256 }, verify });
    const expected = [{ kid: "now", alg: "ES256", jwk: P256 }, ...ALGORITHMS.map((row) => ({ ...row, kid: row.alg }))]
      .filter(({ jwk }) => jwk.kty !== "oct")
      .map(({ kid, alg, jwk }) => ({ ...publicHalf(jwk), kid, alg, use: "sig" }));
    assertEquals<unknown>(jwks, { keys: expected });
    const text = JSON.stringify(jwks);
    for (const part of privateParts()) assertFalse(text.includes(part));
  });

  it("publishes nothing of secrets", async () => {
    const key = await importKey(caseOf("HS512"), SECRET, ["sign", "verify"]);
    const signer = await createJwtSigner({ sign: { kid: "k1", key }, verify: [{ kid: "k2", key: SECRET }] });
    assertEquals(signer.jwks, { keys: [] });
  });

  it("keeps on signing when the host's JWK changes under its hands", async () => {
    const key = { ...P256 };
    const signer = await createJwtSigner({ sign: { kid: "k1", key } });
    Object.assign(key, P384, { d: "" });
    const grant = makeGrant();
    assertEquals(await signer.verify(await signer.sign(grant), NOW), grant);
  });
});
