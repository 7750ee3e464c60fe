/**
 * Measures what the library costs beside the least that must be done, and beside what others do, on every runtime:
 * `deno task bench [--only name,…] [--runtime deno,node,bun] [--json] [--strict]`, or with `--scaling` how costs grow with
 * the number of sockets and Subscriptions, or with `--sizing` what servers carry on each engine. Figures compare only
 * within one run.
 *
 * @module
 */
import { mkdir, writeFile } from "node:fs/promises";
import process from "node:process";
import { describeMachine } from "./machine.ts";
import { ROUNDS } from "./measure.ts";
import { HELP, parseOptions } from "./options.ts";
import { countMissed } from "./result.ts";
import { type Run, runOn } from "./runs.ts";
import { drawChart } from "./scaling/chart.ts";
import { measureScaling } from "./scaling/scaling.ts";
import { formatScaling } from "./scaling/table.ts";
import { formatSizing } from "./sizing/lines.ts";
import { formatSummary } from "./summary.ts";
import { formatResult } from "./table.ts";

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  if (typeof options === "string") {
    console.error(`${options}\n${HELP}`);
    return 2;
  }
  if (options.scaling) return await scale();
  if (options.sizing) return await size();
  const { only, runtimes, json, strict } = options;
  const runs: Run[] = [];
  const say = (text: string): void => {
    if (!json) console.log(text);
  };
  for (const name of runtimes) {
    const run = await runOn(name, only, {
      began: ({ runtime: { name, version }, cpu, system }) => say(`${name} ${version}, ${cpu}, ${system}\n`),
      measured: (result) => say(formatResult(result)),
    });
    if (only.length > 0 && run.results.length === 0) return 2;
    runs.push(run);
  }
  say(formatSummary(runs));
  if (json) console.log(JSON.stringify({ rounds: ROUNDS, runs }, null, 2));
  const missed = runs.flatMap(({ results }) => results).reduce((sum, result) => sum + countMissed(result), 0);
  return strict && missed > 0 ? 1 : 0;
}

/** Measures on Deno, prints the table and draws the chart. */
async function scale(): Promise<number> {
  const machine = machineLine();
  const scaling = await measureScaling((what) => console.error(what));
  console.log(`${formatScaling(scaling)}\n\n${machine}`);
  const docs = new URL("../../docs/", import.meta.url);
  await mkdir(docs, { recursive: true });
  await writeFile(new URL("scaling.svg", docs), drawChart(scaling, machine));
  return 0;
}

/** Measures on Deno and prints a line for each figure. */
async function size(): Promise<number> {
  const { measureSizing } = await import("./sizing/sizing.ts"); // not before: it connects to the engines
  const sizing = await measureSizing((what) => console.error(what));
  console.log(`${formatSizing(sizing)}\n\n${machineLine()}`);
  return 0;
}

function machineLine(): string {
  const { runtime: { name, version }, cpu, system } = describeMachine();
  return `${name} ${version}, ${cpu}, ${system}`;
}

process.exitCode = await main(process.argv.slice(2));
