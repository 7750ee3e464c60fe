import { describe, it, test } from "node:test";
import { createJwtSigner, type SigningKey } from "@fhir-ws/binding";
import { assertEquals, assertRejects } from "@std/assert";
import { createLocalJWKSet, decodeProtectedHeader, importJWK, jwtVerify, SignJWT } from "jose";
import {
  type AlgorithmCase,
  ALGORITHMS,
  caseOf,
  ED25519,
  importKey,
  importPair,
  P256,
  publicHalf,
  SECRET,
} from "./known_keys.ts";
import { BASE, claimsOf, makeGrant, NOW, TYPE } from "./tokens.ts";

/** How a host may hold a key. */
type Form = (row: AlgorithmCase) => Promise<SigningKey["key"]> | SigningKey["key"];

const SECRET_FORMS: Readonly<Record<string, Form>> = {
  "secret CryptoKey": (row) => importKey(row, row.jwk, ["sign", "verify"]),
  "secret CryptoKey that cannot be exported": (row) => importKey(row, row.jwk, ["sign", "verify"], false),
  "JWK with alg": ({ alg, jwk }) => ({ ...jwk, alg, use: "sig", key_ops: ["sign", "verify"], ext: true }),
};

const SIGNING_FORMS: Readonly<Record<string, Form>> = {
  "pair": (row) => importPair(row),
  "pair that cannot be exported": (row) => importPair(row, false),
  "private CryptoKey": (row) => importKey(row, row.jwk, ["sign"]),
  "private JWK with alg": ({ alg, jwk }) => ({ ...jwk, alg, use: "sig", key_ops: ["sign"], ext: false }),
  "JWK that WebCrypto exported": async (row) =>
    await crypto.subtle.exportKey("jwk", await importKey(row, row.jwk, ["sign"])),
};

const VERIFYING_FORMS: Readonly<Record<string, Form>> = {
  ...SIGNING_FORMS,
  "public CryptoKey": (row) => importKey(row, publicHalf(row.jwk), ["verify"]),
  "public CryptoKey that cannot be exported": (row) => importKey(row, publicHalf(row.jwk), ["verify"], false),
  "public JWK with alg": ({ alg, jwk }) => ({ ...publicHalf(jwk), alg, use: "sig", key_ops: ["verify"] }),
};

/** A JWK that says by its type alone what it is for. */
function isPlain({ alg, jwk }: AlgorithmCase): boolean {
  return alg === "HS256" || jwk.crv !== undefined;
}

function formsOf(row: AlgorithmCase, forms: Readonly<Record<string, Form>>): readonly (readonly [string, Form])[] {
  const isPublic = forms === VERIFYING_FORMS;
  const plain: Form = ({ jwk }) => jwk;
  const plainPublic: Form = ({ jwk }) => publicHalf(jwk);
  return [
    ...Object.entries(row.jwk.kty === "oct" ? SECRET_FORMS : forms),
    ...(isPlain(row) ? [["JWK without alg", plain] as const] : []),
    ...(isPlain(row) && isPublic && row.jwk.kty !== "oct" ? [["public JWK without alg", plainPublic] as const] : []),
  ];
}

/** Lets jose verify a token by what the signer publishes, or by the secret. */
async function verifyByJose(token: string, { alg, jwk }: AlgorithmCase, jwks: { keys: JsonWebKey[] }) {
  const options = { issuer: BASE, audience: BASE, typ: TYPE, algorithms: [alg], currentDate: new Date(NOW) };
  if (jwk.kty === "oct") return await jwtVerify(token, await importJWK(jwk, alg), options);
  return await jwtVerify(token, createLocalJWKSet(jwks), options);
}

async function signByJose(claims: { [name: string]: unknown }, { alg, jwk }: AlgorithmCase): Promise<string> {
  return await new SignJWT(claims).setProtectedHeader({ alg, typ: TYPE, kid: "k1" }).sign(await importJWK(jwk, alg));
}

