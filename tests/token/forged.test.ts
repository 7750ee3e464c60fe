import { describe, it, test } from "node:test";
import { BindingError, createJwtSigner } from "@fhir-ws/binding";
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { CompactSign, importJWK, SignJWT, UnsecuredJWT } from "jose";
import { ED25519, P256, publicHalf, RSA } from "./known_keys.ts";
import { assertUnknown, BASE, base64url, claimsOf, forgeHmac, makeGrant, NOW, SECONDS, TYPE } from "./tokens.ts";

const SECRET = crypto.getRandomValues(new Uint8Array(32));
const SIGNER = await createJwtSigner({
  sign: { kid: "k1", key: SECRET },
  verify: [{ kid: "rsa", key: { ...RSA, alg: "RS256" } }, { kid: "ec", key: P256 }],
});
const HEADER = { alg: "HS256", typ: TYPE, kid: "k1" };
const GRANT = makeGrant();
const CLAIMS = claimsOf(GRANT);

function json(value: unknown): string {
  return JSON.stringify(value);
}

/** The claims with some changed, and those that are `undefined` left out. */
function claims(changes: { [name: string]: unknown }): string {
  return json({ ...CLAIMS, ...changes });
}

async function forge(header: unknown, payload: unknown, secret = SECRET): Promise<string> {
  return await forgeHmac(header, payload, secret);
}

test("verify takes the token that all forgeries here start from", async () => {
  const token = await forge(HEADER, CLAIMS);
  assertEquals(await SIGNER.verify(token, NOW), GRANT);
  assertEquals(token, await SIGNER.sign(GRANT));
});

/** Headers with the right key's signature on them. */
const HEADERS: Readonly<Record<string, unknown>> = {
  "alg none": { ...HEADER, alg: "none" },
  "alg None": { ...HEADER, alg: "None" },
  "alg HS512": { ...HEADER, alg: "HS512" },
  "alg in lower case": { ...HEADER, alg: "hs256" },
  "alg missing": { typ: TYPE, kid: "k1" },
  "alg of another kid": { ...HEADER, alg: "RS256" },
  "an unknown kid": { ...HEADER, kid: "k2" },
  "the kid of another key": { ...HEADER, kid: "ec" },
  "the kid missing": { alg: "HS256", typ: TYPE },
  "an empty kid": { ...HEADER, kid: "" },
  "a kid that is an array": { ...HEADER, kid: ["k1"] },
  "a kid that is a path": { ...HEADER, kid: "../../k1" },
  "typ missing": { alg: "HS256", kid: "k1" },
  "typ JWT": { ...HEADER, typ: "JWT" },
  "typ at+jwt": { ...HEADER, typ: "at+jwt" },
  "typ in upper case": { ...HEADER, typ: TYPE.toUpperCase() },
  "typ as a media type": { ...HEADER, typ: `application/${TYPE}` },
  "crit": { ...HEADER, crit: ["exp"], exp: SECONDS },
  "an empty crit": { ...HEADER, crit: [] },
  "b64 false": { ...HEADER, b64: false, crit: ["b64"] },
  "zip": { ...HEADER, zip: "DEF" },
  "a key of its own": { ...HEADER, jwk: publicHalf(ED25519) },
  "a key set of its own": { ...HEADER, jku: "https://attacker.example/jwks.json" },
  "alg twice": `{"alg":"none","alg":"HS256","typ":"${TYPE}","kid":"k1"}`,
  "kid twice": `{"alg":"HS256","typ":"${TYPE}","kid":"k2","kid":"k1"}`,
  "another order": { kid: "k1", typ: TYPE, alg: "HS256" },
  "white space": JSON.stringify(HEADER, null, 1),
  "no object": "[]",
  "no JSON": "{",
  "nothing": "",
};

describe("verify refuses a header with", () => {
  for (const [name, header] of Object.entries(HEADERS)) {
    it(`${name}, in the fixed words`, async () => await assertUnknown(SIGNER, await forge(header, CLAIMS)));
  }

  it("alg none and no signature", async () => {
    const payload = base64url(json(CLAIMS));
    for (const alg of ["none", "None", "NONE", "nOnE", ""]) {
      await assertUnknown(SIGNER, `${base64url(json({ ...HEADER, alg }))}.${payload}.`);
      await assertUnknown(SIGNER, `${base64url(json({ alg }))}.${payload}`);
    }
    await assertUnknown(SIGNER, new UnsecuredJWT(CLAIMS).encode());
    await assertUnknown(SIGNER, (await SIGNER.sign(GRANT)).replace(/[^.]+$/, ""));
  });
});

