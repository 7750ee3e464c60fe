import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findFiles } from "../test/files.ts";
import { install } from "../test/packages.ts";
import { run } from "./command.ts";
import { MODULES, type PackagePlan, TARGET } from "./package.ts";
import { BUILD_TOOLS } from "./tools.ts";

/** Compiles with TypeScript's own compiler. */
export async function compileWithTsc(project: string, plan: PackagePlan, folder: string): Promise<void> {
  const { folder: tools, failure } = await install(project, BUILD_TOOLS);
  if (failure !== undefined) throw new Error(`Cannot build with tsc: ${failure}`);
  const scratch = await mkdtemp(join(tmpdir(), "fhir-ws-tsc-"));
  try {
    const config = join(scratch, "tsconfig.json");
    await writeFile(config, JSON.stringify(tsconfig(project, plan, folder)));
    const compiler = join(tools, "node_modules", "typescript", "bin", "tsc");
    const { success, text } = await run("node", [compiler, "-p", config]);
    if (!success) throw new Error(`Cannot build with tsc:\n${text}`);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  for (const file of await findFiles(folder, MODULES, ".d.ts")) await renameImports(join(folder, file));
}

function tsconfig(project: string, plan: PackagePlan, folder: string): unknown {
  return {
    compilerOptions: {
      ...TARGET,
      module: "ESNext",
      moduleResolution: "bundler",
      noEmitOnError: true,
      types: [],
      rootDir: project,
      outDir: join(folder, MODULES),
      declaration: true,
      rewriteRelativeImportExtensions: true,
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      verbatimModuleSyntax: true,
      erasableSyntaxOnly: true,
      skipLibCheck: false,
    },
    files: plan.entries.map(({ source }) => join(project, source)),
  };
}

const RELATIVE = /(\b(?:from|import)\s*\(?\s*")(\.{1,2}\/[^"]+)\.ts"/g;

/** The compiler rewrites the endings of relative imports in modules, but not in declarations. */
async function renameImports(file: string): Promise<void> {
  const text = await readFile(file, "utf8");
  await writeFile(file, text.replace(RELATIVE, '$1$2.js"'));
}
