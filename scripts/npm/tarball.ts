import { join } from "node:path";
import { run } from "./command.ts";

/** What would be published. */
export interface Tarball {
  readonly path: string;
  readonly files: readonly string[];
}

/** Packs what was built. */
export async function pack(folder: string, target: string): Promise<Tarball> {
  const args = ["pack", "--json", "--ignore-scripts", `--pack-destination=${target}`];
  const { success, stdout, text } = await run("npm", args, { cwd: folder });
  if (!success) throw new Error(`Cannot pack: ${text}`);
  const packed: { readonly filename: string; readonly files: readonly { readonly path: string }[] }[] = JSON.parse(
    stdout,
  );
  const [{ filename, files } = { filename: "", files: [] }] = packed;
  return { path: join(target, filename), files: files.map(({ path }) => path) };
}

/** What the tools of npm's world find in a tarball. `modules` is where they are installed. */
export async function tarballProblems(path: string, modules: string): Promise<string[]> {
  const tools = {
    publint: [join(modules, "publint", "src", "cli.js"), path, "--strict"],
    attw: [join(modules, "@arethetypeswrong", "cli", "dist", "index.js"), path, "--profile", "esm-only"],
  };
  const problems: string[] = [];
  for (const [name, args] of Object.entries(tools)) {
    const { success, text } = await run("node", args);
    console.log(`${name}: ${success ? "clean" : "FAILS"}`);
    if (!success) problems.push(`${name}: ${text}`);
  }
  return problems;
}
