/** The one function of `@std/crypto` that the tests use. */

/**
 * Compares without telling by its duration where the two differ.
 *
 * @throws {TypeError} when their lengths differ.
 */
export function timingSafeEqual(
  a: ArrayBufferView | ArrayBufferLike | DataView,
  b: ArrayBufferView | ArrayBufferLike | DataView,
): boolean;
