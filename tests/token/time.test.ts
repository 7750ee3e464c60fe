import { describe, it } from "node:test";
import { createJwtSigner } from "@fhir-ws/binding";
import { assertEquals, assertRejects } from "@std/assert";
import { assertRefused, assertUnknown, claimsOf, forgeHmac, makeGrant, NOW, SECONDS, TYPE } from "./tokens.ts";

const SECRET = crypto.getRandomValues(new Uint8Array(32));
const SIGNER = await createJwtSigner({ sign: { kid: "k1", key: SECRET } });
const HEADER = { alg: "HS256", typ: TYPE, kid: "k1" };
const GRANT = makeGrant();

async function forge(changes: { [name: string]: unknown }, secret = SECRET, header: object = HEADER): Promise<string> {
  return await forgeHmac(header, { ...claimsOf(GRANT), ...changes }, secret);
}

describe("verify holds the time of a token against the clock:", () => {
  const END = (SECONDS + 3600) * 1000;

  it("it is good until its exp, and expired from then on", async () => {
    const token = await SIGNER.sign(GRANT);
    assertEquals(await SIGNER.verify(token, END - 1), GRANT);
    for (const now of [END, END + 1, END + 1e12]) await assertRefused(() => SIGNER.verify(token, now), "token-expired");
  });

  it("iat and nbf may lie in the future by the skew, and exp in the past by nothing", async () => {
    const ahead = SECONDS + 5;
    const token = await forge({ iat: ahead, nbf: ahead, exp: ahead + 3600 });
    assertEquals((await SIGNER.verify(token, NOW)).issuedAt, ahead);
    const exact = await createJwtSigner({ sign: { kid: "k1", key: SECRET }, clockSkew: 0 });
    await assertUnknown(exact, token);
    assertEquals(await exact.verify(await exact.sign(GRANT), NOW), GRANT);
    const lax = await createJwtSigner({ sign: { kid: "k1", key: SECRET }, clockSkew: 600 });
    assertEquals((await lax.verify(token, (ahead - 600) * 1000)).issuedAt, ahead);
    await assertRefused(() => lax.verify(token, (ahead + 3600) * 1000), "token-expired");
  });

  it("an expired token with a bad signature, header or claim is unknown", async () => {
    const past = { iat: SECONDS - 60, exp: SECONDS - 1 };
    await assertRefused(async () => await SIGNER.verify(await forge(past), NOW), "token-expired");
    await assertUnknown(SIGNER, await forge(past, crypto.getRandomValues(new Uint8Array(32))));
    await assertUnknown(SIGNER, await forge(past, SECRET, { ...HEADER, typ: "JWT" }));
    await assertUnknown(SIGNER, await forge({ ...past, iss: undefined }));
  });

  it("no clock, no token", async () => {
    const token = await SIGNER.sign(GRANT);
    for (const now of [NaN, -Infinity]) await assertRefused(() => SIGNER.verify(token, now));
    await assertRefused(() => SIGNER.verify(token, Infinity), "token-expired");
  });

  it("the signer's own clock is the system's", async () => {
    const issuedAt = Math.floor(Date.now() / 1000);
    const grant = makeGrant({ issuedAt, expiresAt: issuedAt + 60 });
    assertEquals(await SIGNER.verify(await SIGNER.sign(grant)), grant);
    const old = makeGrant({ issuedAt: issuedAt - 60, expiresAt: issuedAt });
    await assertRefused(async () => await SIGNER.verify(await SIGNER.sign(old)), "token-expired");
  });

  it("what would live longer than maxLifetime is not signed", async () => {
    const short = await createJwtSigner({ sign: { kid: "k1", key: SECRET }, maxLifetime: 60 });
    assertEquals(typeof await short.sign(makeGrant({ expiresAt: SECONDS + 60 })), "string");
    const error = await assertRejects(async () => await short.sign(makeGrant({ expiresAt: SECONDS + 61 })), RangeError);
    assertEquals(error.message, "Cannot sign a token: it would live longer than 60 seconds");
    await assertUnknown(short, await SIGNER.sign(makeGrant({ expiresAt: SECONDS + 61 })));
  });
});
