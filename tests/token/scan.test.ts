// Two readers of claims: a quick one for what our own signers write most of the time, and JSON.parse for the rest. Where the
// quick one says anything, it says what the other would.

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { describe, it } from "node:test";
import { type Claims, readClaims } from "../../src/token/claims.ts";
import { scanClaims } from "../../src/token/scan.ts";
import { base64url } from "./tokens.ts";

const PLAIN = {
  iss: "https://example.org/fhir/R5",
  aud: "https://example.org/fhir/R5",
  sub: "alice",
  iat: 1767323045,
  exp: 1767326645,
  jti: "0b1f5f5e-7d0c-4b8a-a3a3-6d2d1f6a0c11",
  tenant: "t1",
  subscriptions: ["s1", "s2"],
  generations: [0, 7, 10],
};

const anyPlain = fc.stringMatching(/^[ !#-[\]-~]{0,12}$/);
/** Also what has to be escaped. */
const anyText = fc.oneof({ weight: 12, arbitrary: anyPlain }, fc.string({ unit: "binary", maxLength: 8 }));
const anyWhole = fc.oneof(
  { weight: 12, arbitrary: fc.nat() },
  fc.constantFrom(0, 9, 10, -1, 2 ** 53 - 1, 2 ** 53, 1e21, 0.5),
);
const anyClaims = fc.record({
  iss: anyText,
  aud: anyText,
  sub: anyText,
  iat: anyWhole,
  exp: anyWhole,
  jti: anyText,
  tenant: anyText,
  subscriptions: fc.array(anyText, { maxLength: 4 }),
  generations: fc.array(anyWhole, { maxLength: 4 }),
}, { requiredKeys: ["iss", "aud", "sub", "iat", "exp", "jti", "subscriptions"] });

/** Pieces that mean something in JSON, put where they do not belong. */
const anyPiece = fc.oneof(
  fc.constantFrom(
    '"',
    "\\",
    ",",
    ":",
    "[",
    "]",
    "{",
    "}",
    "-",
    "0",
    "1",
    ".",
    "e1",
    " ",
    "\n",
    "\ufeff",
    "\u0000",
    "é",
  ),
  fc.constantFrom(
    "null",
    "true",
    '","',
    '"]',
    '"]}',
    '","aud":"x',
    ',"exp":1',
    "\\u0061",
    '"sub":"bob",',
    '","tenant":"',
  ),
  anyText,
);
const anyChange = fc.record({ at: fc.nat(1000), cut: fc.nat(4), put: fc.option(anyPiece, { nil: "" }) });

/** The claims as the general reader has them: no member that stands twice, nothing that is written otherwise. */
function assertAgrees(json: string): Claims | undefined {
  const scanned = scanClaims(json);
  if (scanned === undefined) return undefined;
  const parsed: object = JSON.parse(json);
  // A number too great to be exact is refused behind either reader.
  if (!Object.values(scanned).flat().some((value) => typeof value === "number" && !Number.isSafeInteger(value))) {
    assertEquals(JSON.stringify(parsed), json);
    assertEquals(JSON.parse(JSON.stringify(scanned)), parsed);
    assertEquals(
      Object.keys(parsed),
      Object.entries(scanned).flatMap(([name, value]) => value === undefined ? [] : [name]),
    );
  }
  return scanned;
}

function read(json: string): Claims | undefined {
  const bytes = new TextEncoder().encode(`${base64url(json)}....`);
  return readClaims(bytes, 0, bytes.length - 4);
}

/** What `readClaims` says to the same claims in an order which the quick reader does not know. */
function readInAnotherOrder(json: string): Claims | undefined {
  return read(
    JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(json)).toReversed())).replace(
      /[\u0080-\uffff]/g,
      (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
    ),
  );
}

