// The package as somebody installs it: alone, from its tarball, with nothing of this project in reach.

import { copyFile, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Runtime } from "../test/runtimes.ts";
import { run } from "./command.ts";
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
  const args = ["install", tarball, "--offline", "--no-package-lock", "--no-audit", "--no-fund"];
  const { success, text } = await run("npm", args, { cwd: root });
  if (!success) throw new Error(`Cannot install the package: ${text}`);
  return { root, remove: () => rm(root, { recursive: true, force: true }) };
}

const DOM = { lib: ["es2022", "dom", "dom.iterable"], types: [] };

/** Without the types of any runtime, and with those of Node but not of the DOM: as a server is compiled. */
const SETTINGS = {
  nodenext: { ...DOM, module: "nodenext", moduleResolution: "nodenext" },
  bundler: { ...DOM, module: "esnext", moduleResolution: "bundler" },
  "types of node": { lib: ["es2022"], types: ["node"], module: "nodenext", moduleResolution: "nodenext" },
} as const;

/** Compiles a module that imports every entry, with every compiler. `tools` is where all of them are installed. */
export async function compileProblems(consumer: Consumer, plan: PackagePlan, tools: string): Promise<string[]> {
  const names = plan.entries.map(({ name }) => plan.name + name.slice(1));
  const imports = names.map((name, n) => `import * as entry${n} from "${name}";`);
  await writeFile(
    join(consumer.root, "entries.ts"),
    [...imports, `export { ${names.map((_, n) => `entry${n}`)} };`].join("\n"),
  );
  const problems: string[] = [];
  for (const compiler of Object.keys(COMPILERS)) {
    for (const [name, settings] of Object.entries(SETTINGS)) {
      const failure = await compile(consumer, tools, compiler, settings);
      const shown = `${compiler}, ${name}`;
      console.log(`${shown}: ${failure === undefined ? "compiles" : "FAILS"}`);
      if (failure !== undefined) problems.push(`${shown}: ${failure}`);
    }
  }
  return problems;
}

async function compile(
  { root }: Consumer,
  tools: string,
  compiler: string,
  settings: (typeof SETTINGS)[keyof typeof SETTINGS],
): Promise<string | undefined> {
  const compilerOptions = {
    ...settings,
    typeRoots: [join(tools, "@types")],
    target: "es2022",
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    skipLibCheck: false,
  };
  await writeFile(join(root, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["entries.ts"] }));
  const { success, text } = await run("node", [join(tools, compiler, "bin", "tsc"), "-p", "."], { cwd: root });
  return success ? undefined : text;
}

/** A runtime that is to run the package, or why it is not there. */
export interface Wanted {
  readonly shown: string;
  readonly found: Runtime | string;
}

/** Runs `consumer.js` on every runtime; a missing one is a problem where `isStrict`. */
export async function runProblems(
  { root }: Consumer,
  plan: PackagePlan,
  runtimes: readonly Wanted[],
  isStrict: boolean,
): Promise<string[]> {
  await copyFile(fileURLToPath(new URL("./consumer.js", import.meta.url)), join(root, "consumer.js"));
  const args = ["consumer.js", ...plan.entries.map(({ name }) => plan.name + name.slice(1))];
  const problems: string[] = [];
  for (const { shown, found } of runtimes) {
    const isSkipped = typeof found === "string" && !isStrict;
    const { success, text } = typeof found === "string"
      ? { success: false, text: found }
      : await run(found.path, args, { cwd: root, timeout: 60_000 });
    console.log(`${shown}: ${success ? "runs" : isSkipped ? `skipped: ${text}` : "FAILS"}`);
    if (!success && !isSkipped) problems.push(`${shown}: ${text}`);
  }
  return problems;
}
