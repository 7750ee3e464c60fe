import process from "node:process";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Milliseconds of warm-up, and of each of the rounds. */
const WARM_UP = 500;
const ROUND = 100;
const ROUNDS = 9;

/**
 * Microseconds per unit: the lower quartile of some rounds, after a warm-up, since whatever else a machine does only adds
 * to it. `run` does as many units as it returns.
 */
export async function timePerUnit(run: () => Promise<number> | number): Promise<number> {
  await spend(run, WARM_UP);
  const rounds: number[] = [];
  for (let n = 0; n < ROUNDS; n++) rounds.push(await spend(run, ROUND));
  return lowerQuartile(rounds);
}

export function lowerQuartile(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 2] ?? NaN;
}

async function spend(run: () => Promise<number> | number, milliseconds: number): Promise<number> {
  const start = performance.now();
  let units = 0;
  let spent = 0;
  while (spent < milliseconds) {
    units += await run();
    spent = performance.now() - start;
  }
  return spent * 1000 / units;
}

/** What is held after collections: of the heap, or of the whole process. */
export async function held(what: "heapUsed" | "rss"): Promise<number> {
  const { Bun } = globalThis as { readonly Bun?: { gc(force: boolean): void } }; // only there
  setFlagsFromString("--expose-gc");
  for (let n = 0; n < 3; n++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    if (Bun !== undefined) Bun.gc(true);
    else runInNewContext("gc")();
  }
  return process.memoryUsage()[what];
}
