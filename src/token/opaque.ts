// Opaque binding tokens: the client holds 256 random bits, the store their SHA-256 with the grant.

import { BindingError } from "../errors.ts";
import type { OpaqueSignerOptions } from "../types.ts";
import { decodeBase64url, encodeBase64url } from "./base64url.ts";
import { createRevocableSigner, type RevocableSigner } from "./signer.ts";

const BYTES = 32;

/**
 * A signer of opaque tokens over a store: what leaks from the store binds nobody, and what leaks from a token tells
 * nothing.
 *
 * @example
 * ```ts
 * import { createOpaqueSigner } from "@fhir-ws/binding";
 * import { createMemoryTokenStore } from "@fhir-ws/binding/storage/memory";
 *
 * const signer = createOpaqueSigner({ store: createMemoryTokenStore(), singleUse: true });
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
 * if (token.length !== 43) throw new Error("unreachable");
 * ```
 */
export function createOpaqueSigner({ store, singleUse = false }: OpaqueSignerOptions): RevocableSigner {
  return createRevocableSigner(
    {
      async write(grant) {
        const secret = crypto.getRandomValues(new Uint8Array(BYTES));
        await store.put(await digest(secret), grant);
        return encodeBase64url(secret);
      },
      async read(token, now) {
        const secret = typeof token === "string" && token.length === 43 ? decodeBase64url(token) : undefined;
        const grant = secret === undefined ? undefined : await store.get(await digest(secret));
        if (!grant) throw new BindingError("token-unknown");
        if (!(now < grant.expiresAt * 1000)) throw new BindingError("token-expired");
        return grant;
      },
    },
    store,
    singleUse,
  );
}

/** Looking up by digest: what an attacker learns from its timing is of no use without a preimage. */
async function digest(secret: Uint8Array<ArrayBuffer>): Promise<string> {
  return encodeBase64url(new Uint8Array(await crypto.subtle.digest("SHA-256", secret)));
}
