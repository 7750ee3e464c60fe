// Packages that one test alone needs, as npm has them. They are no dependency of the project.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** A folder whose `node_modules` has the packages, or why there is none. */
export type Installed = { readonly folder: string } | { readonly failure: string };

/** Installs packages into a folder that is kept, so that the same list is installed once. */
export async function installPackages(
  name: string,
  dependencies: Readonly<Record<string, string>>,
): Promise<Installed> {
  const versions = Object.values(dependencies).join("-").replace(/[^\w.-]+/g, "-");
  const folder = join(await cacheFolder(), `${name}-${versions}`);
  if (await exists(folder)) return { folder };
  const draft = `${folder}.${crypto.randomUUID()}`;
  await mkdir(draft, { recursive: true });
  await writeFile(join(draft, "package.json"), JSON.stringify({ private: true, dependencies }));
  const failure = await npmInstall(draft);
  if (failure === undefined) await rename(draft, folder).catch(() => undefined); // another run was first
  await rm(draft, { recursive: true, force: true });
  return failure === undefined ? { folder } : { failure };
}

/** Where the project keeps what it has fetched; a mirror of the project links to it. */
async function cacheFolder(): Promise<string> {
  const linked = await realpath(join(ROOT, "node_modules", "ws")).catch(() => ""); // this is no mirror
  const end = linked.indexOf(`${sep}.cache${sep}`);
  return end < 0 ? join(ROOT, "node_modules", ".cache") : linked.slice(0, end + `${sep}.cache`.length);
}

async function npmInstall(folder: string): Promise<string | undefined> {
  const args = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"];
  const child = spawn("npm", args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => stderr += text);
  try {
    const [code] = await once(child, "close");
    return code === 0 ? undefined : `"npm install" failed: ${stderr.trim().replace(/\s+/g, " ")}`;
  } catch {
    return `"npm" is not in the PATH`;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    return false; // whatever keeps us from looking at it also keeps us from using it
  }
}
