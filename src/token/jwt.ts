// Binding tokens as JWTs: RFC 7519 in the compact form of RFC 7515 §7.1.

import { BindingError } from "../errors.ts";
import { checkCount } from "../setup.ts";
import type { BindingGrant, JsonWebKeyLike, JwtSignerOptions, SigningKey, TokenSigner, TokenStore } from "../types.ts";
import { asciiOf, decodeWithin, encodeBase64url, encodeBehind, putAscii, SPACE } from "./base64url.ts";
import { type Claims, grantOfClaims, readClaims, writeClaims } from "./claims.ts";
import { MAX_TOKEN_LENGTH } from "./grant.ts";
import { readKey, type ReadyKey } from "./keys.ts";
import { createRevocableSigner, createStatelessSigner, type RevocableSigner, type TokenFormat } from "./signer.ts";

/** `typ` of every token, so that it is of no use as any other JWT: RFC 8725 §3.11. */
const TYPE = "fhir-ws-binding+jwt";

/** The public keys of a signer, for another party that has to verify its tokens. RFC 7517 §5. */
export interface JwtKeySet {
  /** Empty when all keys are secrets. Never publish it in the JWKS of an OAuth server. */
  readonly jwks: { readonly keys: readonly JsonWebKeyLike[] };
}

/**
 * A signer of JWTs by WebCrypto: HS, RS, PS and ES 256, 384, 512, and EdDSA with Ed25519. The key says which; a
 * token cannot. Give it a key of its own: one that signs anything else would let those tokens be tried here.
 *
 * With a `store` tokens can be revoked, and with `singleUse` each binds once; without one they live until they expire.
 * To rotate, make the new key `sign` and move the old one to `verify` until its last token has expired.
 *
 * A token is accepted only in the very form in which it is written: this header, these claims, compact JSON in ASCII.
 *
 * @throws {TypeError} when a key is weak (an HMAC secret shorter than its hash, RSA under 2048 bits), unfit or unknown
 * to WebCrypto, when two keys share a `kid`, or when `singleUse` is set without a `store`.
 * @throws {RangeError} when `maxLifetime` or `clockSkew` is no whole number of seconds.
 *
 * @example
 * ```ts
 * import { createJwtSigner } from "@fhir-ws/binding";
 *
 * const { privateKey, publicKey } = await crypto.subtle.generateKey({ name: "Ed25519" }, true, ["sign", "verify"]) as CryptoKeyPair;
 * const signer = await createJwtSigner({ sign: { kid: "2026-11", key: { privateKey, publicKey } } });
 *
 * const now = Math.floor(Date.now() / 1000);
 * const token = await signer.sign({
 *   id: crypto.randomUUID(),
 *   audience: "https://example.org/fhir/R5",
 *   caller: { id: "alice" },
 *   subscriptions: ["s1"],
 *   issuedAt: now,
 *   expiresAt: now + 3600,
 * });
 * const grant = await signer.verify(token);
 * if (grant.caller.id !== "alice") throw new Error("unreachable");
 * ```
 */
export function createJwtSigner(
  options: JwtSignerOptions & { readonly store: TokenStore },
): Promise<RevocableSigner & JwtKeySet>;
/** Without a store: nothing can be revoked, no token is used up. */
export function createJwtSigner(
  options: Omit<JwtSignerOptions, "store" | "singleUse">,
): Promise<Pick<TokenSigner, "sign" | "verify" | "local" | "maxLifetime"> & JwtKeySet>;
export async function createJwtSigner(options: JwtSignerOptions): Promise<TokenSigner & JwtKeySet> {
  const { sign, verify = [], store, singleUse = false, maxLifetime = 86400 } = options;
  if (singleUse && store === undefined) throw new TypeError("Cannot make tokens single-use: there is no store");
  checkCount("maxLifetime", maxLifetime);
  if (options.clockSkew !== 0) checkCount("clockSkew", options.clockSkew);
  const keys = await readKeys([sign, ...verify]);
  const format = createJwtFormat(keys, maxLifetime, options);
  const signer = store === undefined ? createStatelessSigner(format) : createRevocableSigner(format, store, singleUse);
  return { ...signer, maxLifetime, jwks: { keys: keys.flatMap(({ jwk }) => jwk === undefined ? [] : [jwk]) } };
}

