/**
 * Runs the whole suite on every runtime: `deno task test [--only deno,node,bun] [--filter text] [part of a path …]`.
 * Deno runs it in place, with the examples of the documentation; Node and Bun run the same files in a mirror, with
 * `--package` on what `deno task build:npm` has built, `--node 22` on that version of Node. `--coverage` tells before the
 * counts which lines the tests on Deno run, and which they do not. On each runtime one more test is counted: whether all
 * that the library said meanwhile is valid FHIR.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { openCoverage } from "./test/coverage.ts";
import { findDocumentation, findTests } from "./test/files.ts";
import { findExtras, makeMirror, type Mirror } from "./test/mirror.ts";
import { HELP, parseOptions, type TestOptions } from "./test/options.ts";
import { type Outcome, report } from "./test/report.ts";
import { openCollection } from "./test/produced.ts";
import { findRuntime, type Runtime, RUNTIME_NAMES, type RuntimeName } from "./test/runtimes.ts";
import { type Environment, runDocumentation, runTests, type SuiteResult } from "./test/suite.ts";

interface Plan {
  readonly tests: readonly string[];
  readonly documentation: readonly string[];
  readonly filter: string | undefined;
  /** Where Deno writes what it runs; nowhere unless it was asked to. */
  readonly coverage: string | undefined;
}

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  if (typeof options === "string") {
    console.error(`${options}\n${HELP}`);
    return 2;
  }
  const project = fileURLToPath(new URL("..", import.meta.url));
  const isWhole = options.paths.length === 0 && options.filter === undefined;
  const coverage = options.coverage ? await openCoverage(project, isWhole) : undefined;
  const plan = await makePlan(project, options, coverage?.folder);
  if (plan.tests.length + plan.documentation.length === 0) {
    console.error("Cannot run any test: no file matches");
    return 2;
  }
  const runtimes = new Map<RuntimeName, Runtime | string>();
  for (const name of RUNTIME_NAMES) {
    runtimes.set(name, await findRuntime(name, name === "node" ? options.node : undefined));
  }
  const outcomes: Outcome[] = [];
  const { paths, package: built } = options;
  const isCi = Boolean(Deno.env.get("CI"));
  let mirror: Promise<Mirror | string> | undefined;
  async function mirrored(): Promise<Mirror | string> {
    const extras = await findExtras(project, plan.tests, isCi || paths.length > 0);
    return await makeMirror(project, { built, extras });
  }
  for (const name of options.only) {
    const place = name === "deno" ? { root: project } : await (mirror ??= mirrored());
    outcomes.push(await runOn(name, runtimes, place, plan));
  }
  const made = await mirror;
  if (typeof made === "object") await made.remove();
  const missed = await coverage?.report() ?? [];
  await coverage?.remove();
  return report(outcomes.map((outcome) => withProblems(outcome, missed)), isCi);
}

/** Coverage is Deno's. */
function withProblems(outcome: Outcome, problems: readonly string[]): Outcome {
  if (outcome.name !== "deno" || "missing" in outcome) return outcome;
  return { ...outcome, problems: [...outcome.problems, ...problems] };
}

/** Examples have no names to filter by, so they are left out with `--filter`. */
async function makePlan(project: string, options: TestOptions, coverage: string | undefined): Promise<Plan> {
  function isWanted(file: string): boolean {
    return options.paths.length === 0 || options.paths.some((part) => file.includes(part));
  }
  return {
    tests: (await findTests(project)).filter(isWanted),
    documentation: options.filter === undefined ? (await findDocumentation(project)).filter(isWanted) : [],
    filter: options.filter,
    coverage,
  };
}

async function runOn(
  name: RuntimeName,
  runtimes: ReadonlyMap<RuntimeName, Runtime | string>,
  place: { readonly root: string } | string,
  plan: Plan,
): Promise<Outcome> {
  const runtime = runtimes.get(name);
  if (typeof runtime !== "object") return { name, missing: runtime ?? "unknown" };
  if (typeof place === "string") return { name, missing: place };
  console.log(`\n--- ${name} ${runtime.version}\n`);
  const results: SuiteResult[] = [];
  if (plan.tests.length > 0) results.push(await runAndJudge(runtime, runtimes, place.root, plan));
  if (name === "deno" && plan.documentation.length > 0) {
    results.push(await runDocumentation(runtime, place.root, plan.documentation));
  }
  return {
    name,
    version: runtime.version,
    cases: results.flatMap((result) => result.cases),
    problems: results.flatMap((result) => result.problems),
  };
}

/** Runs the tests, then looks at all that was said while they ran. */
async function runAndJudge(
  runtime: Runtime,
  runtimes: ReadonlyMap<RuntimeName, Runtime | string>,
  root: string,
  { tests, filter, coverage }: Plan,
): Promise<SuiteResult> {
  const collection = await openCollection();
  try {
    // The processes that tests start inherit it.
    const measured = runtime.name === "deno" && coverage !== undefined && { DENO_COVERAGE_DIR: coverage };
    const env = { ...executables(runtimes), ...collection.env, ...measured };
    const { cases, problems } = await runTests(runtime, root, tests, filter, env);
    return { cases: [...cases, ...await collection.judge()], problems };
  } finally {
    await collection.remove();
  }
}

function executables(runtimes: ReadonlyMap<RuntimeName, Runtime | string>): Environment {
  const found: Record<string, string> = {};
  for (const [name, runtime] of runtimes) {
    if (typeof runtime === "object") found[`TEST_${name.toUpperCase()}`] = runtime.path;
  }
  return found;
}

Deno.exitCode = await main(Deno.args);
