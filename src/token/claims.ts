// The claims of a binding token, to and from a grant.

import { isFhirId } from "../fhir/json.ts";
import type { BindingGrant, Caller } from "../types.ts";
import { decodeWithin } from "./base64url.ts";
import { endOfPlain, scanClaims } from "./scan.ts";

/** RFC 7519 §4.1, and four of our own. */
export interface Claims {
  readonly iss: string;
  readonly aud: string;
  readonly sub: string;
  readonly iat: number;
  readonly nbf?: number | undefined;
  readonly exp: number;
  readonly jti: string;
  readonly tenant?: string | undefined;
  readonly claims?: Caller["claims"] | undefined;
  readonly subscriptions: readonly string[];
  readonly generations?: readonly number[] | undefined;
}

/** A grant as what the middle part of a token stands for: compact JSON in ASCII. */
export function writeClaims(grant: BindingGrant, issuer: string): string {
  const { caller } = grant;
  return textOf({
    iss: issuer,
    aud: grant.audience,
    sub: caller.id,
    iat: grant.issuedAt,
    exp: grant.expiresAt,
    jti: grant.id,
    tenant: caller.tenant,
    claims: caller.claims,
    subscriptions: grant.subscriptions,
    generations: grant.generations,
  });
}

/** A byte order mark is a character like any other: none of ours. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Claims as they were written, in base64url among these bytes, which are changed by it; or `undefined`. Whatever does
 * not come back the same from writing it again is not ours: a member that stands twice, white space, another spelling of
 * the same base64url.
 */
export function readClaims(bytes: Uint8Array, from: number, to: number): Claims | undefined {
  const end = decodeWithin(bytes, from, to);
  if (end < 0) return undefined;
  const json = decoder.decode(bytes.subarray(from, end));
  const plain = scanClaims(json);
  const claims = plain ?? parse(json);
  return isClaims(claims) && (claims === plain || isWritten(claims, json)) ? claims : undefined;
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/** Another order is none of our signers', but any JWT library may have signed with our key. */
function isWritten(claims: Claims, json: string): boolean {
  try {
    return textOf(claims) === json || asciiJson(claims) === json;
  } catch {
    return false; // nested too deeply to be written again: not ours in any case
  }
}

/** What the claims grant. */
export function grantOfClaims(claims: Claims): BindingGrant {
  return {
    id: claims.jti,
    audience: claims.aud,
    caller: {
      id: claims.sub,
      ...(claims.tenant !== undefined && { tenant: claims.tenant }),
      ...(claims.claims !== undefined && { claims: claims.claims }),
    },
    subscriptions: claims.subscriptions,
    issuedAt: claims.iat,
    expiresAt: claims.exp,
    ...(claims.generations !== undefined && { generations: claims.generations }),
  };
}

/** Put together by hand: JSON.stringify would take more time than all else that a token needs beside its signature. */
function textOf({ iss, aud, sub, iat, nbf, exp, jti, tenant, claims, subscriptions, generations }: Claims): string {
  const issuer = quoted(iss);
  return `{"iss":${issuer},"aud":${aud === iss ? issuer : quoted(aud)},"sub":${quoted(sub)},"iat":${iat}` +
    (nbf === undefined ? "" : `,"nbf":${nbf}`) +
    `,"exp":${exp},"jti":${quoted(jti)}` +
    (tenant === undefined ? "" : `,"tenant":${quoted(tenant)}`) +
    (claims === undefined ? "" : `,"claims":${asciiJson(claims)}`) +
    `,"subscriptions":[${subscriptions.map(quoted).join(",")}]` +
    (generations === undefined ? "}" : `,"generations":[${generations.join(",")}]}`);
}

function quoted(text: string): string {
  return endOfPlain(text, 0) === text.length ? `"${text}"` : asciiJson(text);
}

function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function isClaims(value: unknown): value is Claims {
  const { iss, aud, sub, iat, nbf, exp, jti, tenant, claims, subscriptions, generations } = Object(value);
  return isText(iss) && isText(aud) && isText(sub) && isText(jti) && isWhole(iat) && isWhole(exp) &&
    (nbf === undefined || isWhole(nbf)) &&
    (tenant === undefined || isText(tenant)) &&
    (claims === undefined || (typeof claims === "object" && claims !== null)) &&
    Array.isArray(subscriptions) && subscriptions.length > 0 && subscriptions.every(isFhirId) &&
    (generations === undefined || (Array.isArray(generations) && generations.every(isWhole)));
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value);
}
