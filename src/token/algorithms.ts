// JWS algorithms by WebCrypto: RFC 7518 §3, RFC 8037. One row each; nothing else in the library names an algorithm.

/** How an algorithm is imported, checked and used. */
export interface Algorithm {
  readonly alg: string;
  /** As a `CryptoKey` shows it. */
  readonly name: string;
  readonly hash?: string;
  readonly curve?: string;
  /** What `sign` and `verify` are called with. */
  readonly parameters: AlgorithmIdentifier | RsaPssParams | EcdsaParams;
  /** What `importKey` is called with. */
  readonly importing: HmacImportParams | RsaHashedImportParams | EcKeyImportParams | AlgorithmIdentifier;
  readonly kty: "oct" | "RSA" | "EC" | "OKP";
  /** Least bits of a key; 0 where the curve says it. */
  readonly leastBits: number;
}

const ALGORITHMS: readonly Algorithm[] = [
  hmac(256),
  hmac(384),
  hmac(512),
  rsa("RS", "RSASSA-PKCS1-v1_5", 256),
  rsa("RS", "RSASSA-PKCS1-v1_5", 384),
  rsa("RS", "RSASSA-PKCS1-v1_5", 512),
  rsa("PS", "RSA-PSS", 256),
  rsa("PS", "RSA-PSS", 384),
  rsa("PS", "RSA-PSS", 512),
  ecdsa("P-256", 256),
  ecdsa("P-384", 384),
  ecdsa("P-521", 512),
  {
    alg: "EdDSA",
    name: "Ed25519",
    curve: "Ed25519",
    parameters: { name: "Ed25519" },
    importing: { name: "Ed25519" },
    kty: "OKP",
    leastBits: 0,
  },
];

function hmac(bits: number): Algorithm {
  const hash = `SHA-${bits}`;
  return {
    alg: `HS${bits}`,
    name: "HMAC",
    hash,
    parameters: { name: "HMAC" },
    importing: { name: "HMAC", hash },
    kty: "oct",
    leastBits: bits, // RFC 7518 §3.2
  };
}

function rsa(prefix: "RS" | "PS", name: "RSASSA-PKCS1-v1_5" | "RSA-PSS", bits: number): Algorithm {
  const hash = `SHA-${bits}`;
  return {
    alg: `${prefix}${bits}`,
    name,
    hash,
    parameters: name === "RSA-PSS" ? { name, saltLength: bits / 8 } : { name },
    importing: { name, hash },
    kty: "RSA",
    leastBits: 2048, // RFC 7518 §3.3
  };
}

function ecdsa(namedCurve: string, bits: number): Algorithm {
  return {
    alg: `ES${bits}`,
    name: "ECDSA",
    curve: namedCurve,
    parameters: { name: "ECDSA", hash: `SHA-${bits}` },
    importing: { name: "ECDSA", namedCurve },
    kty: "EC",
    leastBits: 0,
  };
}

/** A `CryptoKey`'s algorithm as far as it matters: each kind fills other members. */
export interface KeyAlgorithmFacts {
  readonly name: string;
  readonly hash?: { readonly name: string };
  readonly namedCurve?: string;
}

/** The algorithm that a `CryptoKey` was made for. */
export function algorithmOfKey(algorithm: KeyAlgorithmFacts): Algorithm | undefined {
  return ALGORITHMS.find((row) =>
    row.name === algorithm.name && row.hash === algorithm.hash?.name &&
    (row.name !== "ECDSA" || row.curve === algorithm.namedCurve)
  );
}

/** The algorithm of a JWK, by its `alg`, else by its curve; a secret without `alg` is HS256. */
export function algorithmOfJwk({ alg, kty, crv }: JsonWebKey): Algorithm | undefined {
  const wanted = alg === "Ed25519" ? "EdDSA" : alg; // RFC 9864 names it so, and some runtimes export it
  if (wanted !== undefined) {
    return ALGORITHMS.find((row) => row.alg === wanted && row.kty === kty && (row.curve ?? crv) === crv);
  }
  if (kty === "oct") return ALGORITHMS[0];
  return crv === undefined ? undefined : ALGORITHMS.find((row) => row.kty === kty && row.curve === crv);
}
