import { createJwtSigner, type TokenSigner } from "@fhir-ws/binding";
import { jwtVerify, SignJWT } from "jose";
import type { BenchCase, BenchSetup } from "../bench_case.ts";
import { makeGrant, makeSecret } from "../samples.ts";

export const cases: readonly BenchCase[] = [
  {
    name: "medplum-sign",
    title: "one binding token signed, with HS256 (ours) and ES256, beside Medplum's: RS256 by jose, same claims",
    setup: setupSign,
  },
  {
    name: "medplum-verify",
    title: "one binding token verified, with HS256 (ours) and ES256, beside Medplum's: RS256 by jose, same claims",
    setup: setupVerify,
  },
];

/** What Medplum puts into a token, besides the registered claims and the Subscription's id. */
const CLAIMS = {
  client_id: "f54370de-eaf3-4d81-a17e-24860f667912",
  login_id: "2c2c3a5e-52f1-4b9e-9a51-5c6a0c9f2f4b",
  username: "alice@example.org",
  scope: "openid",
  profile: "Practitioner/6f0c1b9e-3c33-4b41-8a35-f8a1bd8b7f0e",
} as const;

const grant = makeGrant(CLAIMS);
const ISSUER = "https://example.org/";

async function setupSign(): Promise<BenchSetup> {
  const { ours, es256, privateKey } = await prepare();
  return {
    variants: {
      ours: () => ours.sign(grant),
      es256: () => es256.sign(grant),
      medplum: () => signAsMedplum(privateKey),
    },
    comparisons: [{ against: "es256" }, { against: "medplum", speedAtLeast: 10 }],
  };
}

async function setupVerify(): Promise<BenchSetup> {
  const { ours, es256, privateKey, publicKey } = await prepare();
  const [token, es256Token, theirs] = [
    await ours.sign(grant),
    await es256.sign(grant),
    await signAsMedplum(privateKey),
  ];
  return {
    variants: {
      ours: () => ours.verify(token),
      es256: () => es256.verify(es256Token),
      medplum: () => jwtVerify(theirs, publicKey, { algorithms: ["RS256"], issuer: ISSUER }),
    },
    comparisons: [{ against: "es256" }, { against: "medplum", speedAtLeast: 1.2 }],
  };
}

function signAsMedplum(key: CryptoKey): Promise<string> {
  return new SignJWT({ ...CLAIMS, sub: grant.caller.id, subscription_id: grant.subscriptions[0] })
    .setProtectedHeader({ alg: "RS256", kid: "k1", typ: "JWT" })
    .setIssuedAt(grant.issuedAt)
    .setIssuer(ISSUER)
    .setAudience(CLAIMS.client_id)
    .setExpirationTime(grant.expiresAt)
    .sign(key);
}

async function prepare() {
  const rs256 = {
    name: "RSASSA-PKCS1-v1_5",
    hash: "SHA-256",
    modulusLength: 2048,
    publicExponent: Uint8Array.of(1, 0, 1),
  };
  const { privateKey, publicKey } = await crypto.subtle.generateKey(rs256, false, ["sign", "verify"]);
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
  const ours: TokenSigner = await createJwtSigner({ sign: { kid: "k1", key: makeSecret() } });
  const es256: TokenSigner = await createJwtSigner({ sign: { kid: "k1", key: pair } });
  return { ours, es256, privateKey, publicKey };
}