/** A public key in every shape whose bytes somebody might use as a secret. */
async function shapesOfPublicKey(): Promise<readonly Uint8Array<ArrayBuffer>[]> {
  const algorithm = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("jwk", publicHalf(RSA), algorithm, true, ["verify"]);
  const spki = new Uint8Array(await crypto.subtle.exportKey("spki", key));
  const lines = btoa(String.fromCharCode(...spki)).match(/.{1,64}/g) ?? [];
  const pem = `-----BEGIN PUBLIC KEY-----\n${lines.join("\n")}\n-----END PUBLIC KEY-----`;
  const jwk = SIGNER.jwks.keys.find(({ kty }) => kty === "RSA");
  const texts = [pem, `${pem}\n`, json(jwk), json(publicHalf(RSA)), RSA.n ?? ""];
  return [spki, ...texts.map((text) => new TextEncoder().encode(text) as Uint8Array<ArrayBuffer>)];
}

test("verify refuses HMAC with a public key's bytes, whatever the header says", async () => {
  for (const secret of await shapesOfPublicKey()) {
    for (const header of [{ ...HEADER, kid: "rsa" }, { ...HEADER, alg: "RS256", kid: "rsa" }, HEADER]) {
      await assertUnknown(SIGNER, await forge(header, CLAIMS, secret));
    }
  }
});

test("verify refuses one key's signature under another key's header", async () => {
  const rs256 = await importJWK(RSA, "RS256");
  const ps256 = await importJWK(RSA, "PS256");
  const es256 = await importJWK(P256, "ES256");
  const bytes = new TextEncoder().encode(json(CLAIMS));
  const sign = (header: { alg: string; kid: string }, key: typeof rs256) =>
    new CompactSign(bytes).setProtectedHeader({ alg: header.alg, typ: TYPE, kid: header.kid }).sign(key);
  assertEquals(await SIGNER.verify(await sign({ alg: "RS256", kid: "rsa" }, rs256), NOW), GRANT);
  await assertUnknown(SIGNER, await sign({ alg: "PS256", kid: "rsa" }, ps256));
  await assertUnknown(SIGNER, await sign({ alg: "RS256", kid: "ec" }, rs256));
  await assertUnknown(SIGNER, await sign({ alg: "ES256", kid: "rsa" }, es256));
  const [, payload, signature] = (await sign({ alg: "ES256", kid: "ec" }, es256)).split(".");
  const [header] = (await sign({ alg: "RS256", kid: "rsa" }, rs256)).split(".");
  await assertUnknown(SIGNER, `${header}.${payload}.${signature}`);
});

