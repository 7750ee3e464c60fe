// The demo's own access tokens (RFC 9068 in form). Another key and another type than binding tokens have: neither
// passes for the other.

import { member } from "../../src/fhir/json.ts";
import { decodeBase64url, encodeBase64url } from "../../src/token/base64url.ts";

/** Signs and verifies access tokens. */
export interface AccessTokens {
  /** A token for a user, good for `lifetime` seconds. */
  issue(user: string, lifetime: number): Promise<string>;
  /** Whose token this is, or `undefined` when it is none of ours or has expired. */
  verify(token: string): Promise<string | undefined>;
}

const HEADER = encodeText(JSON.stringify({ alg: "HS256", typ: "at+jwt" }));
const MAX_LENGTH = 4096;

/** Tokens signed with this secret. `now` is in milliseconds. */
export async function createAccessTokens(secret: Uint8Array, now: () => number): Promise<AccessTokens> {
  const key = await crypto.subtle.importKey(
    "raw",
    new Uint8Array(secret),
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["sign", "verify"],
  );
  return {
    async issue(user, lifetime) {
      const iat = Math.floor(now() / 1000);
      const claims = { sub: user, client_id: user, login_id: crypto.randomUUID(), iat, exp: iat + lifetime };
      const signed = `${HEADER}.${encodeText(JSON.stringify(claims))}`;
      const signature = await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(signed));
      return `${signed}.${encodeBase64url(new Uint8Array(signature))}`;
    },
    async verify(token) {
      const [header, payload, signature, ...more] = token.length > MAX_LENGTH ? [] : token.split(".");
      const bytes = decodeBase64url(signature ?? "");
      if (header !== HEADER || payload === undefined || bytes === undefined || more.length > 0) return undefined;
      const signed = new TextEncoder().encode(`${header}.${payload}`);
      if (!await crypto.subtle.verify("HMAC", key, bytes, signed)) return undefined;
      return readClaims(payload, now());
    },
  };
}

/** Claims that we signed, hence of the shape we gave them. */
function readClaims(payload: string, now: number): string | undefined {
  const claims: unknown = JSON.parse(new TextDecoder().decode(decodeBase64url(payload)));
  const user = member(claims, "sub");
  const expiresAt = member(claims, "exp");
  return typeof user === "string" && typeof expiresAt === "number" && now < expiresAt * 1000 ? user : undefined;
}

function encodeText(text: string): string {
  return encodeBase64url(new TextEncoder().encode(text));
}
