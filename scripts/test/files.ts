import { readdir } from "node:fs/promises";
import { join } from "node:path";

/** Every test file, relative to the project. */
export async function findTests(project: string): Promise<string[]> {
  return await findFiles(project, "tests", ".test.ts");
}

/** Every file whose examples are run, relative to the project. */
export async function findDocumentation(project: string): Promise<string[]> {
  const sources = await Promise.all(["src", "adapters"].map((folder) => findFiles(project, folder, ".ts")));
  const top = await readdir(project);
  return ["README.md", "mod.ts"].filter((file) => top.includes(file)).concat(...sources);
}

/** The files below a folder, by the end of their names, relative to the project. */
export async function findFiles(project: string, folder: string, ending: string): Promise<string[]> {
  const entries = await readdir(join(project, folder), { recursive: true });
  return entries.filter((path) => path.endsWith(ending)).map((path) => `${folder}/${path.replaceAll("\\", "/")}`)
    .sort();
}
