/** Numbers from 0 to 1 that a seed determines (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** How often something goes wrong in each of some ways: shares of one. */
export type Shares<Fault extends string> = { readonly [fault in Fault]?: number };

/** Draws what goes wrong, if anything does, and counts both. */
export interface Draws<Fault extends string> {
  draw(shares: Shares<Fault> | undefined): Fault | undefined;
  /** A number of milliseconds above 0, at most `longest`. */
  delay(longest: number): number;
  /** From here on nothing goes wrong. */
  heal(): void;
  /** Of all that might have gone wrong. */
  readonly counts: ReadonlyMap<Fault | "none", number>;
}

export function createDraws<Fault extends string>(seed: number): Draws<Fault> {
  const random = createRandom(seed);
  const counts = new Map<Fault | "none", number>();
  let healed = false;
  return {
    counts,
    draw(shares) {
      let left = random();
      if (healed || shares === undefined) return undefined;
      // The type of an object's keys is lost in Object.entries, not the keys.
      const entries = Object.entries(shares) as [Fault, number][];
      const [fault] = entries.find(([_, share]) => (left -= share) < 0) ?? [];
      counts.set(fault ?? "none", (counts.get(fault ?? "none") ?? 0) + 1);
      return fault;
    },
    delay: (longest) => Math.ceil(random() * longest) || 1,
    heal() {
      healed = true;
    },
  };
}
