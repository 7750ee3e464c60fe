import { describe, it } from "node:test";
import { createJwtSigner, createOpaqueSigner, type TokenSigner, verifyBinding } from "@fhir-ws/binding";
import { createMemoryTokenStore } from "@fhir-ws/binding/storage/memory";
import { assertEquals } from "@std/assert";
import { assertRefused, BASE, makeGrant, NOW, SECONDS } from "./tokens.ts";

const SECRET = crypto.getRandomValues(new Uint8Array(32));
const GRANT = makeGrant();

const ENDPOINT = {
  base: BASE,
  fhirVersion: "R5" as const,
  now: () => NOW,
  subscriptions: {
    read(id: string, { tenant }: { tenant?: string }) {
      const subscription = {
        resourceType: "Subscription" as const,
        id,
        status: "active",
        channelType: { code: "websocket" },
      };
      return tenant === undefined ? subscription : undefined;
    },
  },
};

const KINDS: Readonly<Record<string, TokenSigner>> = {
  JWT: await createJwtSigner({ sign: { kid: "k1", key: SECRET } }),
  "JWT with an issuer": await createJwtSigner({ sign: { kid: "k1", key: SECRET }, issuer: "https://issuer.example" }),
  opaque: createOpaqueSigner({ store: createMemoryTokenStore() }),
};

for (const [kind, tokens] of Object.entries(KINDS)) {
  describe(`verifyBinding of ${kind} tokens`, () => {
    it("takes a good one", async () => {
      const { grant, refused } = await verifyBinding(await tokens.sign(GRANT), { ...ENDPOINT, tokens });
      assertEquals([grant.id, grant.subscriptions, refused], [GRANT.id, ["s1", "s2"], []]);
    });

    for (const audience of [`${BASE}/`, `${BASE}4`, "https://example.org/fhir/R4", BASE.toUpperCase(), ""]) {
      it(`refuses one of base "${audience}" in the fixed words`, async () => {
        const token = await tokens.sign(makeGrant({ audience }));
        await assertRefused(() => verifyBinding(token, { ...ENDPOINT, tokens }));
      });
    }

    it("reads as the tenant of the token, so that another tenant's Subscriptions stay out of sight", async () => {
      const token = await tokens.sign(makeGrant({ caller: { id: "alice", tenant: "other" } }));
      const error = await verifyBinding(token, { ...ENDPOINT, tokens }).catch((cause) => cause);
      assertEquals(error.code, "not-found");
    });

    it("refuses an expired one, and says so", async () => {
      const token = await tokens.sign(makeGrant({ expiresAt: SECONDS }));
      await assertRefused(() => verifyBinding(token, { ...ENDPOINT, tokens }), "token-expired");
    });
  });
}
