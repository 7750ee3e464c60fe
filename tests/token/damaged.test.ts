import { describe, it } from "node:test";
import {
  type BindingEvent,
  createJwtSigner,
  createOpaqueSigner,
  type TokenSigner,
  verifyBinding,
} from "@fhir-ws/binding";
import { createMemoryTokenStore } from "@fhir-ws/binding/storage/memory";
import { assert, assertEquals, assertLess, assertLessOrEqual } from "@std/assert";
import { ED25519, P256 } from "./known_keys.ts";
import { assertRefused, assertUnknown, BASE, base64url, claimsOf, makeGrant, NOW, signHmac, TYPE } from "./tokens.ts";

const SECRET = crypto.getRandomValues(new Uint8Array(32));
const SIGNER = await createJwtSigner({ sign: { kid: "k1", key: SECRET } });
const HEADER = base64url(JSON.stringify({ alg: "HS256", typ: TYPE, kid: "k1" }));
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const KINDS: Readonly<Record<string, TokenSigner>> = {
  HS256: SIGNER,
  ES256: await createJwtSigner({ sign: { kid: "k1", key: P256 } }),
  EdDSA: await createJwtSigner({ sign: { kid: "k1", key: ED25519 } }),
  opaque: createOpaqueSigner({ store: createMemoryTokenStore() }),
};

/** A payload whose base64url leaves bits unused in its last character. */
function payloadWithRest(): string {
  for (const pad of ["", "x", "xx"]) {
    const payload = base64url(JSON.stringify(claimsOf(makeGrant({ caller: { id: `alice${pad}` } }))));
    if (payload.length % 4 !== 0) return payload;
  }
  throw new Error("three lengths in a row cannot all be divisible by three");
}

/** The same bytes in another spelling: an unused bit of the last character is set. */
function respell(part: string): string {
  const last = ALPHABET.indexOf(part.at(-1) ?? "");
  return part.slice(0, -1) + ALPHABET[last ^ 1];
}

for (const [kind, signer] of Object.entries(KINDS)) {
  describe(`verify of a damaged ${kind} token`, () => {
    it("refuses it cut off anywhere, from either end", async () => {
      const token = await signer.sign(makeGrant());
      for (let n = 0; n < token.length; n++) {
        await assertUnknown(signer, token.slice(0, n), `the first ${n} characters`);
        await assertUnknown(signer, token.slice(token.length - n), `the last ${n} characters`);
      }
    });

    it("refuses it with any bit of any character flipped", async () => {
      const token = await signer.sign(makeGrant());
      // Verifying ES256 takes a millisecond on some runtimes: one bit of each character is enough there.
      const bits = kind === "ES256" ? [1] : [1, 2, 4, 8, 16, 32, 64, 128];
      for (let n = 0; n < token.length; n++) {
        for (const bit of bits) {
          const flipped = String.fromCharCode(token.charCodeAt(n) ^ bit);
          await assertUnknown(signer, token.slice(0, n) + flipped + token.slice(n + 1), `bit ${bit} of character ${n}`);
        }
      }
    });

    it("refuses it with anything before, behind or within", async () => {
      const token = await signer.sign(makeGrant());
      for (
        const extra of [
          " ",
          "\n",
          "\r\n",
          "\t",
          "=",
          "==",
          ".",
          "..",
          "A",
          "\0",
          "%20",
          "\u200b",
          "\ufeff",
          "é",
          "\ud800",
        ]
      ) {
        const middle = Math.floor(token.length / 2);
        const within = token.slice(0, middle) + extra + token.slice(middle);
        for (const text of [extra + token, token + extra, within, extra]) {
          await assertUnknown(signer, text, JSON.stringify(text));
        }
        if (token.includes(".")) await assertUnknown(signer, token.replaceAll(".", `.${extra}`));
      }
      await assertUnknown(signer, `Bearer ${token}`);
      await assertUnknown(signer, `"${token}"`);
      await assertUnknown(signer, token + token);
    });

    it("refuses its last character in another spelling of the same bytes", async () => {
      const token = await signer.sign(makeGrant());
      const spare = { HS256: 2, ES256: 4, EdDSA: 4, opaque: 2 }[kind] ?? 0;
      const last = ALPHABET.indexOf(token.at(-1) ?? "");
      for (let rest = 1; rest < 1 << spare; rest++) {
        await assertUnknown(signer, token.slice(0, -1) + ALPHABET[last ^ rest]);
      }
    });

    it("refuses what is no text at all, in the fixed words and as the client's fault", async () => {
      const token = await signer.sign(makeGrant());
      const events: BindingEvent[] = [];
      const endpoint = {
        base: BASE,
        fhirVersion: "R5" as const,
        tokens: signer,
        subscriptions: { read: () => undefined },
        now: () => NOW,
        onEvent: (event: BindingEvent) => void events.push(event),
      };
      const values: readonly unknown[] = [
        undefined,
        null,
        true,
        0,
        NaN,
        1n,
        Symbol("token"),
        () => token,
        {},
        { length: token.length, toString: () => token },
        [token],
        [...token],
        new String(token),
        new TextEncoder().encode(token),
        Promise.resolve(token),
      ];
      for (const value of values) {
        await assertUnknown(signer, value);
        await assertRefused(() => verifyBinding(value as string, endpoint));
      }
      assertEquals(events, []);
    });
  });
}

