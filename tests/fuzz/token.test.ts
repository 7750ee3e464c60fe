// Tokens of every algorithm and both signers: what was signed comes back, and nothing else is a token.

import {
  type BindingGrant,
  createJwtSigner,
  createOpaqueSigner,
  type JwtSignerOptions,
  type TokenSigner,
} from "@fhir-ws/binding";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { describe, it } from "node:test";
import { ALGORITHMS, publicHalf } from "../token/known_keys.ts";
import { makeStore } from "../token/stores.ts";
import { assertUnknown, base64url, claimsOf, forgeHmac, makeGrant, NOW, SECONDS, TYPE } from "../token/tokens.ts";
import { anyId, anyText, flipBit, garbled, runs } from "./any.ts";

/** A signer, and what forgers know of it. */
interface Kind {
  readonly name: string;
  readonly signer: TokenSigner;
  /** With the same key under another id, or a store of its own. */
  readonly other: TokenSigner;
  readonly alg?: string;
  readonly publicKey?: JsonWebKey;
}

const KID = "k1";

async function jwtKind({ alg, jwk }: typeof ALGORITHMS[number], withStore: boolean): Promise<Kind> {
  const key = { ...jwk, alg };
  const make = (options: Omit<JwtSignerOptions, "singleUse">): Promise<TokenSigner> =>
    withStore ? createJwtSigner({ ...options, store: makeStore() }) : createJwtSigner(options);
  return {
    name: withStore ? `${alg} with a store` : alg,
    signer: await make({ sign: { kid: KID, key } }),
    other: await make({ sign: { kid: "k2", key } }),
    alg,
    publicKey: jwk.kty === "oct" ? { kty: "oct" } : publicHalf(jwk),
  };
}

const KINDS: readonly Kind[] = [
  ...await Promise.all(ALGORITHMS.flatMap((row) => [jwtKind(row, false), jwtKind(row, true)])),
  {
    name: "opaque",
    signer: createOpaqueSigner({ store: makeStore() }),
    other: createOpaqueSigner({ store: makeStore() }),
  },
];

const anyGrant: fc.Arbitrary<BindingGrant> = fc.record({
  id: fc.oneof(fc.uuid(), anyText),
  audience: fc.oneof(fc.webUrl(), anyText),
  caller: fc.record({
    id: anyText,
    tenant: anyText,
    claims: fc.dictionary(anyText, fc.jsonValue(), { maxKeys: 3 })
      .map((claims) => JSON.parse(JSON.stringify(claims))), // -0 has no word in JSON
  }, { requiredKeys: ["id"] }),
  subscriptions: fc.uniqueArray(anyId, { minLength: 1, maxLength: 20 }),
  issuedAt: fc.integer({ min: SECONDS - 600, max: SECONDS }),
  expiresAt: fc.integer({ min: SECONDS + 1, max: SECONDS + 7200 }),
});

/** One bit of one part: of the bytes that its text stands for, not of the text. */
const anyFlip = fc.record({ part: fc.nat({ max: 2 }), at: fc.nat({ max: 10_000 }), bit: fc.nat({ max: 7 }) });

/** How a text of base64url may be written to a reader that does not look closely. */
const SPELLINGS: readonly ((text: string) => string)[] = [
  (text) => text + "=".repeat(-text.length & 3 || 4),
  (text) => text.replaceAll("-", "+").replaceAll("_", "/") + "=",
  (text) => `${text.slice(0, 4)}\n${text.slice(4)}`,
  (text) => `${text}A`,
  (text) => text.toLowerCase(),
  (text) => text.split("").reverse().join(""),
];

/** Headers that say the same, more, or what a forger would like. */
function headers({ alg = "none", publicKey }: Kind): readonly string[] {
  const good = { alg, typ: TYPE, kid: KID };
  const other = { typ: TYPE, alg, kid: KID };
  return [
    ` ${JSON.stringify(good)}`,
    JSON.stringify(good, undefined, 1),
    JSON.stringify(other),
    ...[{ crit: ["b64"], b64: false }, { jwk: publicKey }, { jku: "https://example.org/jwks" }, { x5u: "x" }, {
      zip: "DEF",
    }]
      .map((more) => JSON.stringify({ ...good, ...more })),
    ...["none", "None", "HS256", "hs256", "RS256", "ES256K", ""].filter((one) => one !== alg)
      .map((alg) => JSON.stringify({ ...good, alg })),
    ...["JWT", "at+jwt", TYPE.toUpperCase()].map((typ) => JSON.stringify({ ...good, typ })),
    ...["k2", "../k1", "", "K1"].map((kid) => JSON.stringify({ ...good, kid })),
    JSON.stringify(good).replace("{", '{"alg":"none",'),
  ];
}

