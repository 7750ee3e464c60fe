// Medplum's packages from npm, as they are. They are no dependency of the project: only this test fetches them.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

const DEPENDENCIES = {
  "medplum-core-4.5.2": "npm:@medplum/core@4.5.2",
  "medplum-core-5.1.15": "npm:@medplum/core@5.1.15",
  "@medplum/core": "5.2.13",
  "@medplum/react-hooks": "5.2.13",
  "react": "19.2.0",
  "react-dom": "19.2.0",
  "jsdom": "26.1.0",
};

/** The folder whose `node_modules` has them, or why there is none. */
export async function installMedplum(): Promise<{ readonly folder: string } | { readonly failure: string }> {
  const folder = join(
    await cacheFolder(),
    `medplum-${Object.values(DEPENDENCIES).join("-").replace(/[^\w.-]+/g, "-")}`,
  );
  if (await exists(folder)) return { folder };
  const draft = `${folder}.${crypto.randomUUID()}`;
  await mkdir(draft, { recursive: true });
  await writeFile(join(draft, "package.json"), JSON.stringify({ private: true, dependencies: DEPENDENCIES }));
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
