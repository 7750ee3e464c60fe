import { describe, it } from "node:test";
import { type Caller, createJwtSigner, createOpaqueSigner, type Json, type TokenSigner } from "@fhir-ws/binding";
import { assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { ED25519 } from "./known_keys.ts";
import { makeStore } from "./stores.ts";
import { assertUnknown, makeGrant, NOW, SECONDS } from "./tokens.ts";

const KINDS: Readonly<Record<string, TokenSigner>> = {
  HS256: await createJwtSigner({ sign: { kid: "k1", key: crypto.getRandomValues(new Uint8Array(32)) } }),
  EdDSA: await createJwtSigner({ sign: { kid: "\ud800 ключ", key: ED25519 }, issuer: "выдал \udfff" }),
  "JWT with a store": await createJwtSigner({ sign: { kid: "k1", key: ED25519 }, store: makeStore() }),
  opaque: createOpaqueSigner({ store: makeStore() }),
};

/** Any UTF-16, halves of surrogate pairs included. */
const anyText = fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 12 })
  .map((units) => String.fromCharCode(...units));
const anyName = fc.oneof(
  anyText,
  fc.constantFrom(
    "__proto__",
    "constructor",
    "prototype",
    "toJSON",
    "then",
    "length",
    "0",
    "1",
    "-1",
    "4294967295",
    "",
  ),
);
const { value: anyJson } = fc.letrec<{ value: Json; object: { [name: string]: Json } }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.oneof(anyText, fc.double(), fc.integer(), fc.boolean(), fc.constant(null)),
    fc.array(tie("value"), { maxLength: 3 }),
    tie("object"),
  ),
  // By definition, as JSON.parse does it: "__proto__" is a name like any other.
  object: fc.array(fc.tuple(anyName, tie("value")), { maxLength: 3 }).map((entries) => Object.fromEntries(entries)),
}));
const anyClaims = fc.array(fc.tuple(anyName, anyJson), { maxLength: 4 }).map((entries) => Object.fromEntries(entries));
const anyCaller: fc.Arbitrary<Caller> = fc.record(
  { id: anyText, tenant: anyText, claims: anyClaims },
  { requiredKeys: ["id"] },
);
const anyIds = fc.uniqueArray(fc.stringMatching(/^[A-Za-z0-9\-.]{1,64}$/), { minLength: 1, maxLength: 20 });

for (const [kind, signer] of Object.entries(KINDS)) {
  describe(`A ${kind} signer`, () => {
    it("gives back exactly what it signed, for any caller, ids and times", async () => {
      const anyLife = fc.integer({ min: 1, max: 86_400 });
      const anyId = fc.oneof(fc.uuid(), anyText);
      await fc.assert(
        fc.asyncProperty(anyId, anyCaller, anyIds, anyLife, anyText, async (id, caller, subscriptions, life, base) => {
          const given = makeGrant({ id, audience: base, caller, subscriptions, expiresAt: SECONDS + life });
          // What JSON has no word for never arrives: -0 and NaN.
          const grant = JSON.stringify(given);
          const token = await signer.sign(given);
          const { generations, ...found } = await signer.verify(token, NOW);
          assertStrictEquals(JSON.stringify(found), grant);
          assertEquals(generations, signer.generations && new Array(subscriptions.length + 1).fill(0));
          assertEquals(Object.getPrototypeOf(found.caller.claims ?? {}), Object.prototype);
        }),
        { numRuns: 300 },
      );
    });

    it("refuses every change of a token", async () => {
      const tokens = await Promise.all([makeGrant(), makeGrant()].map((grant) => signer.sign(grant)));
      const [token = "", other = ""] = tokens;
      const anyPlace = fc.nat(token.length - 1);
      const anyChange = fc.oneof(
        fc.tuple(anyPlace, anyText).map(([at, text]) => token.slice(0, at) + text + token.slice(at + text.length)),
        fc.tuple(anyPlace, anyText).map(([at, text]) => token.slice(0, at) + text + token.slice(at)),
        fc.tuple(anyPlace, anyPlace).map(([from, to]) => token.slice(0, from) + token.slice(to)),
        fc.tuple(anyPlace, fc.base64String({ minLength: 1, maxLength: 8 })).map(([at, text]) =>
          token.slice(0, at) + text.replaceAll("+", "-").replaceAll("/", "_") + token.slice(at + text.length)
        ),
        anyPlace.map((at) => token.slice(0, at) + other.slice(at)),
        fc.shuffledSubarray(token.split(".")).map((parts) => parts.join(".")),
      );
      await fc.assert(
        fc.asyncProperty(anyChange, async (changed) => {
          fc.pre(!tokens.includes(changed));
          await assertUnknown(signer, changed);
        }),
        { numRuns: 1000 },
      );
    });

    it("refuses any text that it did not write", async () => {
      const anything = fc.oneof(anyText, fc.string({ maxLength: 500 }), fc.base64String(), fc.json(), fc.webUrl());
      await fc.assert(fc.asyncProperty(anything, (text) => assertUnknown(signer, text)), { numRuns: 500 });
    });
  });
}
