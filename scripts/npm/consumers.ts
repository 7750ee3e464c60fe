// The package as somebody installs it: alone, from its tarball, with nothing of this project in reach.

import { copyFile, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { npm } from "../test/packages.ts";
import { findRuntime, type Runtime } from "../test/runtimes.ts";
import type { PackagePlan } from "./package.ts";
import { COMPILERS } from "./tools.ts";

/** A folder with the package in its `node_modules`. */
export interface Consumer {
  readonly root: string;
  remove(): Promise<void>;
}

/** Installs a tarball where nothing else is. */
export async function makeConsumer(tarball: string): Promise<Consumer> {
  const root = await realpath(await mkdtemp(join(tmpdir(), "fhir-ws-consumer-")));
  await writeFile(join(root, "package.json"), JSON.stringify({ private: true, type: "module" }));
  const failure = await npm(root, "install", tarball, "--offline", "--no-package-lock");
  if (failure !== undefined) throw new Error(`Cannot install the package: ${failure}`);
  return { root, remove: () => rm(root, { recursive: true, force: true }) };
}

const RESOLUTIONS = [
  { module: "nodenext", moduleResolution: "nodenext" },
  { module: "esnext", moduleResolution: "bundler" },
] as const;

/** Compiles a module that imports every entry, with every compiler, and without the types of any runtime. */
export async function compileProblems(consumer: Consumer, plan: PackagePlan, tools: string): Promise<string[]> {
  const names = plan.entries.map(({ name }) => plan.name + name.slice(1));
  const imports = names.map((name, n) => `import * as entry${n} from "${name}";`);
  await writeFile(
    join(consumer.root, "entries.ts"),
    [...imports, `export { ${names.map((_, n) => `entry${n}`)} };`].join("\n"),
  );
  const problems: string[] = [];
  for (const compiler of Object.keys(COMPILERS)) {
    for (const resolution of RESOLUTIONS) {
      const failure = await compile(consumer, join(tools, compiler, "bin", "tsc"), resolution);
      const shown = `${compiler}, ${resolution.moduleResolution}`;
      console.log(`${shown}: ${failure === undefined ? "compiles" : "FAILS"}`);
      if (failure !== undefined) problems.push(`${shown}: ${failure}`);
    }
  }
  return problems;
}

async function compile(
  { root }: Consumer,
  compiler: string,
  resolution: (typeof RESOLUTIONS)[number],
): Promise<string | undefined> {
  const compilerOptions = {
    ...resolution,
    target: "es2022",
    lib: ["es2022", "dom", "dom.iterable"],
    types: [],
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    skipLibCheck: false,
  };
  await writeFile(join(root, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["entries.ts"] }));
  const { success, stdout } = await new Deno.Command("node", { args: [compiler, "-p", "."], cwd: root }).output();
  return success ? undefined : new TextDecoder().decode(stdout);
}

const NODES: readonly number[] = [20, 22, 24, 26];

/** Runs `consumer.js` on every runtime; a missing one is a problem where `isStrict`. */
export async function runProblems(consumer: Consumer, plan: PackagePlan, isStrict: boolean): Promise<string[]> {
  await copyFile(fileURLToPath(new URL("./consumer.js", import.meta.url)), join(consumer.root, "consumer.js"));
  const problems: string[] = [];
  for (const major of [...NODES, undefined]) {
    const shown = major === undefined ? "bun" : `node ${major}`;
    const runtime = await (major === undefined ? findRuntime("bun") : findRuntime("node", major));
    const failure = typeof runtime === "string" ? runtime : await run(consumer, plan, runtime);
    const isSkipped = typeof runtime === "string" && !isStrict;
    console.log(`${shown}: ${failure === undefined ? "runs" : isSkipped ? `skipped: ${runtime}` : "FAILS"}`);
    if (failure !== undefined && !isSkipped) problems.push(`${shown}: ${failure}`);
  }
  return problems;
}

async function run({ root }: Consumer, plan: PackagePlan, runtime: Runtime): Promise<string | undefined> {
  const args = ["consumer.js", ...plan.entries.map(({ name }) => plan.name + name.slice(1))];
  const command = new Deno.Command(runtime.path, { args, cwd: root, signal: AbortSignal.timeout(60_000) });
  const { success, stderr } = await command.output();
  return success ? undefined : new TextDecoder().decode(stderr).trim();
}
