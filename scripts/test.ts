/**
 * Runs the whole suite on every runtime: `deno task test [--only deno,node,bun] [--filter text] [part of a path …]`.
 * Deno runs it in place, with the examples of the documentation; Node and Bun run the same files in a mirror, with
 * `--package` on what `deno task build:npm` has built, `--node 22` on that version of Node.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { findDocumentation, findTests } from "./test/files.ts";
import { findExtras, makeMirror, type Mirror } from "./test/mirror.ts";
import { HELP, parseOptions, type TestOptions } from "./test/options.ts";
import { type Outcome, report } from "./test/report.ts";
import { findRuntime, type Runtime, RUNTIME_NAMES, type RuntimeName } from "./test/runtimes.ts";
import { type Executables, runDocumentation, runTests } from "./test/suite.ts";

interface Plan {
  readonly tests: readonly string[];
  readonly documentation: readonly string[];
  readonly filter: string | undefined;
}

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  if (typeof options === "string") {
    console.error(`${options}\n${HELP}`);
    return 2;
  }
  const project = fileURLToPath(new URL("..", import.meta.url));
  const plan = await makePlan(project, options);
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
  return report(outcomes, isCi);
}

/** Examples have no names to filter by, so they are left out with `--filter`. */
async function makePlan(project: string, options: TestOptions): Promise<Plan> {
  function isWanted(file: string): boolean {
    return options.paths.length === 0 || options.paths.some((part) => file.includes(part));
  }
  return {
    tests: (await findTests(project)).filter(isWanted),
    documentation: options.filter === undefined ? (await findDocumentation(project)).filter(isWanted) : [],
    filter: options.filter,
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
  const results = [];
  if (plan.tests.length > 0) {
    results.push(await runTests(runtime, place.root, plan.tests, plan.filter, executables(runtimes)));
  }
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

function executables(runtimes: ReadonlyMap<RuntimeName, Runtime | string>): Executables {
  const found: Record<string, string> = {};
  for (const [name, runtime] of runtimes) {
    if (typeof runtime === "object") found[`TEST_${name.toUpperCase()}`] = runtime.path;
  }
  return found;
}

Deno.exitCode = await main(Deno.args);
