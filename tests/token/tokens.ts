import { BindingError, type BindingGrant, type TokenSigner } from "@fhir-ws/binding";
import { assertEquals, assertRejects } from "@std/assert";

export const BASE = "https://example.org/fhir/R5";
/** Milliseconds, between two seconds. */
export const NOW = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
/** The same in whole seconds. */
export const SECONDS = Math.floor(NOW / 1000);
export const TYPE = "fhir-ws-binding+jwt";

/** A grant of an hour for Alice. */
export function makeGrant(more: Partial<BindingGrant> = {}): BindingGrant {
  return {
    id: crypto.randomUUID(),
    audience: BASE,
    caller: { id: "alice" },
    subscriptions: ["s1", "s2"],
    issuedAt: SECONDS,
    expiresAt: SECONDS + 3600,
    ...more,
  };
}

/** A grant as the claims of a JWT, in the order of its members there. */
export function claimsOf({ id, audience, caller, subscriptions, issuedAt, expiresAt }: BindingGrant): {
  [name: string]: unknown;
} {
  return { iss: audience, aud: audience, sub: caller.id, iat: issuedAt, exp: expiresAt, jti: id, subscriptions };
}

/** Text as UTF-8, or bytes, in base64url; nothing of the library's own. */
export function base64url(content: string | Uint8Array): string {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const latin1 = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return btoa(latin1).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** Puts a genuine HMAC signature behind a header and a payload, whatever they are; text stands as it is. */
export async function forgeHmac(
  header: unknown,
  payload: unknown,
  secret: Uint8Array<ArrayBuffer>,
): Promise<string> {
  const parts = [header, payload].map((part) => base64url(typeof part === "string" ? part : JSON.stringify(part)));
  return await signHmac(parts.join("."), secret);
}

/** Puts a genuine HMAC signature behind the first two parts of a token. */
export async function signHmac(input: string, secret: Uint8Array<ArrayBuffer>): Promise<string> {
  const key = await crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const signature = await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(input));
  return `${input}.${base64url(new Uint8Array(signature))}`;
}

/** Sees that something is refused, and that nothing is said but the code. */
export async function assertRefused(
  run: () => unknown,
  code: "token-unknown" | "token-expired" = "token-unknown",
  message?: string,
): Promise<void> {
  const error = await assertRejects(async () => await run(), BindingError, undefined, message);
  assertEquals(
    [error.code, error.message, error.issues, error.cause],
    [code, code, [{ code }], undefined],
    message,
  );
}

/** Sees that a token is refused at `NOW`. */
export async function assertUnknown(
  signer: Pick<TokenSigner, "verify">,
  token: unknown,
  message?: string,
): Promise<void> {
  // Callers without types hand over anything.
  await assertRefused(() => signer.verify(token as string, NOW), "token-unknown", message);
}
