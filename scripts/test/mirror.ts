import { cp, mkdir, mkdtemp, readFile, realpath, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** A copy of the project in the shape that Node and Bun expect: a package, with a `node_modules` beside it. */
export interface Mirror {
  readonly root: string;
  remove(): Promise<void>;
}

type Names = { readonly [name: string]: string };

/** What the mirror reads of a `deno.json`: the one list of entry points and the one list of versions. */
interface DenoConfig {
  readonly name: string;
  readonly version: string;
  readonly exports: string | Names;
  readonly imports?: Names;
  readonly links?: readonly string[];
}

const MIRRORED = ["src", "adapters", "tests", "scripts", "mod.ts", "deno.json", "README.md"];

/**
 * Makes a mirror of the project, or says why it cannot. The files are copied, not linked, because both runtimes resolve
 * imports from a file's real path; they lie outside of `node_modules`, where Node would not strip their types.
 */
export async function makeMirror(project: string): Promise<Mirror | string> {
  const config = await readConfig(project);
  const installed = await install(project, npmPackages(config.imports ?? {}));
  if (installed.failure !== undefined) return installed.failure;
  const root = await realpath(await mkdtemp(join(tmpdir(), "fhir-ws-binding-")));
  for (const name of MIRRORED) {
    if (await exists(join(project, name))) await cp(join(project, name), join(root, name), { recursive: true });
  }
  await writePackage(root, config);
  for (const name of installed.names) await link(root, name, join(installed.folder, "node_modules", name));
  for (const path of config.links ?? []) {
    const folder = join(root, path);
    const linked = await readConfig(folder);
    await writePackage(folder, linked);
    await link(root, linked.name, folder);
  }
  return { root, remove: () => rm(root, { recursive: true, force: true }) };
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

/** The dependencies among a `deno.json`'s imports. Types alone are left out: nothing reads them here. */
function npmPackages(imports: Names): Names {
  const packages: { [name: string]: string } = {};
  for (const [name, specifier] of Object.entries(imports)) {
    const [, target, version] = /^npm:(@?[^@]+)@([^/]+)$/.exec(specifier) ?? [];
    if (target === undefined || version === undefined || target.startsWith("@types/")) continue;
    packages[name] = target === name ? version : `npm:${target}@${version}`;
  }
  return packages;
}

interface Installed {
  readonly folder: string;
  readonly names: readonly string[];
  readonly failure?: string;
}

/** Installs into a folder named after the list, so that the same list is installed once. */
async function install(project: string, dependencies: Names): Promise<Installed> {
  const manifest = JSON.stringify({ private: true, dependencies });
  const folder = join(project, "node_modules", ".cache", `npm-${await fingerprint(manifest)}`);
  const names = Object.keys(dependencies);
  if (await exists(folder)) return { folder, names };
  const draft = `${folder}.${crypto.randomUUID()}`;
  await mkdir(draft, { recursive: true });
  await writeFile(join(draft, "package.json"), manifest);
  const failure = await npmInstall(draft);
  if (failure !== undefined) {
    await rm(draft, { recursive: true, force: true });
    return { folder, names, failure };
  }
  try {
    await rename(draft, folder);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    // Another run may have finished the same list first.
    if (!await exists(folder)) throw error;
  }
  return { folder, names };
}

async function npmInstall(folder: string): Promise<string | undefined> {
  const args = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"];
  try {
    const { success, stderr } = await new Deno.Command("npm", { args, cwd: folder, stdout: "null" }).output();
    return success
      ? undefined
      : `"npm install" failed: ${new TextDecoder().decode(stderr).trim().replace(/\s+/g, " ")}`;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return `"npm" is not in the PATH`;
    throw error;
  }
}

async function fingerprint(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest, 0, 8), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    // Whatever keeps us from looking at it also keeps us from using it.
    return false;
  }
}