describe("claims in the form of our own signers", () => {
  it("are read without JSON.parse", () => {
    for (const left of [[], ["tenant"], ["generations"], ["tenant", "generations"]]) {
      const claims = Object.fromEntries(Object.entries(PLAIN).filter(([name]) => !left.includes(name)));
      assertEquals(JSON.parse(JSON.stringify(assertAgrees(JSON.stringify(claims)))), claims);
    }
  });

  it("are the same for both readers, whatever they are", () => {
    let scanned = 0;
    fc.assert(
      fc.property(anyClaims, (claims) => {
        const json = JSON.stringify(claims);
        if (assertAgrees(json) === undefined) return;
        scanned++;
        assertEquals(JSON.stringify(sorted(read(json))), JSON.stringify(sorted(readInAnotherOrder(json))));
      }),
      { numRuns: 3000 },
    );
    assert(scanned > 100, `${scanned} were read by the quick reader`);
  });

  it("are none in any other spelling", () => {
    fc.assert(
      fc.property(fc.array(anyChange, { minLength: 1, maxLength: 3 }), (changes) => {
        const json = changes.reduce((text, { at, cut, put }) => {
          const place = at % (text.length + 1);
          return text.slice(0, place) + put + text.slice(place + cut);
        }, JSON.stringify(PLAIN));
        assertAgrees(json);
      }),
      { numRuns: 10_000 },
    );
  });

  it("are none with one character more, less or another, anywhere", () => {
    const json = JSON.stringify(PLAIN);
    for (let at = 0; at <= json.length; at++) {
      for (const put of ["", '"', "\\", ",", "0", "-", " ", "]", "}", "a", "\u007f", "\u0130"]) {
        assertAgrees(json.slice(0, at) + put + json.slice(at));
        assertAgrees(json.slice(0, at) + put + json.slice(at + 1));
      }
    }
  });

  it("are left to the general reader in every form that they may not have", () => {
    const json = JSON.stringify(PLAIN);
    const others = [
      "",
      "{}",
      "null",
      ` ${json}`,
      `${json} `,
      json + json,
      json.replace("1767323045", "01767323045"),
      json.replace("1767323045", "-1"),
      json.replace("1767323045", "-0"),
      json.replace("1767323045", ""),
      json.replace("1767323045", "1.0"),
      json.replace("1767323045", "1e9"),
      json.replace("1767323045", '"1767323045"'),
      json.replace('"sub":"alice"', '"sub":"alice","sub":"bob"'),
      json.replace("alice", "\\u0061lice"),
      json.replace("alice", "alicé"),
      json.replace("alice", "al\\ice"),
      json.replace("[0,7,10]", "[]"),
      json.replace("[0,7,10]", "[0,]"),
      json.replace("[0,7,10]", "[0 ,7]"),
      json.replace('["s1","s2"]', "[]"),
      json.replace('["s1","s2"]', '["s1",]'),
      json.replace('["s1","s2"]', '"s1"'),
      json.replace(',"generations"', ',"claims":{},"generations"'),
      json.replace(',"exp"', ',"nbf":1767323045,"exp"'),
    ];
    for (const other of others) assertEquals(scanClaims(other), undefined, other);
  });

  it("are refused with ids that are none, and with numbers too great to be exact", () => {
    const json = JSON.stringify(PLAIN);
    assert(read(json) !== undefined, "as they are");
    const bad = [
      json.replace('"s1"', '"../Patient"'),
      json.replace('"s1"', '""'),
      json.replace('"s1"', `"${"s".repeat(65)}"`),
      json.replace("1767326645", "9007199254740993"),
      json.replace("1767326645", "9".repeat(400)),
      json.replace("[0,7,10]", "[9007199254740993]"),
    ];
    for (const other of bad) {
      assert(scanClaims(other) !== undefined, other);
      assertEquals(read(other), undefined, other);
    }
  });
});

function sorted(claims: Claims | undefined): unknown {
  return claims && Object.entries(claims).filter(([, value]) => value !== undefined).sort();
}
