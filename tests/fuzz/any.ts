// What inputs at an edge are made of: good ones, and good ones in which something is wrong.

import process from "node:process";
import fc from "fast-check";
import type { FhirVersion, Json } from "@fhir-ws/binding";

/** The same on every machine and every run: what a run finds can be run again. */
const SEED = 20_300_101;

/**
 * How often a property is tried. `FUZZ=50` asks for fifty times as many runs, by a seed that is drawn and that a failure
 * prints; `FUZZ_SEED` asks for that one again.
 */
export function runs(times: number): { readonly numRuns: number; readonly seed?: number } {
  const { FUZZ, FUZZ_SEED } = process.env;
  const seed = FUZZ_SEED ?? (FUZZ === undefined ? SEED : undefined);
  return { numRuns: Math.ceil(times * Number(FUZZ ?? 1)), ...(seed !== undefined && { seed: Number(seed) }) };
}

export const anyVersion: fc.Arbitrary<FhirVersion> = fc.constantFrom("R4", "R4B", "R5");

export const anyId = fc.stringMatching(/^[A-Za-z0-9\-.]{1,64}$/);

/** Any UTF-16, halves of surrogate pairs included. */
export const anyText = fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 20 })
  .map((units) => String.fromCharCode(...units));

/** Nested far more deeply than anything that has a meaning; not so deeply that a runtime could not write it down. */
function nested(depth: number): Json {
  return JSON.parse(`${"[".repeat(depth)}${"]".repeat(depth)}`);
}

/** Values over which a careless reader stumbles. */
const SNAGS: readonly Json[] = [
  ...[null, true, false, 0, -0, -1, 0.5, 1e308, 2 ** 53, "", " ", "0", "null", "\ud800", "\u0000", "__proto__"],
  ...[[], {}, [null], [[]], [{}], nested(500), "x".repeat(500)],
  // What cannot be made a text of: neither member is a function.
  { toString: 1, valueOf: null },
  JSON.parse('{"__proto__":{"id":"abc123","status":"active"}}'),
  { length: 1, 0: "abc123" },
  { resourceType: "Parameters" },
  { reference: { reference: {} } },
];

const snag: fc.Arbitrary<Json> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...SNAGS) },
  fc.jsonValue().map((value) => value as Json), // its type says that its lists may be written, and no more
);

/** One thing done to one place of a JSON value. */
interface Damage {
  /** Modulo the number of places. */
  readonly at: number;
  readonly how: "replace" | "remove" | "repeat" | "wrap" | "rename";
  readonly by: Json;
}

const damage: fc.Arbitrary<Damage> = fc.record({
  at: fc.nat({ max: 1000 }),
  how: fc.constantFrom("replace", "replace", "remove", "repeat", "wrap", "rename"),
  by: snag,
});

/** Good values, of which most have a few things wrong in them. */
export function damaged(good: fc.Arbitrary<Json>, most = 3): fc.Arbitrary<Json> {
  return fc.tuple(good, fc.array(damage, { maxLength: most }))
    .map(([value, damages]) => damages.reduce(applyDamage, value));
}

function applyDamage(value: Json, { at, how, by }: Damage): Json {
  let place = at % countPlaces(value);
  function visit(one: Json): Json[] {
    if (place-- === 0) return change(one);
    if (typeof one !== "object" || one === null) return [one];
    if (isList(one)) return [one.flatMap(visit)];
    const members = Object.entries(one).flatMap(([name, member]) => {
      const here = place === 0;
      const [changed, ...more] = visit(member);
      const known = changed === undefined ? [] : [[here && how === "rename" ? `_${name}` : name, changed] as const];
      return [...known, ...more.map((another) => [name.toUpperCase(), another] as const)];
    });
    return [Object.fromEntries(members)];
  }
  function change(one: Json): Json[] {
    if (how === "replace") return [by];
    if (how === "repeat") return [one, one];
    if (how === "wrap") return [[one]];
    return how === "remove" ? [] : [one];
  }
  return visit(value)[0] ?? null;
}

function countPlaces(value: Json): number {
  if (typeof value !== "object" || value === null) return 1;
  return Object.values(value).reduce<number>((sum, member) => sum + countPlaces(member), 1);
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

/** Good texts, of which most have a few characters changed, left out, put in or repeated. */
export function garbled(good: fc.Arbitrary<string>, units: fc.Arbitrary<string> = anyText): fc.Arbitrary<string> {
  const change = fc.record({ at: fc.nat({ max: 10_000 }), cut: fc.nat({ max: 3 }), put: units });
  return fc.tuple(good, fc.array(change, { maxLength: 3 })).map(([text, changes]) =>
    changes.reduce((text, { at, cut, put }) => {
      const place = at % (text.length + 1);
      return text.slice(0, place) + put + text.slice(place + cut);
    }, text)
  );
}

/** The same as printable ASCII alone, as header fields may hold it. */
export function garbledAscii(good: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return garbled(good, fc.stringMatching(/^[\x20-\x7e]{0,3}$/));
}

/** A text as bytes, most of them as they should be. */
export function anyBytes(text: fc.Arbitrary<string>): fc.Arbitrary<Uint8Array<ArrayBuffer>> {
  const flips = fc.array(fc.record({ at: fc.nat({ max: 10_000 }), bit: fc.nat({ max: 7 }) }), { maxLength: 2 });
  const encode = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(new TextEncoder().encode(text));
  return fc.oneof(
    { weight: 6, arbitrary: text.map(encode) },
    fc.tuple(text, flips).map(([text, flips]) => flips.reduce(flipBit, encode(text))),
    text.map((text) => encode(`\ufeff${text}`)),
    text.map((text) => Uint8Array.from(text, (unit) => unit.charCodeAt(0))),
    text.map((text) => new Uint8Array(Uint16Array.from(text, (unit) => unit.charCodeAt(0)).buffer)),
  );
}

/** One bit of one byte, modulo their number. */
export function flipBit(
  bytes: Uint8Array<ArrayBuffer>,
  { at, bit }: { readonly at: number; readonly bit: number },
): Uint8Array<ArrayBuffer> {
  return bytes.map((byte, n) => n === at % bytes.length ? byte ^ 1 << bit : byte);
}
