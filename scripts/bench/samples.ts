import type { BindingGrant, Caller } from "@fhir-ws/binding";

export const BASE = "https://example.org/fhir/R5";

export const ALICE: Caller = { id: "alice" };

export const SUBSCRIPTION = {
  resourceType: "Subscription",
  id: "5a1c7f6e-0d5b-4b53-9d6c-3a4e0f7c2b91",
  status: "active",
  topic: "http://example.org/SubscriptionTopic/Patient",
  channelType: { code: "websocket" },
  content: "id-only",
} as const;

/** What `ALICE` may bind for an hour from now. */
export function makeGrant(claims?: NonNullable<Caller["claims"]>): BindingGrant {
  const issuedAt = Math.floor(Date.now() / 1000);
  return {
    id: crypto.randomUUID(),
    audience: BASE,
    caller: claims === undefined ? ALICE : { ...ALICE, claims },
    subscriptions: [SUBSCRIPTION.id],
    issuedAt,
    expiresAt: issuedAt + 3600,
  };
}

/** A fresh secret for HS256. */
export function makeSecret(): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(32));
}

export async function hmacKey(secret: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  return await crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
}
