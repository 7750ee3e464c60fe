// Waiting that leaves nothing behind.

/** A promise and how to settle it. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (reason: unknown) => void;
}

/** `Promise.withResolvers`, which Node 20 does not have. */
export function defer<T>(): Deferred<T> {
  let settle: Omit<Deferred<T>, "promise"> | undefined;
  const promise = new Promise<T>((resolve, reject) => settle = { resolve, reject });
  return { promise, ...settle as Omit<Deferred<T>, "promise"> }; // the executor has run by now
}

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
  const { promise, resolve, reject } = defer<undefined>();
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
