/** The assertions that the tests use, with the types that JSR's `@std/assert` gives them. */

/** What every assertion throws. */
export class AssertionError extends Error {
  constructor(message: string, options?: ErrorOptions);
}

/** A class whose instances an assertion expects; abstract ones too. */
// deno-lint-ignore no-explicit-any -- no other parameter list accepts every constructor
export type AnyConstructor<T = unknown> = abstract new (...args: any[]) => T;

/** Values that `<` and `>` order. */
export type Comparable = string | number | bigint | Date | boolean;

// --- truth ---

export function assert(condition: unknown, message?: string): asserts condition;
export function assertFalse(
  condition: unknown,
  message?: string,
): asserts condition is false | 0 | "" | null | undefined;
export function assertExists<T>(value: T, message?: string): asserts value is NonNullable<T>;
export function assertInstanceOf<C extends AnyConstructor>(
  value: unknown,
  type: C,
  message?: string,
): asserts value is InstanceType<C>;
export function fail(message?: string): never;

// --- equality ---

export function assertEquals<T>(actual: T, expected: T, message?: string): void;
export function assertNotEquals<T>(actual: T, expected: T, message?: string): void;
export function assertStrictEquals<T>(actual: unknown, expected: T, message?: string): asserts actual is T;
export function assertObjectMatch(
  // deno-lint-ignore no-explicit-any -- an interface has no index signature, so `unknown` would refuse it
  actual: Record<PropertyKey, any>,
  expected: Record<PropertyKey, unknown>,
  message?: string,
): void;

// --- order and content ---

export function assertGreater<T extends Comparable>(actual: T, expected: T, message?: string): void;
export function assertGreaterOrEqual<T extends Comparable>(actual: T, expected: T, message?: string): void;
export function assertLess<T extends Comparable>(actual: T, expected: T, message?: string): void;
export function assertLessOrEqual<T extends Comparable>(actual: T, expected: T, message?: string): void;
export function assertMatch(actual: string, expected: RegExp, message?: string): void;
export function assertStringIncludes(actual: string, expected: string, message?: string): void;
export function assertArrayIncludes<T>(actual: ArrayLike<T>, expected: ArrayLike<T>, message?: string): void;

// --- errors ---

export function assertThrows(run: () => unknown, message?: string): unknown;
export function assertThrows<E extends Error = Error>(
  run: () => unknown,
  errorClass: AnyConstructor<E>,
  messageIncludes?: string,
  message?: string,
): E;
export function assertRejects(run: () => PromiseLike<unknown>, message?: string): Promise<unknown>;
export function assertRejects<E extends Error = Error>(
  run: () => PromiseLike<unknown>,
  errorClass: AnyConstructor<E>,
  messageIncludes?: string,
  message?: string,
): Promise<E>;