describe("verify of an HS256 token whose signature is genuine", () => {
  it("refuses a payload in another spelling of the same bytes", async () => {
    const payload = payloadWithRest();
    const good = await signHmac(`${HEADER}.${payload}`, SECRET);
    assertEquals((await SIGNER.verify(good, NOW)).audience, BASE);
    assertEquals(
      atob(respell(payload).replaceAll("-", "+").replaceAll("_", "/")).length,
      Math.floor(payload.length * 3 / 4),
    );
    await assertUnknown(SIGNER, await signHmac(`${HEADER}.${respell(payload)}`, SECRET));
  });

  it("refuses a payload with padding, white space or the letters of plain base64", async () => {
    const text = JSON.stringify(claimsOf(makeGrant({ caller: { id: "~~~???" } })));
    const plain = btoa(text).replaceAll("=", "");
    const payload = base64url(text);
    assert(plain !== payload, "the letters differ");
    await SIGNER.verify(await signHmac(`${HEADER}.${payload}`, SECRET), NOW);
    const padded = payload.padEnd(Math.ceil(payload.length / 4) * 4 + 4, "=");
    for (
      const other of [plain, padded, `${payload}=`, ` ${payload}`, `${payload}\n`, payload.replace(/^..../, "$& ")]
    ) {
      await assertUnknown(SIGNER, await signHmac(`${HEADER}.${other}`, SECRET), other);
    }
  });

  it("refuses a header in another spelling, and a signature with padding", async () => {
    const payload = base64url(JSON.stringify(claimsOf(makeGrant())));
    for (const header of [`${HEADER}=`, ` ${HEADER}`, respell(HEADER), HEADER.toLowerCase(), ""]) {
      await assertUnknown(SIGNER, await signHmac(`${header}.${payload}`, SECRET), header);
    }
    await assertUnknown(SIGNER, `${await signHmac(`${HEADER}.${payload}`, SECRET)}=`);
  });

  it("refuses other numbers of parts", async () => {
    const payload = base64url(JSON.stringify(claimsOf(makeGrant())));
    const token = await signHmac(`${HEADER}.${payload}`, SECRET);
    const [, , signature] = token.split(".");
    await assertUnknown(SIGNER, await signHmac(HEADER, SECRET));
    await assertUnknown(SIGNER, await signHmac(`${HEADER}.${payload}.`, SECRET));
    await assertUnknown(SIGNER, await signHmac(`${HEADER}.${payload}.${signature}`, SECRET));
    await assertUnknown(SIGNER, await signHmac(`${HEADER}.${payload}.x.y`, SECRET));
    await assertUnknown(SIGNER, JSON.stringify({ protected: HEADER, payload, signature }));
  });
});

describe("verify of a long text", () => {
  it("takes a genuine token up to 16384 characters and none beyond", async () => {
    const lengths = [];
    for (let size = 11_900; size < 12_200; size++) {
      const caller = { id: "alice", claims: { text: "x".repeat(size) } };
      const token = await SIGNER.sign(makeGrant({ caller }));
      lengths.push(token.length);
      if (token.length > 16_384) await assertUnknown(SIGNER, token);
      else assertEquals((await SIGNER.verify(token, NOW)).caller, caller);
    }
    assert(lengths.some((length) => length <= 16_384 && length > 16_380), "just below the limit");
    assert(lengths.some((length) => length > 16_384 && length < 16_390), "just above the limit");
  });

  for (const [kind, signer] of Object.entries(KINDS)) {
    it(`refuses a megabyte to ${kind} without looking at it`, async (t) => {
      const token = await signer.sign(makeGrant());
      const parts = token.split(".");
      const long = [
        "x".repeat(1 << 20),
        ".".repeat(1 << 20),
        `${parts[0]}.${"x".repeat(1 << 20)}.${parts.at(-1)}`,
        token + "A".repeat(1 << 20),
      ];
      const spies = [
        t.mock.method(crypto.subtle, "verify"),
        t.mock.method(crypto.subtle, "digest"),
        t.mock.method(JSON, "parse"),
      ];
      const times: number[] = [];
      try {
        for (let round = 0; round < 100; round++) {
          for (const text of long) {
            const start = performance.now();
            await Promise.resolve(signer.verify(text, NOW)).catch(() => undefined);
            times.push(performance.now() - start);
          }
        }
        assertEquals(spies.map(({ mock }) => mock.callCount()), [0, 0, 0]);
      } finally {
        for (const { mock } of spies) mock.restore();
      }
      for (const text of long) await assertUnknown(signer, text);
      times.sort((a, b) => a - b);
      // A few microseconds; the limit leaves room for the slowest of machines.
      assertLess(times[times.length >> 1] ?? Infinity, 0.5);
    });
  }

  it("takes milliseconds at most for the worst text of the greatest length", async () => {
    const worst = [`${HEADER}.${base64url("[".repeat(12_000))}`, `${HEADER}.${base64url('{"a":'.repeat(2_400))}`]
      .map((input) => `${input}.${"A".repeat(43)}`);
    for (const text of worst) {
      assertLessOrEqual(text.length, 16_384);
      const start = performance.now();
      for (let round = 0; round < 20; round++) await assertUnknown(SIGNER, text);
      assertLess((performance.now() - start) / 20, 20);
    }
  });
});
