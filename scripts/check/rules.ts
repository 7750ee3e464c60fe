/**
 * The rules of the house that no linter knows: who may import whom, that nothing lies about unused, and that a skipped
 * test says so on every runtime. Prints what breaks them and exits with 1.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { findFiles } from "../test/files.ts";

/** A module of the project and what it imports: paths within the project, or specifiers from elsewhere. */
interface Module {
  readonly path: string;
  readonly imports: readonly string[];
}

interface Rule {
  readonly from: RegExp;
  readonly never: RegExp;
  readonly why: string;
}

const RULES: readonly Rule[] = [
  { from: /^src\//, never: /^(?!src\/)/, why: "src stands on Web APIs and itself alone" },
  {
    from: /^src\/(?:types|errors|error_table)\.ts$/,
    never: /^(?!src\/(?:types|errors|error_table)\.ts$)/,
    why: "types and errors are the ground",
  },
  {
    from: /^src\/(?:fhir|token|event)\//,
    never: /^src\/(?:operation|socket|conformance|client)\//,
    why: "imports run from the edges to the core",
  },
  { from: /^src\/operation\//, never: /^src\/(?:socket|client)\//, why: "the operation knows nothing of sockets" },
  { from: /^src\/socket\//, never: /^src\/(?:operation|client)\//, why: "sockets know nothing of the operation" },
  {
    from: /^adapters\//,
    never: /^(?!adapters\/|src\/types\.ts$|src\/errors\.ts$)/,
    why: "adapters see the interfaces, and describe the rest themselves",
  },
];

async function main(project: string): Promise<string[]> {
  const entries = await readEntries(project);
  const modules = new Map<string, Module>();
  for (const entry of entries) {
    for (const module of await readGraph(project, entry)) modules.set(module.path, module);
  }
  return [
    ...[...modules.values()].flatMap(brokenRules),
    ...await unusedFiles(project, modules),
    ...await silentSkips(project),
  ];
}

async function readEntries(project: string): Promise<string[]> {
  const { exports } = JSON.parse(await readFile(join(project, "deno.json"), "utf8"));
  return Object.values(exports);
}

/** What of `deno info --json` is read. */
interface Graph {
  readonly modules: readonly { readonly specifier: string; readonly dependencies?: readonly Dependency[] }[];
}

interface Dependency {
  readonly specifier: string;
  readonly code?: { readonly specifier?: string };
  readonly type?: { readonly specifier?: string };
}

async function readGraph(project: string, entry: string): Promise<Module[]> {
  const command = new Deno.Command(Deno.execPath(), { args: ["info", "--json", entry], cwd: project });
  const { success, stdout, stderr } = await command.output();
  if (!success) throw new Error(`Cannot read the imports of "${entry}": ${new TextDecoder().decode(stderr)}`);
  const graph: Graph = JSON.parse(new TextDecoder().decode(stdout));
  return graph.modules.map(({ specifier, dependencies = [] }) => ({
    path: localPath(project, specifier),
    imports: dependencies.map((one) => localPath(project, one.code?.specifier ?? one.type?.specifier ?? one.specifier)),
  }));
}

function localPath(project: string, specifier: string): string {
  return specifier.startsWith("file:") ? relative(project, fileURLToPath(specifier)).replaceAll("\\", "/") : specifier;
}

function brokenRules({ path, imports }: Module): string[] {
  return RULES.filter(({ from }) => from.test(path)).flatMap(({ never, why }) =>
    imports.filter((target) => never.test(target)).map((target) => `${path} imports ${target}: ${why}`)
  );
}

async function unusedFiles(project: string, modules: ReadonlyMap<string, Module>): Promise<string[]> {
  const files = [...await findFiles(project, "src", ".ts"), ...await findFiles(project, "adapters", ".ts")];
  return files.filter((file) => !modules.has(file)).map((file) => `${file} is not reached from any entry point`);
}

/** Deno counts a test that skips itself while it runs as passed; a skip without a reason explains nothing. */
const SILENT = /\b(?:t|context)\.(?:skip|todo)\(|\b(?:test|it|describe)\.(?:skip|todo|only)\(|\b(?:skip|only): true\b/;

async function silentSkips(project: string): Promise<string[]> {
  const broken: string[] = [];
  for (const file of await findFiles(project, "tests", ".ts")) {
    const lines = (await readFile(join(project, file), "utf8")).split("\n");
    for (const [n, line] of lines.entries()) {
      if (SILENT.test(line)) broken.push(`${file}:${n + 1}: skip by the option { skip: "reason" }`);
    }
  }
  return broken;
}

const broken = await main(fileURLToPath(new URL("../..", import.meta.url)));
for (const line of broken) console.error(line);
Deno.exitCode = broken.length > 0 ? 1 : 0;
