/**
 * Measures cases on the runtime that runs it: `run.ts [name …]`. It prints JSON, a line about the machine and one per
 * case.
 *
 * @module
 */
import { readdir } from "node:fs/promises";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { BenchCase } from "./bench_case.ts";
import { describeMachine } from "./machine.ts";
import { measure, ROUNDS } from "./measure.ts";
import { type CaseResult, judgeFigures, makeResult } from "./result.ts";

/** All cases, or those whose names are wanted. */
async function readCases(wanted: readonly string[]): Promise<readonly BenchCase[]> {
  const folder = new URL("cases/", import.meta.url);
  const files = (await readdir(fileURLToPath(folder))).filter((file) => file.endsWith(".ts")).sort();
  const modules: { readonly cases: readonly BenchCase[] }[] = await Promise.all(
    files.map((file) => import(new URL(file, folder).href)),
  );
  const all = modules.flatMap(({ cases }) => cases);
  for (const name of wanted) {
    if (!all.some((one) => one.name === name)) {
      console.error(`${name} is left out: here are ${all.map(({ name }) => name).join(", ")}`);
    }
  }
  return wanted.length === 0 ? all : all.filter(({ name }) => wanted.includes(name));
}

async function runCase(one: BenchCase): Promise<CaseResult> {
  if ("weigh" in one) {
    showProgress(one.name);
    const figures = await one.weigh();
    showProgress("");
    return judgeFigures(one, figures);
  }
  const { variants, comparisons, teardown } = await one.setup();
  try {
    const samples = await measure(variants, (round) => showProgress(`${one.name}: round ${round} of ${ROUNDS}`));
    return makeResult(one, samples, comparisons);
  } finally {
    showProgress("");
    await teardown?.();
  }
}

/** Writes over the last one, where stderr is a terminal. */
function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

console.log(JSON.stringify(describeMachine()));
for (const one of await readCases(process.argv.slice(2))) console.log(JSON.stringify(await runCase(one)));
