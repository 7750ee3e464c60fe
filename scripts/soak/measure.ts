// What a process holds.

/** Bytes, and open descriptors where the system tells of them. */
export interface Held {
  readonly heap: number;
  readonly resident: number;
  readonly descriptors: number | undefined;
}

/** Measures after collections: what is garbage is not held. Needs `--expose-gc`. */
export async function measureHeld(): Promise<Held> {
  const { gc } = globalThis as { gc?: () => void }; // there by the flag alone
  if (gc === undefined) {
    throw new Error("Cannot measure the heap: run by `deno task soak`, or with --v8-flags=--expose-gc");
  }
  for (let n = 0; n < 5; n++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const { heapUsed, rss } = Deno.memoryUsage();
  return { heap: heapUsed, resident: rss, descriptors: countDescriptors() };
}

/** Linux lists them. The listing itself is open while it is read, in each measurement alike. */
function countDescriptors(): number | undefined {
  try {
    return [...Deno.readDirSync("/proc/self/fd")].length;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
