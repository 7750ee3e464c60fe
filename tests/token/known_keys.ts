// Private keys that everybody knows, so that none of them is a secret.

/** RFC 7515 appendix A.1.1: 512 bits. */
export const SECRET: JsonWebKey = {
  kty: "oct",
  k: "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
};

/** RFC 7515 appendix A.2.1: 2048 bits. */
export const RSA: JsonWebKey = {
  kty: "RSA",
  n: "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-p" +
    "CgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg6" +
    "65xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWy" +
    "uXpoQ",
  e: "AQAB",
  d: "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-p" +
    "WJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvX" +
    "t4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOop" +
    "znQ",
  p: "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKD" +
    "cmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc",
  q: "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB" +
    "-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc",
  dp:
    "BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_PI7Yz-FOKnu1R6HsJeDCjn12Sk3vmAktV2" +
    "zb34MCdy7cpdTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAdYo0",
  dq:
    "h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrmI2oKr6N3Do9U0ajaHF-NKJnwgjMd2w9cjz3_-" +
    "kyNlxAr2v4IKhGNpmM5iIgOS1VZnOZ68m6_pbLBSp3nssTdlqvd0tIiTHU",
  qi:
    "IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_QJQ3ydy5cY7YIBi87w93IKLEdfnbJtoOP" +
    "LUW0ITrJReOgo1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U",
};

/** RFC 7515 appendix A.3.1. */
export const P256: JsonWebKey = {
  kty: "EC",
  crv: "P-256",
  x: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
  y: "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
  d: "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
};

/** Of no RFC: made for these tests. */
export const P384: JsonWebKey = {
  kty: "EC",
  crv: "P-384",
  x: "QuNuv5HurNzJQQ6bR9ofi5UEuH6asETnGNIIb6F73meFpCNFoTik0WmQNuVvFH1h",
  y: "27c9Zxz4t0qh6bYyGlVbGDA8x_JRyYGAgDVtrd-IXNK5JI1Lzcm4juBWZYdgcQGh",
  d: "LbeRjvZCLJlOOGwY8TrBRY0uD9Wiy0f7CnYYG3xN0z3ZKfVw6xNX6IdVD-jkd6XQ",
};

/** RFC 7515 appendix A.4.1. */
export const P521: JsonWebKey = {
  kty: "EC",
  crv: "P-521",
  x: "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",
  y: "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2",
  d: "AY5pb7A0UFiB3RELSD64fTLOSV_jazdF7fLYyuTw8lOfRhWg6Y6rUrPAxerEzgdRhajnu0ferB0d53vM9mE15j2C",
};

/** RFC 8037 appendix A.1. */
export const ED25519: JsonWebKey = {
  kty: "OKP",
  crv: "Ed25519",
  x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
  d: "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
};

/** An algorithm, and how WebCrypto names it. */
export interface AlgorithmCase {
  readonly alg: string;
  readonly jwk: JsonWebKey;
  readonly importing: HmacImportParams | RsaHashedImportParams | EcKeyImportParams | { readonly name: "Ed25519" };
}

export const ALGORITHMS: readonly AlgorithmCase[] = [
  { alg: "HS256", jwk: SECRET, importing: { name: "HMAC", hash: "SHA-256" } },
  { alg: "HS384", jwk: SECRET, importing: { name: "HMAC", hash: "SHA-384" } },
  { alg: "HS512", jwk: SECRET, importing: { name: "HMAC", hash: "SHA-512" } },
  { alg: "RS256", jwk: RSA, importing: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" } },
  { alg: "RS384", jwk: RSA, importing: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-384" } },
  { alg: "RS512", jwk: RSA, importing: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-512" } },
  { alg: "PS256", jwk: RSA, importing: { name: "RSA-PSS", hash: "SHA-256" } },
  { alg: "PS384", jwk: RSA, importing: { name: "RSA-PSS", hash: "SHA-384" } },
  { alg: "PS512", jwk: RSA, importing: { name: "RSA-PSS", hash: "SHA-512" } },
  { alg: "ES256", jwk: P256, importing: { name: "ECDSA", namedCurve: "P-256" } },
  { alg: "ES384", jwk: P384, importing: { name: "ECDSA", namedCurve: "P-384" } },
  { alg: "ES512", jwk: P521, importing: { name: "ECDSA", namedCurve: "P-521" } },
  { alg: "EdDSA", jwk: ED25519, importing: { name: "Ed25519" } },
];

export function caseOf(alg: string): AlgorithmCase {
  const found = ALGORITHMS.find((one) => one.alg === alg);
  if (found === undefined) throw new Error(`there is no algorithm "${alg}"`);
  return found;
}

const PRIVATE_MEMBERS = ["d", "p", "q", "dp", "dq", "qi"] as const;

export function publicHalf(jwk: JsonWebKey): JsonWebKey {
  const half = { ...jwk };
  for (const name of PRIVATE_MEMBERS) delete half[name];
  return half;
}

/** The key as WebCrypto holds it. */
export async function importKey(
  { importing }: AlgorithmCase,
  jwk: JsonWebKey,
  usages: readonly KeyUsage[],
  extractable = true,
): Promise<CryptoKey> {
  return await crypto.subtle.importKey("jwk", jwk, importing, extractable, [...usages]);
}

/** Both halves as WebCrypto holds them. */
export async function importPair(row: AlgorithmCase, extractable = true): Promise<CryptoKeyPair> {
  return {
    privateKey: await importKey(row, row.jwk, ["sign"], extractable),
    publicKey: await importKey(row, publicHalf(row.jwk), ["verify"]),
  };
}

/** What of these keys nobody may ever read: each private member, and the secret. */
export function privateParts(): readonly string[] {
  return [SECRET, RSA, P256, P384, P521, ED25519].flatMap((jwk) => [jwk.k, ...PRIVATE_MEMBERS.map((name) => jwk[name])])
    .filter((part) => part !== undefined);
}
