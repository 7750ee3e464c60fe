import { mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Names with versions, as `package.json` has them; or whatever else has a name. */
export type Names = { readonly [name: string]: string };

/** Packages in a folder of their own, or why they are not. */
export interface Installed {
  readonly folder: string;
  readonly names: readonly string[];
  readonly failure?: string;
}

/** The dependencies among a `deno.json`'s imports. Types alone are left out: nothing reads them where code runs. */
export function npmPackages(imports: Names): Names {
  const packages: { [name: string]: string } = {};
  for (const [name, specifier] of Object.entries(imports)) {
    const [, target, version] = /^npm:(@?[^@]+)@([^/]+)$/.exec(specifier) ?? [];
    if (target === undefined || version === undefined || target.startsWith("@types/")) continue;
    packages[name] = target === name ? version : `npm:${target}@${version}`;
  }
  return packages;
}

/** Installs into a folder named after the list, so that the same list is installed once. */
export async function install(project: string, dependencies: Names): Promise<Installed> {
  const folder = await cacheFolder(project, dependencies);
  const names = Object.keys(dependencies);
  if (await exists(folder)) return { folder, names };
  const draft = `${folder}.${crypto.randomUUID()}`;
  await mkdir(draft, { recursive: true });
  await writeFile(join(draft, "package.json"), manifestOf(dependencies));
  const failure = await npm(draft, "install", "--ignore-scripts", "--no-package-lock");
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

/** Whether `install` would have nothing to do. */
export async function isInstalled(project: string, dependencies: Names): Promise<boolean> {
  return await exists(await cacheFolder(project, dependencies));
}

/** Runs `npm` in a folder; why it failed, if it did. */
export async function npm(folder: string, command: string, ...options: readonly string[]): Promise<string | undefined> {
  const args = [command, ...options, "--no-audit", "--no-fund", "--loglevel=error"];
  try {
    const { success, stderr } = await new Deno.Command("npm", { args, cwd: folder, stdout: "null" }).output();
    return success
      ? undefined
      : `"npm ${command}" failed: ${new TextDecoder().decode(stderr).trim().replace(/\s+/g, " ")}`;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return `"npm" is not in the PATH`;
    throw error;
  }
}

export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    // Whatever keeps us from looking at it also keeps us from using it.
    return false;
  }
}

async function cacheFolder(project: string, dependencies: Names): Promise<string> {
  return join(project, "node_modules", ".cache", `npm-${await fingerprint(manifestOf(dependencies))}`);
}

function manifestOf(dependencies: Names): string {
  return JSON.stringify({ private: true, dependencies });
}

async function fingerprint(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest, 0, 8), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