/** Payloads with the right key's signature on them. */
const PAYLOADS: Readonly<Record<string, unknown>> = {
  "no exp": claims({ exp: undefined }),
  "an exp that is a string": claims({ exp: String(CLAIMS.exp) }),
  "an exp that is null": claims({ exp: null }),
  "an exp that is no integer": claims({ exp: SECONDS + 0.5 }),
  "an exp beyond every number": claims({ exp: 0 }).replace('"exp":0', '"exp":1e999'),
  "an exp beyond the longest life": claims({ exp: SECONDS + 86401 }),
  "an exp beyond the longest life, from an early iat": claims({ iat: 0 }),
  "no iat": claims({ iat: undefined }),
  "an iat that is a string": claims({ iat: String(SECONDS) }),
  "an iat in the future beyond the skew": claims({ iat: SECONDS + 6 }),
  "an iat in the future behind an nbf in the past": claims({ iat: SECONDS + 6, nbf: SECONDS }),
  "an nbf in the future beyond the skew": claims({ nbf: SECONDS + 6 }),
  "an nbf that is a string": claims({ nbf: "0" }),
  "an nbf that is null": claims({ nbf: null }),
  "another iss": claims({ iss: "https://attacker.example" }),
  "no iss": claims({ iss: undefined }),
  "another aud": claims({ aud: `${BASE}/other` }),
  "several aud": claims({ aud: [BASE, "https://other.example"] }),
  "no aud": claims({ aud: undefined }),
  "neither iss nor aud": claims({ iss: undefined, aud: undefined }),
  "no sub": claims({ sub: undefined }),
  "a sub that is a number": claims({ sub: 1 }),
  "no jti": claims({ jti: undefined }),
  "a jti that is a number": claims({ jti: 1 }),
  "a tenant that is null": claims({ tenant: null }),
  "a tenant that is a number": claims({ tenant: 1 }),
  "claims that are text": claims({ claims: "admin" }),
  "claims that are null": claims({ claims: null }),
  "no subscriptions": claims({ subscriptions: undefined }),
  "an empty list of subscriptions": claims({ subscriptions: [] }),
  "one subscription as text": claims({ subscriptions: "s1" }),
  "a subscription that is no id": claims({ subscriptions: ["s1", "../Patient"] }),
  "a subscription that is too long": claims({ subscriptions: ["s".repeat(65)] }),
  "a subscription that is a number": claims({ subscriptions: [1] }),
  "generations that are text": claims({ generations: "0" }),
  "a generation that is no integer": claims({ generations: [0, 0.5, 0] }),
  "exp twice": claims({}).replace('"exp"', `"exp":${SECONDS + 60},"exp"`),
  "sub twice": claims({}).replace('"sub"', '"sub":"bob","sub"'),
  "aud twice": claims({}).replace('"aud"', '"aud":"https://other.example","aud"'),
  "a member of its claims twice": claims({ claims: { role: "user" } }).replace('"role"', '"role":"admin","role"'),
  "white space": JSON.stringify(CLAIMS, null, 1),
  "white space at its end": `${json(CLAIMS)}\n`,
  "a byte order mark": `\ufeff${json(CLAIMS)}`,
  "an escape too many": claims({}).replace("alice", "\\u0061lice"),
  "UTF-8 beyond ASCII": claims({ sub: "alicé" }),
  "a number in another spelling": claims({ claims: { n: 100 } }).replace(`"n":100`, `"n":1e2`),
  "an array": json([CLAIMS]),
  "null": "null",
  "a string": json(json(CLAIMS)),
  "no JSON": "{",
  "two JSON texts": json(CLAIMS) + json(CLAIMS),
  "nothing": "",
};

describe("verify refuses a payload with", () => {
  for (const [name, payload] of Object.entries(PAYLOADS)) {
    it(`${name}, in the fixed words`, async () => {
      assertNotEquals(payload, json(CLAIMS));
      await assertUnknown(SIGNER, await forge(HEADER, payload));
    });
  }
});

test("verify survives claims nested as deep as a token has room for", async () => {
  const nested = claims({ claims: { a: 0 } }).replace('"a":0', `"a":${"[".repeat(5500)}${"]".repeat(5500)}`);
  await assertUnknown(SIGNER, await forge(HEADER, nested, crypto.getRandomValues(new Uint8Array(32))));
  // Genuine, it may be taken or refused: how deep JSON may be is for the runtime to say.
  const token = await forge(HEADER, nested);
  const outcome = await Promise.resolve(SIGNER.verify(token, NOW)).catch((cause) => cause);
  assert(outcome instanceof BindingError ? outcome.code === "token-unknown" : outcome.id === GRANT.id);
});

test("verify refuses access tokens that a host's OAuth server signs with the very same key", async () => {
  const access = { iss: BASE, aud: BASE, sub: "alice", iat: SECONDS, exp: SECONDS + 3600, jti: "1", client_id: "c" };
  for (const typ of ["JWT", "at+jwt", undefined]) {
    const header = { alg: "HS256", kid: "k1", ...(typ && { typ }) };
    await assertUnknown(SIGNER, await new SignJWT(access).setProtectedHeader(header).sign(SECRET));
    await assertUnknown(SIGNER, await new SignJWT({ ...CLAIMS }).setProtectedHeader(header).sign(SECRET));
  }
  await assertUnknown(SIGNER, await new SignJWT(access).setProtectedHeader(HEADER).sign(SECRET));
});
