import { cp, mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { findFiles } from "./files.ts";
import { exists, install, type Installed, isInstalled, type Names, npmPackages } from "./packages.ts";

/** A copy of the project in the shape that Node and Bun expect: a package, with a `node_modules` beside it. */
export interface Mirror {
  readonly root: string;
  remove(): Promise<void>;
}

/** What goes into a mirror beside the project's tests and scripts. */
export interface MirrorOptions {
  /** The library is what `deno task build:npm` has made, under its names and in place of every source. */
  readonly built?: boolean;
  /** Further packages, by `findExtras`. */
  readonly extras?: readonly Names[];
}

/** What the mirror reads of a `deno.json`: the one list of entry points and the one list of versions. */
interface DenoConfig {
  readonly name: string;
  readonly version: string;
  readonly exports: string | Names;
  readonly imports?: Names;
  readonly links?: readonly string[];
}

const MIRRORED = ["tests", "scripts", "deno.json", "README.md"];
const SOURCES = ["src", "adapters", "mod.ts"];

/**
 * Makes a mirror of the project, or says why it cannot. The files are copied, not linked, because both runtimes resolve
 * imports from a file's real path; they lie outside of `node_modules`, where Node would not strip their types.
 */
export async function makeMirror(project: string, options: MirrorOptions = {}): Promise<Mirror | string> {
  const { built = false, extras = [] } = options;
  const config = await readConfig(project);
  if (built && !await exists(join(project, "npm"))) return "npm/ is not there: deno task build:npm";
  const lists = [npmPackages(config.imports ?? {}), ...extras];
  const installed: Installed[] = [];
  for (const list of lists) installed.push(await install(project, list));
  const failure = installed.find((one) => one.failure !== undefined)?.failure;
  if (failure !== undefined) return failure;
  const root = await realpath(await mkdtemp(join(tmpdir(), "fhir-ws-binding-")));
  for (const name of [...MIRRORED, ...built ? [] : SOURCES]) {
    if (await exists(join(project, name))) await cp(join(project, name), join(root, name), { recursive: true });
  }
  if (built) await usePackage(project, root, config);
  else await writePackage(root, config);
  await linkPackages(root, installed);
  for (const path of config.links ?? []) {
    const folder = join(root, path);
    const linked = await readConfig(folder);
    await writePackage(folder, linked);
    await link(root, linked.name, folder);
  }
  return { root, remove: () => rm(root, { recursive: true, force: true }) };
}

/** Where two lists have the same name the first one counts: the project's own. */
async function linkPackages(root: string, installed: readonly Installed[]): Promise<void> {
  const packages = new Map<string, string>();
  for (const { names, folder } of installed.toReversed()) {
    for (const name of names) packages.set(name, join(folder, "node_modules", name));
  }
  for (const [name, target] of packages) await link(root, name, target);
}

/**
 * What tests need beside the project's own imports: a folder of tests may have a `deno.json` with imports of its own.
 * Large as these may be, they are installed when such a folder is asked for (`isAsked`); else they are there only where
 * they were installed before, and the tests say what they lack.
 */
export async function findExtras(project: string, tests: readonly string[], isAsked: boolean): Promise<Names[]> {
  const extras: Names[] = [];
  for (const folder of new Set(tests.map((file) => dirname(file)))) {
    if (!await exists(join(project, folder, "deno.json"))) continue;
    const list = npmPackages((await readConfig(join(project, folder))).imports ?? {});
    if (isAsked || await isInstalled(project, list)) extras.push(list);
  }
  return extras;
}

/**
 * Puts the package where an installation would, and into each source's place a module that hands on what the source was
 * built to: so tests of inner modules, too, run on the package, and nothing is there twice.
 */
async function usePackage(project: string, root: string, { name }: DenoConfig): Promise<void> {
  await writeFile(join(root, "package.json"), JSON.stringify({ private: true, type: "module" }));
  await cp(join(project, "npm"), join(root, "node_modules", name), { recursive: true });
  const sources = ["mod.ts", ...await findFiles(project, "src", ".ts"), ...await findFiles(project, "adapters", ".ts")];
  for (const source of sources) {
    const up = "../".repeat(source.split("/").length - 1) || "./";
    const module = `${up}node_modules/${name}/esm/${source.replace(/\.ts$/, ".js")}`;
    await mkdir(dirname(join(root, source)), { recursive: true });
    await writeFile(join(root, source), `export * from ${JSON.stringify(module)};\n`);
  }
}

async function readConfig(folder: string): Promise<DenoConfig> {
  return JSON.parse(await readFile(join(folder, "deno.json"), "utf8"));
}

/** A package that exports itself: whatever lies in its folder can import it by its name. */
async function writePackage(folder: string, { name, version, exports }: DenoConfig): Promise<void> {
  const content = { name, version, private: true, type: "module", exports };
  await writeFile(join(folder, "package.json"), JSON.stringify(content, null, 2));
}

async function link(root: string, name: string, target: string): Promise<void> {
  const path = join(root, "node_modules", name);
  await mkdir(dirname(path), { recursive: true });
  await symlink(target, path, "junction");
}
