import { describe, it } from "node:test";
import { createJwtSigner } from "@fhir-ws/binding";
import { assertEquals } from "@std/assert";
import { decodeProtectedHeader } from "jose";
import { ED25519, P256, P384 } from "./known_keys.ts";
import { assertUnknown, makeGrant, NOW } from "./tokens.ts";

const GRANT = makeGrant();

describe("createJwtSigner, when keys rotate,", () => {
  const OLD = { kid: "2025", key: ED25519 };
  const NEW = { kid: "2026", key: P384 };

  it("binds the old key's tokens while that still verifies, signs with the new one, and then forgets the old", async () => {
    const before = await createJwtSigner({ sign: OLD });
    const during = await createJwtSigner({ sign: NEW, verify: [OLD] });
    const after = await createJwtSigner({ sign: NEW });
    const [old, renewed] = [await before.sign(GRANT), await during.sign(GRANT)];
    assertEquals([decodeProtectedHeader(old).kid, decodeProtectedHeader(renewed).kid], ["2025", "2026"]);
    for (const token of [old, renewed]) assertEquals(await during.verify(token, NOW), GRANT);
    assertEquals(await after.verify(renewed, NOW), GRANT);
    await assertUnknown(after, old);
    await assertUnknown(before, renewed);
    assertEquals(during.jwks.keys.map((jwk) => [jwk.crv, Object(jwk).kid]), [["P-384", "2026"], ["Ed25519", "2025"]]);
  });

  it("refuses an old kid that is given to a new key", async () => {
    const before = await createJwtSigner({ sign: { kid: "k", key: P256 } });
    const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]);
    await assertUnknown(await createJwtSigner({ sign: { kid: "k", key: pair } }), await before.sign(GRANT));
  });

  it("keeps keys apart whose kids are alike", async () => {
    const kids = ["a", "a.", "A", 'a"a', "ä", "\ud800", "kid ".repeat(50)];
    const keys = kids.map((kid) => ({ kid, key: crypto.getRandomValues(new Uint8Array(32)) }));
    const all = await createJwtSigner({ sign: { kid: "now", key: ED25519 }, verify: keys });
    for (const sign of keys) {
      const token = await (await createJwtSigner({ sign })).sign(GRANT);
      assertEquals(await all.verify(token, NOW), GRANT);
      for (const other of keys) {
        if (other !== sign) await assertUnknown(await createJwtSigner({ sign: { ...other, key: sign.key } }), token);
      }
    }
  });
});
