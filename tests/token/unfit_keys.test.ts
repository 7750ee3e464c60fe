import { describe, it } from "node:test";
import { createJwtSigner, type SigningKey } from "@fhir-ws/binding";
import { assertEquals, assertRejects } from "@std/assert";
import { caseOf, ED25519, importKey, importPair, P256, P384, P521, publicHalf, RSA, SECRET } from "./known_keys.ts";
import { base64url } from "./tokens.ts";

const F4 = new Uint8Array([1, 0, 1]);

function secret(bits: number): JsonWebKey {
  return { kty: "oct", k: base64url(crypto.getRandomValues(new Uint8Array(bits / 8))) };
}

async function generate(algorithm: AlgorithmIdentifier | object, ...usages: KeyUsage[]): Promise<CryptoKeyPair> {
  // Each of them makes two halves; the overloads tell by the name alone.
  return await crypto.subtle.generateKey(algorithm as AlgorithmIdentifier, true, usages) as CryptoKeyPair;
}

async function hmacKey(hash: string, length: number, ...usages: KeyUsage[]): Promise<CryptoKey> {
  return await crypto.subtle.generateKey({ name: "HMAC", hash, length }, true, usages);
}

async function oneHalf(
  half: "privateKey" | "publicKey",
  algorithm: AlgorithmIdentifier | object,
  ...usages: KeyUsage[]
): Promise<CryptoKey> {
  return (await generate(algorithm, ...usages))[half];
}

const WEBCRYPTO = "WebCrypto does not take it";

