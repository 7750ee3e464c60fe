/**
 * Checks what `deno task build:npm` has built, whichever tool it was: its files, its description, its types under every
 * compiler, its behaviour on every runtime, and its size. Prints what is wrong and exits with 1.
 *
 * @module
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { exists, install } from "../test/packages.ts";
import { findRuntime } from "../test/runtimes.ts";
import { compileProblems, makeConsumer, runProblems, type Wanted } from "./consumers.ts";
import { fileProblems } from "./files.ts";
import { builtFile, type PackagePlan, planPackage } from "./package.ts";
import { measure, sizeProblems, sizeTable } from "./size.ts";
import { pack, tarballProblems } from "./tarball.ts";
import { CHECK_TOOLS } from "./tools.ts";
import { measureUses, useProblems, useTable } from "./uses.ts";

async function main(): Promise<string[]> {
  const project = fileURLToPath(new URL("../..", import.meta.url));
  const folder = join(project, "npm");
  if (!await exists(join(folder, "package.json"))) return ["npm/ is not there: deno task build:npm"];
  const plan = await planPackage(project);
  const { folder: tools, failure } = await install(project, CHECK_TOOLS);
  if (failure !== undefined) return [failure];
  const modules = join(tools, "node_modules");
  const scratch = await mkdtemp(join(tmpdir(), "fhir-ws-pack-"));
  try {
    const tarball = await pack(folder, scratch);
    return [
      ...await fileProblems(project, folder, tarball.files),
      ...await bundleProblems(folder, plan, join(modules, "esbuild", "bin", "esbuild")),
      ...await tarballProblems(tarball.path, modules),
      ...await consumerProblems(tarball.path, plan, modules),
    ];
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function bundleProblems(folder: string, plan: PackagePlan, esbuild: string): Promise<string[]> {
  const sizes = await measure(folder, plan, esbuild);
  const uses = await measureUses(folder, builtFile("mod.ts", ".js"), esbuild);
  for (const line of [...sizeTable(sizes), "", ...useTable(uses), ""]) console.log(line);
  return [...sizeProblems(sizes, plan.entries), ...useProblems(uses)];
}

async function consumerProblems(tarball: string, plan: PackagePlan, modules: string): Promise<string[]> {
  const consumer = await makeConsumer(tarball);
  try {
    return [
      ...await compileProblems(consumer, plan, modules),
      ...await runProblems(consumer, plan, await findRuntimes(), Boolean(Deno.env.get("CI"))),
    ];
  } finally {
    await consumer.remove();
  }
}

const NODES: readonly number[] = [20, 22, 24, 26];

async function findRuntimes(): Promise<Wanted[]> {
  const nodes = NODES.map(async (major) => ({ shown: `node ${major}`, found: await findRuntime("node", major) }));
  return [...await Promise.all(nodes), { shown: "bun", found: await findRuntime("bun") }];
}

const problems = await main();
for (const line of problems) console.error(line);
Deno.exitCode = problems.length > 0 ? 1 : 0;