async function readKeys(keys: readonly SigningKey[]): Promise<ReadyKey[]> {
  const kids = keys.map(({ kid }) => kid);
  const twice = kids.find((kid, n) => kids.indexOf(kid) !== n);
  if (twice !== undefined) throw new TypeError(`Cannot use key "${twice}": another one has its kid`);
  return await Promise.all(keys.map(readKey));
}

function createJwtFormat(
  keys: readonly ReadyKey[],
  maxLifetime: number,
  { issuer, clockSkew = 5 }: JwtSignerOptions,
): TokenFormat {
  const known = keys.map((key) => ({ ...key, prefix: prefixOf(key) }));
  const [key] = known;
  if (key?.signing === undefined) throw new TypeError(`Cannot sign with key "${key?.kid}": it can only verify`);
  const { signing, algorithm } = key;
  const head = bytesOf(key.prefix);

  return {
    async write(grant: BindingGrant): Promise<string> {
      if (grant.expiresAt - grant.issuedAt > maxLifetime) {
        throw new RangeError(`Cannot sign a token: it would live longer than ${maxLifetime} seconds`);
      }
      const input = encodeBehind(head, writeClaims(grant, issuer ?? grant.audience));
      const signature = crypto.subtle.sign(algorithm.parameters, signing, input);
      const text = asciiOf(input); // while another thread signs
      return `${text}.${encodeBase64url(new Uint8Array(await signature))}`;
    },

    async read(token: string, now: number): Promise<BindingGrant> {
      const opened = openToken(token, known);
      const claims = await opened?.verifying ? opened?.claims : undefined;
      const latest = Math.floor(now / 1000) + clockSkew;
      const isGood = claims !== undefined && claims.iss === (issuer ?? claims.aud) &&
        Math.max(claims.iat, claims.nbf ?? 0) <= latest && claims.exp - claims.iat <= maxLifetime;
      if (!isGood) throw new BindingError("token-unknown");
      if (claims.exp * 1000 <= now) throw new BindingError("token-expired");
      return grantOfClaims(claims);
    },
  };
}

/** A key with what begins each of its tokens. */
interface KnownKey extends ReadyKey {
  readonly prefix: string;
}

/** A token whose signature is being verified: its claims are nothing unless it turns out to be right. */
interface OpenedToken {
  readonly verifying: Promise<boolean>;
  readonly claims: Claims | undefined;
}

function openToken(token: string, keys: readonly KnownKey[]): OpenedToken | undefined {
  if (typeof token !== "string" || token.length > MAX_TOKEN_LENGTH) return undefined; // before anything is looked at
  // Our tokens begin with one of the headers that our keys write: nothing in a token chooses how it is verified.
  const key = keys.find(({ prefix }) => token.startsWith(prefix));
  if (key === undefined || putAscii(token, SPACE, 0) < 0) return undefined;
  const dot = token.lastIndexOf(".");
  const end = decodeWithin(SPACE, dot + 1, token.length);
  if (end < 0) return undefined;
  const [input, signature] = [SPACE.subarray(0, dot), SPACE.subarray(dot + 1, end)];
  const verifying = crypto.subtle.verify(key.algorithm.parameters, key.verifying, signature, input);
  // Read while another thread verifies, which takes longer.
  return { verifying, claims: readClaims(SPACE, key.prefix.length, dot) };
}

function prefixOf({ kid, algorithm }: ReadyKey): string {
  return `${encodeBase64url(bytesOf(JSON.stringify({ alg: algorithm.alg, typ: TYPE, kid })))}.`;
}

const encoder = new TextEncoder();

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text) as Uint8Array<ArrayBuffer>; // older DOM types do not say whose buffer it is
}
