/**
 * Measures what the library costs beside the least that must be done, and beside what others do: `deno task bench
 * [--only name,…] [--json] [--strict] [--runtime deno|node|bun]`. Figures compare only within one run.
 *
 * @module
 */
import { readdir } from "node:fs/promises";
import { arch, cpus, platform } from "node:os";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { BenchCase } from "./bench_case.ts";
import { measure, ROUNDS } from "./measure.ts";
import { HELP, parseOptions } from "./options.ts";
import { type CaseResult, countMissed, judgeFigures, makeResult } from "./result.ts";
import { formatResult } from "./table.ts";

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  if (typeof options === "string") {
    console.error(`${options}\n${HELP}`);
    return 2;
  }
  const { only, json, strict } = options;
  if (options.runtime !== undefined && options.runtime !== "deno") {
    // Only Deno starts other runtimes, so only Deno needs to know how.
    const { benchOn } = await import("./elsewhere.ts");
    return await benchOn(options.runtime, args);
  }
  const cases = await readCases(only);
  if (typeof cases === "string") {
    console.error(cases);
    return 2;
  }
  const results: CaseResult[] = [];
  const { runtime: { name, version }, cpu, system } = machine();
  if (!json) console.log(`${name} ${version}, ${cpu}, ${system}\n`);
  for (const one of cases) {
    const result = await runCase(one);
    results.push(result);
    if (!json) console.log(formatResult(result));
  }
  if (json) console.log(JSON.stringify({ ...machine(), rounds: ROUNDS, results }, null, 2));
  const missed = results.reduce((sum, result) => sum + countMissed(result), 0);
  return strict && missed > 0 ? 1 : 0;
}

/** All cases, or those whose names are wanted, or which name is unknown. */
async function readCases(wanted: readonly string[] | undefined): Promise<BenchCase[] | string> {
  const folder = new URL("cases/", import.meta.url);
  const files = (await readdir(fileURLToPath(folder))).filter((file) => file.endsWith(".ts")).sort();
  const modules: { readonly cases: readonly BenchCase[] }[] = await Promise.all(
    files.map((file) => import(new URL(file, folder).href)),
  );
  const all = modules.flatMap(({ cases }) => cases);
  const unknown = wanted?.find((name) => !all.some((one) => one.name === name));
  if (unknown === undefined) return wanted ? all.filter(({ name }) => wanted.includes(name)) : all;
  return `Cannot measure "${unknown}": it is none of ${all.map(({ name }) => name).join(", ")}`;
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
  else if (text !== "") process.stderr.write(`${text}\n`);
}

interface Machine {
  readonly runtime: { readonly name: string; readonly version: string };
  readonly cpu: string;
  readonly system: string;
}

function machine(): Machine {
  const { deno, bun, node = "" } = process.versions;
  const processors = cpus();
  return {
    runtime: deno
      ? { name: "Deno", version: deno }
      : bun
      ? { name: "Bun", version: bun }
      : { name: "Node", version: node },
    cpu: `${processors.length} × ${processors[0]?.model ?? "unknown"}`,
    system: `${platform()} ${arch()}`,
  };
}

process.exitCode = await main(process.argv.slice(2));
