// From what a host gives as a key to what signs and verifies. Weak and unfit keys are refused here, once.

import type { SigningKey } from "../types.ts";
import { type Algorithm, algorithmOfJwk, algorithmOfKey, type KeyAlgorithmFacts } from "./algorithms.ts";
import { encodeBase64url } from "./base64url.ts";

/** A key with everything that is known of it beforehand. */
export interface ReadyKey {
  readonly kid: string;
  readonly algorithm: Algorithm;
  /** Absent in a key that only verifies. */
  readonly signing?: CryptoKey;
  readonly verifying: CryptoKey;
  /** The public JWK; a secret has none. */
  readonly jwk?: JsonWebKey;
}

const PUBLIC_MEMBERS = ["kty", "crv", "x", "y", "n", "e"] as const;
const MEMBERS = [...PUBLIC_MEMBERS, "k", "d", "p", "q", "dp", "dq", "qi"] as const;

/** @throws {TypeError} saying what is wrong with the key; never what is in it. */
export async function readKey({ kid, key }: SigningKey): Promise<ReadyKey> {
  if (typeof kid !== "string" || kid === "") throw new TypeError("Cannot use a key: it has no kid");
  try {
    const ready = await importAny(key);
    checkStrength(ready);
    return { kid, ...ready, ...await publicJwk(ready, kid) };
  } catch (cause) {
    if (cause instanceof Unfit) throw new TypeError(`Cannot use key "${kid}": ${cause.message}`);
    throw new TypeError(`Cannot use key "${kid}": WebCrypto does not take it`); // its own message may quote the key
  }
}

/** Why a key is of no use. */
class Unfit extends Error {}

type Imported = Pick<ReadyKey, "algorithm" | "signing" | "verifying">;

async function importAny(key: SigningKey["key"]): Promise<Imported> {
  if (key instanceof Uint8Array) return await fromJwk({ kty: "oct", k: encodeBase64url(key) });
  if (isPair(key)) return fromPair(key);
  if (isCryptoKey(key)) return key.type === "private" ? await fromPrivate(key) : fromCryptoKey(key);
  return await fromJwk(key);
}

async function fromJwk(jwk: JsonWebKey): Promise<Imported> {
  const algorithm = algorithmOfJwk(jwk);
  if (algorithm === undefined) throw new Unfit("its alg, kty and crv name no supported algorithm");
  const isSecret = algorithm.kty === "oct";
  const isPrivate = !isSecret && jwk.d !== undefined;
  const least = isPrivate ? "sign" : "verify";
  if (!allows(jwk, least)) throw new Unfit(`its use or key_ops do not allow "${least}"`);
  if (isSecret) return fromCryptoKey(await load(jwk, algorithm, allows(jwk, "sign") ? ["sign", "verify"] : ["verify"]));
  const verifying = await load(pick(jwk, PUBLIC_MEMBERS), algorithm, ["verify"]);
  return isPrivate ? { algorithm, verifying, signing: await load(jwk, algorithm, ["sign"]) } : { algorithm, verifying };
}

/** RFC 7517 §4.2, §4.3. */
function allows({ use = "sig", key_ops }: JsonWebKey, usage: KeyUsage): boolean {
  return use === "sig" && (key_ops?.includes(usage) ?? true);
}

/** Without `alg`, which not every runtime knows in its newest spelling, and what has been heeded already. */
function load(jwk: JsonWebKey, algorithm: Algorithm, usages: readonly KeyUsage[]): Promise<CryptoKey> {
  const isPublic = jwk.d === undefined && jwk.k === undefined;
  return crypto.subtle.importKey("jwk", pick(jwk, MEMBERS), algorithm.importing, isPublic, [...usages]);
}

function fromPair({ publicKey, privateKey }: CryptoKeyPair): Imported {
  const half = fromCryptoKey(publicKey);
  const otherHalf = signingPart(privateKey);
  if (half.algorithm !== otherHalf.algorithm) throw new Unfit("its halves are of two algorithms");
  return { ...half, ...otherHalf };
}

async function fromPrivate(key: CryptoKey): Promise<Imported> {
  if (!key.extractable) throw new Unfit("its public half cannot be exported; give the pair");
  const { algorithm, signing } = signingPart(key);
  const jwk = await crypto.subtle.exportKey("jwk", key);
  const verifying = await load(pick(jwk, PUBLIC_MEMBERS), algorithm, ["verify"]);
  return { algorithm, signing, verifying };
}

function fromCryptoKey(key: CryptoKey): Imported {
  const algorithm = algorithmOf(key);
  if (!key.usages.includes("verify")) throw new Unfit('its usages lack "verify"');
  return { algorithm, verifying: key, ...(key.usages.includes("sign") && { signing: key }) };
}

function signingPart(key: CryptoKey): { algorithm: Algorithm; signing: CryptoKey } {
  const algorithm = algorithmOf(key);
  if (!key.usages.includes("sign")) throw new Unfit('its usages lack "sign"');
  return { algorithm, signing: key };
}

function algorithmOf({ algorithm: facts }: { readonly algorithm: KeyAlgorithmFacts }): Algorithm {
  const algorithm = algorithmOfKey(facts);
  if (algorithm !== undefined) return algorithm;
  const name = [facts.name, facts.hash?.name ?? facts.namedCurve].join(" ").trimEnd();
  throw new Unfit(`its algorithm "${name}" is not supported`);
}

/** HMAC and RSA keys tell their length; the length of the others is their curve's. */
function checkStrength({ algorithm, signing, verifying }: Imported): void {
  for (const key of signing === undefined ? [verifying] : [signing, verifying]) {
    const { length, modulusLength }: { length?: number; modulusLength?: number } & KeyAlgorithm = key.algorithm;
    const bits = modulusLength ?? length ?? 0;
    if (bits < algorithm.leastBits) {
      throw new Unfit(`it has ${bits} bits and ${algorithm.alg} needs ${algorithm.leastBits}`);
    }
  }
}

async function publicJwk({ algorithm, verifying }: Imported, kid: string): Promise<{ jwk?: JsonWebKey }> {
  if (verifying.type !== "public" || !verifying.extractable) return {};
  const jwk = pick(await crypto.subtle.exportKey("jwk", verifying), PUBLIC_MEMBERS);
  return { jwk: { ...jwk, kid, alg: algorithm.alg, use: "sig" } as JsonWebKey }; // `kid` is RFC 7517's, not WebCrypto's
}

function pick(jwk: JsonWebKey, names: readonly (keyof JsonWebKey)[]): JsonWebKey {
  return Object.fromEntries(names.filter((name) => name in jwk).map((name) => [name, jwk[name]]));
}

function isPair(key: CryptoKey | CryptoKeyPair | JsonWebKey): key is CryptoKeyPair {
  return "privateKey" in key;
}

function isCryptoKey(key: CryptoKey | JsonWebKey): key is CryptoKey {
  return Object.prototype.toString.call(key) === "[object CryptoKey]"; // also one of another realm
}