for (const row of ALGORITHMS) {
  describe(`createJwtSigner with ${row.alg}`, () => {
    for (const [name, form] of formsOf(row, SIGNING_FORMS)) {
      it(`signs with a ${name} what jose verifies, and verifies what jose signs`, async () => {
        const signer = await createJwtSigner({ sign: { kid: "k1", key: await form(row) } });
        const grant = makeGrant({ caller: { id: "alice", tenant: "acme", claims: { login: "l1" } } });
        const token = await signer.sign(grant);
        assertEquals(await signer.verify(token, NOW), grant);

        const theirs = await verifyByJose(token, row, { keys: [...signer.jwks.keys] });
        assertEquals(theirs.protectedHeader, { alg: row.alg, typ: TYPE, kid: "k1" });
        assertEquals(theirs.payload, { ...claimsOf(grant), tenant: "acme", claims: { login: "l1" } });

        const other = makeGrant();
        assertEquals(await signer.verify(await signByJose(claimsOf(other), row), NOW), other);
      });
    }

    for (const [name, form] of formsOf(row, VERIFYING_FORMS)) {
      it(`verifies with a ${name} among the keys that only verify`, async () => {
        const sign = { kid: "new", key: crypto.getRandomValues(new Uint8Array(32)) };
        const signer = await createJwtSigner({ sign, verify: [{ kid: "k1", key: await form(row) }] });
        const grant = makeGrant();
        assertEquals(await signer.verify(await signByJose(claimsOf(grant), row), NOW), grant);
        assertEquals(decodeProtectedHeader(await signer.sign(grant)).kid, "new");
      });
    }

    it("rejects at set-up where the runtime lacks it", async (t) => {
      const missing = () => Promise.reject(new DOMException("Unrecognized algorithm name", "NotSupportedError"));
      const mocked = t.mock.method(crypto.subtle, "importKey", missing);
      try {
        const error = await assertRejects(
          () => createJwtSigner({ sign: { kid: "k1", key: { ...row.jwk, alg: row.alg } } }),
          TypeError,
        );
        assertEquals(error.message, 'Cannot use key "k1": WebCrypto does not take it');
      } finally {
        mocked.mock.restore();
      }
    });
  });
}

test("createJwtSigner signs HS256 with a raw secret of 256 bits, and copies it", async () => {
  const secret = crypto.getRandomValues(new Uint8Array(32));
  const key = secret.slice();
  const signer = await createJwtSigner({ sign: { kid: "k1", key } });
  key.fill(0);
  const grant = makeGrant();
  const token = await signer.sign(grant);
  const { payload, protectedHeader } = await jwtVerify(token, secret, { currentDate: new Date(NOW) });
  assertEquals(protectedHeader, { alg: "HS256", typ: TYPE, kid: "k1" });
  assertEquals(payload, claimsOf(grant));
});

test("createJwtSigner takes a secret as a view on a larger buffer for what the view shows", async () => {
  const buffer = crypto.getRandomValues(new Uint8Array(64));
  const signer = await createJwtSigner({ sign: { kid: "k1", key: buffer.subarray(16, 48) } });
  const token = await signer.sign(makeGrant());
  await jwtVerify(token, buffer.slice(16, 48), { currentDate: new Date(NOW) });
});

test("createJwtSigner takes a JWK whose alg is Ed25519, as some runtimes export it, for EdDSA", async () => {
  const signer = await createJwtSigner({ sign: { kid: "k1", key: { ...ED25519, alg: "Ed25519" } } });
  assertEquals(decodeProtectedHeader(await signer.sign(makeGrant())).alg, "EdDSA");
  assertEquals(signer.jwks.keys.map(({ alg }) => alg), ["EdDSA"]);
});

test("createJwtSigner binds a token of jose's with its claims in another order", async () => {
  const signer = await createJwtSigner({ sign: { kid: "k1", key: P256 } });
  const grant = makeGrant();
  const reversed = Object.fromEntries(Object.entries(claimsOf(grant)).reverse());
  assertEquals(await signer.verify(await signByJose(reversed, caseOf("ES256")), NOW), grant);
});

test("createJwtSigner writes the issuer that it was given, and wants it back", async () => {
  const signer = await createJwtSigner({ sign: { kid: "k1", key: SECRET }, issuer: "https://issuer.example" });
  const grant = makeGrant();
  const token = await signer.sign(grant);
  const key = await importJWK(SECRET, "HS256");
  const { payload } = await jwtVerify(token, key, { currentDate: new Date(NOW) });
  assertEquals([payload.iss, payload.aud], ["https://issuer.example", BASE]);
  assertEquals(await signer.verify(token, NOW), grant);
});
