// Wrong use of the stand-ins for `@std` is a type error, and their assertions narrow. Checked, never run.

import { assert, assertEquals, assertExists, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { timingSafeEqual } from "@std/crypto/timing-safe-equal";

export function narrows(text: string | undefined, count: number | null, error: unknown): readonly unknown[] {
  // @ts-expect-error: it may be undefined
  const early: string = text;
  assert(text !== undefined);
  const late: string = text;
  assertExists(count);
  assertInstanceOf(error, RangeError);
  return [early, late, count.toFixed(), error.message];
}

export async function errors(): Promise<readonly Error[]> {
  const thrown: RangeError = assertThrows(() => {}, RangeError);
  const rejected: TypeError = await assertRejects(() => Promise.resolve(), TypeError, "part of the message");
  return [thrown, rejected];
}

export function misuse(): void {
  // @ts-expect-error: a number is no string
  assertEquals(1, "1");
  // @ts-expect-error: not a function
  assertThrows(1);
  // @ts-expect-error: not a class
  assertThrows(() => {}, "message", "part of it");
  // @ts-expect-error: no promise
  assertRejects(() => 1);
  // @ts-expect-error: text has no bytes
  timingSafeEqual("a", "b");
}