/** Each key with the reason for which it is refused. */
const UNFIT: Readonly<Record<string, readonly [why: string, make: () => unknown]>> = {
  "a raw secret of 248 bits": ["it has 248 bits and HS256 needs 256", () => new Uint8Array(31).fill(7)],
  "an empty raw secret": [WEBCRYPTO, () => new Uint8Array()],
  "an HS256 JWK of 128 bits": ["it has 128 bits and HS256 needs 256", () => secret(128)],
  "an HS384 JWK of 256 bits": ["it has 256 bits and HS384 needs 384", () => ({ ...secret(256), alg: "HS384" })],
  "an HS512 JWK of 504 bits": ["it has 504 bits and HS512 needs 512", () => ({ ...secret(504), alg: "HS512" })],
  "an HS256 CryptoKey of 248 bits": [
    "it has 248 bits and HS256 needs 256",
    () => hmacKey("SHA-256", 248, "sign", "verify"),
  ],
  "an HS384 CryptoKey of 376 bits": [
    "it has 376 bits and HS384 needs 384",
    () => hmacKey("SHA-384", 376, "sign", "verify"),
  ],
  "an HS512 CryptoKey of 256 bits": [
    "it has 256 bits and HS512 needs 512",
    () => hmacKey("SHA-512", 256, "sign", "verify"),
  ],
  "an RS256 pair of 1024 bits": [
    "it has 1024 bits and RS256 needs 2048",
    () =>
      generate(
        { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256", modulusLength: 1024, publicExponent: F4 },
        "sign",
        "verify",
      ),
  ],
  "a PS512 private key of 1024 bits": [
    "it has 1024 bits and PS512 needs 2048",
    () =>
      oneHalf(
        "privateKey",
        { name: "RSA-PSS", hash: "SHA-512", modulusLength: 1024, publicExponent: F4 },
        "sign",
        "verify",
      ),
  ],
  "a pair of a strong and a weak half": ["it has 1024 bits and RS256 needs 2048", async () => ({
    publicKey: await importKey(caseOf("RS256"), publicHalf(RSA), ["verify"]),
    privateKey: await oneHalf(
      "privateKey",
      { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256", modulusLength: 1024, publicExponent: F4 },
      "sign",
      "verify",
    ),
  })],
  "HMAC with SHA-1": [
    'its algorithm "HMAC SHA-1" is not supported',
    () => hmacKey("SHA-1", 512, "sign", "verify"),
  ],
  "RSA with SHA-1": [
    'its algorithm "RSASSA-PKCS1-v1_5 SHA-1" is not supported',
    () =>
      crypto.subtle.importKey("jwk", publicHalf(RSA), { name: "RSASSA-PKCS1-v1_5", hash: "SHA-1" }, true, ["verify"]),
  ],
  "an AES key": [
    'its algorithm "AES-GCM" is not supported',
    () => crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, true, ["encrypt", "decrypt"]),
  ],
  "an RSA encryption pair": [
    'its algorithm "RSA-OAEP SHA-256" is not supported',
    () =>
      generate(
        { name: "RSA-OAEP", hash: "SHA-256", modulusLength: 2048, publicExponent: F4 },
        "encrypt",
        "decrypt",
      ),
  ],
  "an ECDH pair": [
    'its algorithm "ECDH P-256" is not supported',
    () => generate({ name: "ECDH", namedCurve: "P-256" }, "deriveBits"),
  ],
  "an ECDH private key": [
    'its algorithm "ECDH P-384" is not supported',
    () => oneHalf("privateKey", { name: "ECDH", namedCurve: "P-384" }, "deriveBits"),
  ],
  "an X25519 pair": [
    'its algorithm "X25519" is not supported',
    () => generate({ name: "X25519" }, "deriveBits"),
  ],
  "an X25519 JWK": [
    "its alg, kty and crv name no supported algorithm",
    () => ({ kty: "OKP", crv: "X25519", x: ED25519.x, d: ED25519.d }),
  ],
  "a secp256k1 JWK": [
    "its alg, kty and crv name no supported algorithm",
    () => ({ ...P256, crv: "secp256k1", alg: "ES256K" }),
  ],
  "a JWK of an unknown alg": [
    "its alg, kty and crv name no supported algorithm",
    () => ({ ...secret(256), alg: "HS1" }),
  ],
  'a JWK whose alg is "none"': [
    "its alg, kty and crv name no supported algorithm",
    () => ({ ...secret(256), alg: "none" }),
  ],
  "a JWK whose alg is of another key type": [
    "its alg, kty and crv name no supported algorithm",
    () => ({ ...RSA, alg: "HS256" }),
  ],
  "a JWK whose alg is of another curve": [
    "its alg, kty and crv name no supported algorithm",
    () => ({ ...P256, alg: "ES384" }),
  ],
  "an RSA JWK without alg": ["its alg, kty and crv name no supported algorithm", () => RSA],
  "an encryption JWK by its alg": [
    "its alg, kty and crv name no supported algorithm",
    () => ({ ...RSA, alg: "RSA-OAEP-256" }),
  ],
  "an encryption JWK by its use": ['its use or key_ops do not allow "sign"', () => ({ ...P256, use: "enc" })],
  "an encryption secret by its use": [
    'its use or key_ops do not allow "verify"',
    () => ({ ...secret(256), use: "enc" }),
  ],
  "a private JWK for deriving": [
    'its use or key_ops do not allow "sign"',
    () => ({ ...P384, key_ops: ["deriveBits"] }),
  ],
  "a private JWK for verifying": ['its use or key_ops do not allow "sign"', () => ({ ...P521, key_ops: ["verify"] })],
  "a secret JWK for signing only": [
    'its use or key_ops do not allow "verify"',
    () => ({ ...secret(256), key_ops: ["sign"] }),
  ],
  "a public JWK for nothing": [
    'its use or key_ops do not allow "verify"',
    () => ({ ...publicHalf(P256), key_ops: [] }),
  ],
  "a JWK without its secret": [WEBCRYPTO, () => ({ kty: "oct" })],
  "a JWK of broken coordinates": [WEBCRYPTO, () => ({ ...P256, x: P256.y })],
  "a JWK of broken base64url": [WEBCRYPTO, () => ({ kty: "oct", k: "****" })],
  "a secret CryptoKey that only signs": ['its usages lack "verify"', () => hmacKey("SHA-256", 256, "sign")],
  "a private CryptoKey that cannot be exported": [
    "its public half cannot be exported; give the pair",
    () => importKey(caseOf("ES256"), P256, ["sign"], false),
  ],
  "a pair the wrong way round": ['its usages lack "verify"', async () => {
    const { privateKey, publicKey } = await importPair(caseOf("EdDSA"));
    return { privateKey: publicKey, publicKey: privateKey };
  }],
  "a pair of twice the public half": ['its usages lack "sign"', async () => {
    const { publicKey } = await importPair(caseOf("EdDSA"));
    return { privateKey: publicKey, publicKey };
  }],
  "a pair of two algorithms": ["its halves are of two algorithms", async () => ({
    privateKey: (await importPair(caseOf("PS256"))).privateKey,
    publicKey: (await importPair(caseOf("RS256"))).publicKey,
  })],
  "half a pair": [WEBCRYPTO, async () => ({ privateKey: (await importPair(caseOf("ES256"))).privateKey })],
  "no key": [WEBCRYPTO, () => undefined],
  "null": [WEBCRYPTO, () => null],
  "a password": [WEBCRYPTO, () => "correct horse battery staple"],
  "an ArrayBuffer": ["its alg, kty and crv name no supported algorithm", () => new ArrayBuffer(32)],
};

describe("createJwtSigner", () => {
  for (const [name, [why, make]] of Object.entries(UNFIT)) {
    it(`rejects ${name}, to sign with and to verify with, and says why and no more`, async () => {
      const key = await make() as SigningKey["key"]; // what hosts without types may hand over
      const good = { kid: "good", key: SECRET };
      for (const options of [{ sign: { kid: "bad", key } }, { sign: good, verify: [{ kid: "bad", key }] }]) {
        const error = await assertRejects(() => createJwtSigner(options), TypeError);
        assertEquals([error.message, error.cause], [`Cannot use key "bad": ${why}`, undefined]);
      }
    });
  }
});
