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
import { compileProblems, makeConsumer, runProblems } from "./consumers.ts";
import { fileProblems } from "./files.ts";
import { planPackage } from "./package.ts";
import { measure, sizeProblems, sizeTable } from "./size.ts";
import { CHECK_TOOLS } from "./tools.ts";

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
    const { tarball, files } = await pack(folder, scratch);
    const consumer = await makeConsumer(tarball);
    try {
      const sizes = await measure(folder, plan, join(modules, "esbuild", "bin", "esbuild"));
      for (const line of sizeTable(sizes)) console.log(line);
      return [
        ...await fileProblems(project, folder, files),
        ...sizeProblems(sizes, plan.entries),
        ...await toolProblems([join(modules, "publint", "src", "cli.js"), tarball, "--strict"]),
        ...await toolProblems([attw(modules), tarball, "--profile", "esm-only"]),
        ...await compileProblems(consumer, plan, modules),
        ...await runProblems(consumer, plan, Boolean(Deno.env.get("CI"))),
      ];
    } finally {
      await consumer.remove();
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

function attw(modules: string): string {
  return join(modules, "@arethetypeswrong", "cli", "dist", "index.js");
}

async function pack(folder: string, target: string): Promise<{ tarball: string; files: string[] }> {
  const args = ["pack", "--json", "--ignore-scripts", `--pack-destination=${target}`];
  const { success, stdout, stderr } = await new Deno.Command("npm", { args, cwd: folder }).output();
  if (!success) throw new Error(`Cannot pack: ${new TextDecoder().decode(stderr)}`);
  const packed: { readonly filename: string; readonly files: readonly { readonly path: string }[] }[] = JSON.parse(
    new TextDecoder().decode(stdout),
  );
  const [{ filename, files } = { filename: "", files: [] }] = packed;
  return { tarball: join(target, filename), files: files.map(({ path }) => path) };
}

/** Runs a tool of npm; what it printed, when it found something. */
async function toolProblems(args: readonly string[]): Promise<string[]> {
  const [program = ""] = args;
  const name = program.includes("publint") ? "publint" : "attw";
  const { success, stdout, stderr } = await new Deno.Command("node", { args: [...args], env: { NO_COLOR: "1" } })
    .output();
  console.log(`${name}: ${success ? "clean" : "FAILS"}`);
  return success ? [] : [`${name}: ${new TextDecoder().decode(stdout)}${new TextDecoder().decode(stderr)}`];
}

const problems = await main();
for (const line of problems) console.error(line);
Deno.exitCode = problems.length > 0 ? 1 : 0;
