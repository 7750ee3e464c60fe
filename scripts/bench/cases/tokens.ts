import { type BindingGrant, createJwtSigner, type SigningKey } from "@fhir-ws/binding";
import { jwtVerify, SignJWT } from "jose";
import type { BenchCase, BenchSetup, Comparison } from "../bench_case.ts";
import { hmacKey, makeGrant, makeSecret } from "../samples.ts";

/** An algorithm, and what is asked of ours beside the others. */
interface Row {
  readonly alg: string;
  /** What raw WebCrypto is called with. */
  readonly parameters: AlgorithmIdentifier | EcdsaParams;
  makeKeys(): Promise<Keys>;
  readonly signing: readonly Comparison[];
  readonly verifying: readonly Comparison[];
}

interface Keys {
  readonly ours: SigningKey["key"];
  readonly signing: CryptoKey;
  readonly verifying: CryptoKey;
}

/** Where signing itself takes long, what we add must not be felt. */
const NEAR_FLOOR: readonly Comparison[] = [{ against: "jose" }, { against: "floor", speedAtLeast: 0.9 }];

const ROWS: readonly Row[] = [
  {
    alg: "HS256",
    parameters: "HMAC",
    makeKeys: makeSecretKeys,
    signing: [{ against: "jose", speedAtLeast: 1.4 }, { against: "floor" }],
    verifying: [{ against: "jose", speedAtLeast: 1.2 }, { against: "floor" }],
  },
  {
    alg: "ES256",
    parameters: { name: "ECDSA", hash: "SHA-256" },
    makeKeys: () => makePair({ name: "ECDSA", namedCurve: "P-256" }),
    signing: NEAR_FLOOR,
    verifying: NEAR_FLOOR,
  },
  {
    alg: "EdDSA",
    parameters: "Ed25519",
    makeKeys: () => makePair({ name: "Ed25519" }),
    signing: NEAR_FLOOR,
    verifying: NEAR_FLOOR,
  },
];

export const cases: readonly BenchCase[] = ROWS.flatMap((row) => {
  const name = row.alg.toLowerCase();
  return [
    { name: `${name}-sign`, title: `one binding token signed with ${row.alg}`, setup: () => setupSign(row) },
    { name: `${name}-verify`, title: `one binding token verified with ${row.alg}`, setup: () => setupVerify(row) },
  ];
});

const TYPE = "fhir-ws-binding+jwt";

async function setupSign(row: Row): Promise<BenchSetup> {
  const { alg, parameters, signing: comparisons } = row;
  const { grant, signer, keys: { signing }, input } = await prepare(row);
  return {
    variants: {
      ours: () => signer.sign(grant),
      jose: () =>
        new SignJWT({ subscriptions: grant.subscriptions })
          .setProtectedHeader({ alg, typ: TYPE, kid: "k1" })
          .setIssuer(grant.audience)
          .setAudience(grant.audience)
          .setSubject(grant.caller.id)
          .setIssuedAt(grant.issuedAt)
          .setExpirationTime(grant.expiresAt)
          .setJti(grant.id)
          .sign(signing),
      floor: () => crypto.subtle.sign(parameters, signing, input),
    },
    comparisons,
  };
}

async function setupVerify(row: Row): Promise<BenchSetup> {
  const { alg, parameters, verifying: comparisons } = row;
  const { grant: { audience }, signer, keys: { signing, verifying }, input, token } = await prepare(row);
  const signature = await crypto.subtle.sign(parameters, signing, input);
  return {
    variants: {
      ours: () => signer.verify(token),
      jose: () => jwtVerify(token, verifying, { algorithms: [alg], typ: TYPE, issuer: audience, audience }),
      floor: () => crypto.subtle.verify(parameters, verifying, signature, input),
    },
    comparisons,
  };
}

async function prepare({ makeKeys }: Row) {
  const keys = await makeKeys();
  const signer = await createJwtSigner({ sign: { kid: "k1", key: keys.ours } });
  const grant: BindingGrant = makeGrant();
  const token = await signer.sign(grant);
  const input = new TextEncoder().encode(token.slice(0, token.lastIndexOf(".")));
  return { keys, signer, grant, token, input };
}

async function makeSecretKeys(): Promise<Keys> {
  const ours = makeSecret();
  const key = await hmacKey(ours);
  return { ours, signing: key, verifying: key };
}

async function makePair(algorithm: EcKeyGenParams | AlgorithmIdentifier): Promise<Keys> {
  const pair = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]) as CryptoKeyPair; // of two halves
  return { ours: pair, signing: pair.privateKey, verifying: pair.publicKey };
}
