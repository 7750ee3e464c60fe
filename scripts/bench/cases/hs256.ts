import { type BindingGrant, createJwtSigner } from "@fhir-ws/binding";
import { jwtVerify, SignJWT } from "jose";
import type { BenchCase, BenchSetup } from "../bench_case.ts";
import { ALICE, BASE, hmacKey, makeSecret, SUBSCRIPTION } from "../samples.ts";

export const cases: readonly BenchCase[] = [
  { name: "hs256-sign", title: "one binding token signed with HS256", setup: setupSign },
  { name: "hs256-verify", title: "one binding token verified with HS256", setup: setupVerify },
];

const TYPE = "fhir-ws-binding+jwt";

async function setupSign(): Promise<BenchSetup> {
  const { grant, token, signer, key } = await prepare();
  const input = bytesOf(token.slice(0, token.lastIndexOf(".")));
  return {
    variants: {
      ours: () => signer.sign(grant),
      jose: () =>
        new SignJWT({ subscriptions: grant.subscriptions })
          .setProtectedHeader({ alg: "HS256", typ: TYPE, kid: "k1" })
          .setIssuer(grant.audience)
          .setAudience(grant.audience)
          .setSubject(grant.caller.id)
          .setIssuedAt(grant.issuedAt)
          .setExpirationTime(grant.expiresAt)
          .setJti(grant.id)
          .sign(key),
      floor: () => crypto.subtle.sign("HMAC", key, input),
    },
    comparisons: [{ against: "jose", speedAtLeast: 1.4 }, { against: "floor" }],
  };
}

async function setupVerify(): Promise<BenchSetup> {
  const { grant, token, signer, key } = await prepare();
  const input = bytesOf(token.slice(0, token.lastIndexOf(".")));
  const signature = await crypto.subtle.sign("HMAC", key, input);
  return {
    variants: {
      ours: () => signer.verify(token),
      jose: () => jwtVerify(token, key, { algorithms: ["HS256"], typ: TYPE, issuer: grant.audience, audience: BASE }),
      floor: () => crypto.subtle.verify("HMAC", key, signature, input),
    },
    comparisons: [{ against: "jose", speedAtLeast: 1.2 }, { against: "floor" }],
  };
}

async function prepare() {
  const secret = makeSecret();
  const signer = await createJwtSigner({ sign: { kid: "k1", key: secret } });
  const now = Math.floor(Date.now() / 1000);
  const grant: BindingGrant = {
    id: crypto.randomUUID(),
    audience: BASE,
    caller: ALICE,
    subscriptions: [SUBSCRIPTION.id],
    issuedAt: now,
    expiresAt: now + 3600,
  };
  return { grant, signer, token: await signer.sign(grant), key: await hmacKey(secret) };
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
