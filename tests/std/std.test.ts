import { test } from "node:test";
import {
  assert,
  assertArrayIncludes,
  assertEquals,
  assertExists,
  assertFalse,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  AssertionError,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertNotEquals,
  assertObjectMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  fail,
} from "@std/assert";
import { timingSafeEqual } from "@std/crypto";

const SAME = {};

/** Each assertion as it holds and as it fails. */
const ASSERTIONS: { readonly [name: string]: readonly [holds: () => void, fails: () => void] } = {
  assert: [() => assert(1), () => assert(0)],
  assertFalse: [() => assertFalse(0), () => assertFalse(1)],
  assertExists: [() => assertExists(0), () => assertExists(null)],
  assertInstanceOf: [() => assertInstanceOf(new RangeError(), Error), () => assertInstanceOf(new Error(), RangeError)],
  assertEquals: [() => assertEquals({ a: [1] }, { a: [1] }), () => assertEquals({ a: [1] }, { a: [2] })],
  assertNotEquals: [() => assertNotEquals({ a: [1] }, { a: [2] }), () => assertNotEquals({ a: [1] }, { a: [1] })],
  assertStrictEquals: [() => assertStrictEquals(SAME, SAME), () => assertStrictEquals({}, {})],
  assertObjectMatch: [() => assertObjectMatch({ a: 1, b: 2 }, { a: 1 }), () => assertObjectMatch({ a: 1 }, { a: 2 })],
  assertGreater: [() => assertGreater(2, 1), () => assertGreater(1, 1)],
  assertGreaterOrEqual: [() => assertGreaterOrEqual(2, 2), () => assertGreaterOrEqual(1, 2)],
  assertLess: [() => assertLess(1, 2), () => assertLess(2, 2)],
  assertLessOrEqual: [() => assertLessOrEqual(2, 2), () => assertLessOrEqual(3, 2)],
  assertMatch: [() => assertMatch("abc", /b/), () => assertMatch("abc", /x/)],
  assertStringIncludes: [() => assertStringIncludes("abc", "b"), () => assertStringIncludes("abc", "x")],
  assertArrayIncludes: [() => assertArrayIncludes([1, 2], [2]), () => assertArrayIncludes([1, 2], [3])],
  assertThrows: [() => void assertThrows(throwTypeError, TypeError, "no"), () => void assertThrows(() => 1)],
  "assertThrows with a class": [() => void assertThrows(throwTypeError), () => {
    assertThrows(throwTypeError, RangeError);
  }],
  fail: [() => {}, () => fail()],
};

function throwTypeError(): never {
  throw new TypeError("no");
}

for (const [name, [holds, fails]] of Object.entries(ASSERTIONS)) {
  test(`${name} throws an AssertionError only when it does not hold`, () => {
    holds();
    let thrown: unknown;
    try {
      fails();
    } catch (error) {
      thrown = error;
    }
    // An assertion cannot vouch for itself.
    if (!(thrown instanceof AssertionError)) throw new Error("no AssertionError was thrown");
  });
}

test("assertRejects returns the error and refuses one of another class", async () => {
  function run(): Promise<never> {
    return Promise.reject(new TypeError("no"));
  }
  assertEquals((await assertRejects(run, TypeError, "no")).message, "no");
  await assertRejects(() => assertRejects(run, RangeError), AssertionError);
});

test("timingSafeEqual tells equal bytes from others", () => {
  assert(timingSafeEqual(Uint8Array.of(1, 2), Uint8Array.of(1, 2)));
  assertFalse(timingSafeEqual(Uint8Array.of(1, 2), Uint8Array.of(1, 3)));
  assertThrows(() => timingSafeEqual(Uint8Array.of(1), Uint8Array.of(1, 2)), TypeError);
});