for (const kind of KINDS) {
  const { name, signer, other } = kind;
  describe(`a token of ${name}`, () => {
    it("says what was signed", async () => {
      await fc.assert(
        fc.asyncProperty(anyGrant, async (grant) => {
          const { generations: _, ...found } = await signer.verify(await signer.sign(grant), NOW);
          assertEquals(found, grant);
        }),
        runs(15),
      );
    });

    it("is none any more when one bit of it is another", async () => {
      const token = await signer.sign(makeGrant());
      const parts = token.split(".");
      await fc.assert(
        fc.asyncProperty(anyFlip, async ({ part, ...flip }) => {
          const changed = parts.map((text, n) =>
            n === part % parts.length ? base64url(flipBit(bytesOf(text), flip)) : text
          );
          await assertUnknown(signer, changed.join("."));
        }),
        runs(40),
      );
    });

    it("is none in other letters, or with parts of another token", async () => {
      const tokens = await Promise.all([signer, signer, other].map((one) => one.sign(makeGrant())));
      const parts = tokens.map((token) => token.split("."));
      const spelled = fc.record({
        of: fc.constantFrom(...tokens),
        part: fc.nat({ max: 2 }),
        spell: fc.constantFrom(...SPELLINGS),
      }).map(({ of, part, spell }) =>
        of.split(".").map((text, n, all) => n === part % all.length ? spell(text) : text).join(".")
      );
      const spliced = fc.tuple(...parts[0]?.map((_, n) => fc.constantFrom(...parts.map((one) => one[n] ?? ""))) ?? [])
        .map((chosen) => chosen.join("."));
      const changed = fc.oneof(spelled, spliced, garbled(fc.constantFrom(...tokens)));
      await fc.assert(
        fc.asyncProperty(changed, async (text) => {
          fc.pre(!tokens.slice(0, 2).includes(text));
          await assertUnknown(signer, text);
        }),
        runs(60),
      );
    });
  });

  if (kind.alg === undefined) continue;
  describe(`a forged token of ${name}`, () => {
    const claims = claimsOf(makeGrant());

    it("is none, whatever its header says and whoever has signed it", async () => {
      const [, payload = "", signature = ""] = (await signer.sign(makeGrant())).split(".");
      for (const header of headers(kind)) {
        const secrets = [
          JSON.stringify(kind.publicKey),
          kind.publicKey?.n ?? kind.publicKey?.x ?? KID,
          "\0".repeat(32),
        ];
        const forged = await Promise.all(
          secrets.map((secret) => forgeHmac(header, claims, Uint8Array.from(new TextEncoder().encode(secret)))),
        );
        const texts = [`${base64url(header)}.${payload}.${signature}`, `${base64url(header)}.${payload}.`, ...forged];
        for (const text of texts) await assertUnknown(signer, text, `${header} ${text}`);
      }
    });

    it("is none with a signature that says nothing", async () => {
      const [header, payload, signature = ""] = (await signer.sign(makeGrant())).split(".");
      const { length } = bytesOf(signature);
      const half = length / 2;
      const bytes = bytesOf(signature);
      const none = [
        ...[0, 1, half, length - 1, length, length + 1, 2 * length].map((size) => new Uint8Array(size)),
        new Uint8Array(length).fill(255),
        bytes.slice().reverse(),
        Uint8Array.from([...bytes.slice(half), ...bytes.slice(0, half)]), // ECDSA's two numbers changed over
        Uint8Array.from([...bytes, 0]),
        Uint8Array.from([0x30, length + 4, 2, half, ...bytes.slice(0, half), 2, half, ...bytes.slice(half)]), // DER
      ];
      for (const bytes of none) {
        assert(base64url(bytes) !== signature);
        await assertUnknown(signer, [header, payload, base64url(bytes)].join("."), `${bytes}`);
      }
    });
  });
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
}
