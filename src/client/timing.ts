// Waiting that leaves nothing behind.

/**
 * The first of some promises, or `undefined` when the milliseconds have passed. No timer outlives it.
 *
 * @throws the signal's reason when that is aborted.
 */
export async function firstOf<T extends unknown[]>(
  milliseconds: number,
  signal: AbortSignal,
  ...promises: { readonly [n in keyof T]: Promise<T[n]> }
): Promise<T[number] | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const abort = (): void => reject(signal.reason);
  // Beyond 2^31 ms timers fire at once.
  const timer = setTimeout(resolve, Math.min(milliseconds, 2 ** 31 - 1), undefined);
  signal.addEventListener("abort", abort);
  if (signal.aborted) abort();
  try {
    return await Promise.race([promise, ...promises]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}
