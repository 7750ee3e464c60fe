import type { Operation } from "./bench_case.ts";

/** Nanoseconds per operation in each round, by variant. */
export type Samples = ReadonlyMap<string, readonly number[]>;

export const ROUNDS = 9;
/** Turns that each variant gets in a round: short ones, so that a slow moment of the machine hits all alike. */
const TURNS = 10;
/** Milliseconds of a round of all variants beyond which there are fewer turns, two at least: one each way. */
const LONG_ROUND = 400;
/** Milliseconds of one turn. */
const TURN = 10;
/** Milliseconds of warm-up per variant. */
const WARM_UP = 300;

interface Lane {
  readonly name: string;
  readonly run: Operation;
  /** Operations per turn. */
  readonly count: number;
  /** How long a turn takes. */
  readonly milliseconds: number;
  readonly rounds: number[];
}

/** Times all variants in turn, in one process. */
export async function measure(
  variants: { readonly [name: string]: Operation },
  onRound: (round: number) => void,
): Promise<Samples> {
  const lanes: Lane[] = [];
  for (const [name, run] of Object.entries(variants)) {
    lanes.push({ name, run, ...await warmUp(run), rounds: [] });
  }
  const turn = lanes.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  const turns = Math.max(2, Math.min(TURNS, Math.floor(LONG_ROUND / turn)));
  for (let round = 1; round <= ROUNDS; round++) {
    onRound(round);
    await playRound(lanes, turns);
  }
  return new Map(lanes.map(({ name, rounds }) => [name, rounds]));
}

/** Tells how many operations fill a turn, and how long that takes. */
async function warmUp(run: Operation): Promise<Pick<Lane, "count" | "milliseconds">> {
  let count = 1;
  let spent = 0;
  let last = 0;
  while (spent < WARM_UP) {
    last = await time(run, count);
    spent += last;
    if (last < TURN) count *= 2;
  }
  const fitting = Math.max(1, Math.round(count * TURN / Math.max(last, 0.001)));
  return { count: fitting, milliseconds: last / count * fitting };
}

async function playRound(lanes: readonly Lane[], turns: number): Promise<void> {
  const spent = new Map<Lane, number>();
  for (let turn = 0; turn < turns; turn++) {
    // Back and forth: nobody always runs after the one that leaves the most garbage.
    for (const lane of turn % 2 === 0 ? lanes : lanes.toReversed()) {
      spent.set(lane, (spent.get(lane) ?? 0) + await time(lane.run, lane.count));
    }
  }
  for (const [lane, milliseconds] of spent) lane.rounds.push(milliseconds * 1e6 / (turns * lane.count));
}

/** Milliseconds for `count` operations, one after the other. */
async function time(run: Operation, count: number): Promise<number> {
  const start = performance.now();
  for (let n = 0; n < count; n++) {
    const result = run();
    // A synchronous operation must not pay for a turn of the event loop.
    if (result instanceof Promise) await result;
  }
  return performance.now() - start;
}
