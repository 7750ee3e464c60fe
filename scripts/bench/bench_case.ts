/** Cases live in `cases/`, each file exports a list. */
export type BenchCase = Comparing | Weighing;

/** Something that is no time: memory, or the share of a processor. */
export interface Weighing {
  readonly name: string;
  readonly title: string;
  weigh(): Promise<readonly Figure[]>;
}

/** A number, and how large it may be. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly atMost?: number;
}

/** One comparison: the same job done in several ways. */
export interface Comparing {
  /** What `--only` asks for. */
  readonly name: string;
  /** What one operation is. */
  readonly title: string;
  /** Everything that is not measured. */
  setup(): Promise<BenchSetup>;
}

/** A case that is ready to run. */
export interface BenchSetup {
  /** One operation each, by name; `ours` is the library. */
  readonly variants: { readonly ours: Operation; readonly [name: string]: Operation };
  readonly comparisons: readonly Comparison[];
  teardown?(): Promise<void>;
}

/** One operation; a promise is awaited. */
export type Operation = () => unknown;

/** What `ours` is held against, and how well it is meant to do; without a limit it is only shown. */
export interface Comparison {
  /** Another variant. */
  readonly against: string;
  /** Our time at most this many times the other's. */
  readonly costAtMost?: number;
  /** Our rate at least this many times the other's. */
  readonly speedAtLeast?: number;
}
