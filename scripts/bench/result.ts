import type { Comparison, Figure } from "./bench_case.ts";
import type { Samples } from "./measure.ts";

/** The middle of the rounds, and how far they went. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** What one case came to. */
export type CaseResult = TimeResult | FigureResult;

/** What was weighed. */
export interface FigureResult {
  readonly name: string;
  readonly title: string;
  readonly figures: readonly (Figure & { readonly pass?: boolean })[];
}

/** Holds figures against their limits. */
export function judgeFigures(
  { name, title }: { readonly name: string; readonly title: string },
  figures: readonly Figure[],
): FigureResult {
  return {
    name,
    title,
    figures: figures.map((one) => one.atMost === undefined ? one : { ...one, pass: one.value <= one.atMost }),
  };
}

/** How many targets were missed. */
export function countMissed(result: CaseResult): number {
  const judged: readonly { readonly pass?: boolean }[] = "figures" in result ? result.figures : result.ratios;
  return judged.filter(({ pass }) => pass === false).length;
}

/** The times of one case. */
export interface TimeResult {
  readonly name: string;
  readonly title: string;
  /** Nanoseconds per operation, by variant. */
  readonly variants: { readonly [name: string]: Spread };
  readonly ratios: readonly Ratio[];
}

/** `ours` against another variant: the ratio of each round, so that what slows both cancels out. */
export interface Ratio extends Spread {
  readonly against: string;
  /** `cost` is our time by the other's, `speed` our rate by the other's. */
  readonly kind: "cost" | "speed";
  readonly target?: number;
  readonly pass?: boolean;
}

/** The figures of a case's samples. */
export function makeResult(
  { name, title }: { readonly name: string; readonly title: string },
  samples: Samples,
  comparisons: readonly Comparison[],
): TimeResult {
  return {
    name,
    title,
    variants: Object.fromEntries(Array.from(samples, ([variant, rounds]) => [variant, spread(rounds)])),
    ratios: comparisons.map((comparison) => makeRatio(comparison, samples)),
  };
}

function makeRatio({ against, costAtMost, speedAtLeast }: Comparison, samples: Samples): Ratio {
  const kind = speedAtLeast === undefined ? "cost" : "speed";
  const ours = roundsOf(samples, "ours");
  const theirs = roundsOf(samples, against);
  const figures = spread(ours.map((own, n) => {
    const cost = own / (theirs[n] ?? NaN);
    return kind === "cost" ? cost : 1 / cost;
  }));
  const target = speedAtLeast ?? costAtMost;
  if (target === undefined) return { against, kind, ...figures };
  const pass = kind === "cost" ? figures.median <= target : figures.median >= target;
  return { against, kind, ...figures, target, pass };
}

function roundsOf(samples: Samples, variant: string): readonly number[] {
  const rounds = samples.get(variant);
  if (rounds === undefined) throw new RangeError(`Cannot compare: there is no variant "${variant}"`);
  return rounds;
}

function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const median = sorted[sorted.length >> 1] ?? NaN;
  return { median, min: sorted[0] ?? NaN, max: sorted.at(-1) ?? NaN };
}
