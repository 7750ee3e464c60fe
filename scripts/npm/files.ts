import { readFile } from "node:fs/promises";
import { join, posix } from "node:path";
import { findFiles } from "../test/files.ts";
import { builtFile, COPIED } from "./package.ts";

/** What the tarball has too much or too little, and imports that lead out of it or nowhere. */
export async function fileProblems(project: string, folder: string, packed: readonly string[]): Promise<string[]> {
  const sources = ["mod.ts", ...await findFiles(project, "src", ".ts"), ...await findFiles(project, "adapters", ".ts")];
  const built = sources.flatMap((source) => [builtFile(source, ".js"), builtFile(source, ".d.ts")]);
  const expected = new Set(["package.json", ...COPIED, ...built]);
  const found = new Set(packed);
  const imports = await Promise.all(built.filter((file) => found.has(file)).map((file) => deadImports(folder, file)));
  return [
    ...[...expected].filter((file) => !found.has(file)).map((file) => `${file} is missing`),
    ...packed.filter((file) => !expected.has(file)).map((file) => `${file} is too much`),
    ...imports.flat(),
  ];

  async function deadImports(folder: string, file: string): Promise<string[]> {
    return specifiersOf(await readFile(join(folder, file), "utf8"))
      .filter((specifier) => !found.has(posix.join(posix.dirname(file), specifier)))
      .map((specifier) => `${file} imports "${specifier}", which is no file of the package`);
  }
}

/** Comments are left out: the examples there import by name. */
function specifiersOf(text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, "");
  return Array.from(
    code.matchAll(/^(?:import|export)\b[^;]*?\bfrom\s*"([^"]+)"|\bimport\(\s*"([^"]+)"|^import\s*"([^"]+)"/gm),
    ([, from, dynamic, bare]) => from ?? dynamic ?? bare ?? "",
  );
}
