import { describe, it, test } from "node:test";
import { assert, assertEquals, assertExists, assertFalse } from "@std/assert";
import { type Algorithm, algorithmOfJwk, algorithmOfKey } from "../../src/token/algorithms.ts";
import { asciiOf, decodeBase64url, encodeBase64url, encodeBehind } from "../../src/token/base64url.ts";
import { ED25519, P256, P521, publicHalf, RSA, SECRET } from "./known_keys.ts";

function encodeAscii(text: string): string {
  return asciiOf(encodeBehind(new Uint8Array(), text));
}

/** A JWS as an RFC prints it. */
interface Vector {
  readonly alg: string;
  readonly jwk: JsonWebKey;
  readonly header: string;
  readonly payload: string;
  readonly jws: string;
  /** Whether signing again gives the same. */
  readonly deterministic: boolean;
}

const JOE = '{"iss":"joe",\r\n "exp":1300819380,\r\n "http://example.com/is_root":true}';
const JOE_BASE64 = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

const VECTORS: Readonly<Record<string, Vector>> = {
  "RFC 7515 A.1": {
    alg: "HS256",
    jwk: SECRET,
    header: '{"typ":"JWT",\r\n "alg":"HS256"}',
    payload: JOE,
    jws: `eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.${JOE_BASE64}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk`,
    deterministic: true,
  },
  "RFC 7515 A.2": {
    alg: "RS256",
    jwk: { ...RSA, alg: "RS256" },
    header: '{"alg":"RS256"}',
    payload: JOE,
    jws: `eyJhbGciOiJSUzI1NiJ9.${JOE_BASE64}.` +
      "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7" +
      "t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12" +
      "jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlU" +
      "PQGe77Rw",
    deterministic: true,
  },
  "RFC 7515 A.3": {
    alg: "ES256",
    jwk: P256,
    header: '{"alg":"ES256"}',
    payload: JOE,
    jws: `eyJhbGciOiJFUzI1NiJ9.${JOE_BASE64}.` +
      "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    deterministic: false,
  },
  "RFC 7515 A.4": {
    alg: "ES512",
    jwk: P521,
    header: '{"alg":"ES512"}',
    payload: "Payload",
    jws: "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA." +
      "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZ" +
      "CPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn",
    deterministic: false,
  },
  "RFC 8037 A.4": {
    alg: "EdDSA",
    jwk: ED25519,
    header: '{"alg":"EdDSA"}',
    payload: "Example of Ed25519 signing",
    jws: "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc." +
      "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    deterministic: true,
  },
};

async function load(jwk: JsonWebKey, { importing }: Algorithm, usages: readonly KeyUsage[]): Promise<CryptoKey> {
  return await crypto.subtle.importKey("jwk", jwk, importing, false, [...usages]);
}

for (const [name, { alg, jwk, header, payload, jws, deterministic }] of Object.entries(VECTORS)) {
  describe(`The JWS of ${name}`, () => {
    const algorithm = algorithmOfJwk(jwk);
    assertExists(algorithm);
    const [first = "", second = "", third = ""] = jws.split(".");
    const input = new TextEncoder().encode(`${first}.${second}`);

    it("is of the algorithm that its key names", async () => {
      assertEquals(algorithm.alg, alg);
      const key = await load(jwk, algorithm, ["sign"]);
      assertEquals(algorithmOfKey(key.algorithm), algorithm);
    });

    it("has the base64url that encoding gives, and decodes to what was signed", () => {
      assertEquals([encodeAscii(header), encodeAscii(payload)], [first, second]);
      assertEquals(encodeBase64url(new TextEncoder().encode(payload)), second);
      assertEquals(decodeBase64url(second), new TextEncoder().encode(payload));
      const signature = decodeBase64url(third);
      assertEquals(signature && encodeBase64url(signature), third);
    });

    it("verifies, and does not after one bit was flipped", async () => {
      const key = await load(jwk.kty === "oct" ? jwk : publicHalf(jwk), algorithm, ["verify"]);
      const signature = decodeBase64url(third);
      assertExists(signature);
      assert(await crypto.subtle.verify(algorithm.parameters, key, signature, input));
      signature[0] = (signature[0] ?? 0) ^ 1;
      assertFalse(await crypto.subtle.verify(algorithm.parameters, key, signature, input));
    });

    it(deterministic ? "comes out the same when it is signed again" : "verifies when it is signed again", async () => {
      const signing = await load(jwk, algorithm, ["sign"]);
      const signature = await crypto.subtle.sign(algorithm.parameters, signing, input);
      if (deterministic) return assertEquals(encodeBase64url(new Uint8Array(signature)), third);
      const verifying = await load(publicHalf(jwk), algorithm, ["verify"]);
      assert(await crypto.subtle.verify(algorithm.parameters, verifying, signature, input));
    });
  });
}

/** RFC 4648 §10, in the URL-safe alphabet and without padding. */
const BASE64: Readonly<Record<string, string>> = {
  "": "",
  "f": "Zg",
  "fo": "Zm8",
  "foo": "Zm9v",
  "foob": "Zm9vYg",
  "fooba": "Zm9vYmE",
  "foobar": "Zm9vYmFy",
  "\xfb\xff\xbf": "-_-_",
};

test("encodeBase64url and decodeBase64url give the vectors of RFC 4648, natively and by table", () => {
  for (const [text, encoded] of Object.entries(BASE64)) {
    const bytes = Uint8Array.from(text, (one) => one.charCodeAt(0));
    // Where the runtime has `toBase64`, hiding it lets the table do the work.
    const plain = Object.defineProperty(bytes.slice(), "toBase64", { value: undefined });
    assertEquals([encodeBase64url(bytes), encodeBase64url(plain), encodeAscii(text)], [encoded, encoded, encoded]);
    assertEquals(decodeBase64url(encoded), bytes);
  }
});

test("encodeBase64url gives the same natively and by table for every length", () => {
  for (let length = 0; length < 200; length++) {
    const bytes = crypto.getRandomValues(new Uint8Array(length));
    const plain = Object.defineProperty(bytes.slice(), "toBase64", { value: undefined });
    assertEquals(encodeBase64url(plain), encodeBase64url(bytes));
    assertEquals(decodeBase64url(encodeBase64url(plain)), bytes);
  }
});

test("decodeBase64url takes one spelling of each byte and refuses every other", () => {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const taken = [...alphabet].flatMap((one) => [...alphabet].map((other) => one + other)).filter(decodeBase64url);
  assertEquals(taken.length, 256);
  for (
    const text of [
      "A",
      "AAAAA",
      "AB",
      "AAB",
      "AA=",
      "AA==",
      "AAA=",
      "A A",
      "AA\n",
      "\nAA",
      "+A",
      "/A",
      "AÁ",
      "AA.",
      "ＡA",
    ]
  ) {
    assertEquals(decodeBase64url(text), undefined, text);
  }
});
