import { rm } from "node:fs/promises";
import { join } from "node:path";
import { MODULES, type PackagePlan, TARGET } from "./package.ts";

/** As much of `jsr:@deno/dnt` as is called; its own types are out of reach wherever JSR is. */
export interface Dnt {
  build(options: {
    readonly entryPoints: { readonly kind: "export"; readonly name: string; readonly path: string }[];
    readonly cwd: string;
    readonly configFile: false;
    readonly outDir: string;
    readonly shims: Readonly<Record<string, never>>;
    readonly polyfills: false;
    readonly esModule: true;
    readonly scriptModule: false;
    readonly declaration: "inline";
    readonly typeCheck: "single";
    readonly test: false;
    readonly skipNpmInstall: true;
    readonly skipSourceOutput: true;
    readonly compilerOptions: {
      readonly target: "ES2022";
      readonly lib: (typeof TARGET)["lib"][number][];
      readonly noUncheckedIndexedAccess: true;
      readonly useUnknownInCatchVariables: true;
    };
    readonly package: { readonly name: string; readonly version: string };
  }): Promise<void>;
}

// Not written as a literal import: a type check would have to reach JSR, too. Older ones put shims into our modules.
const DNT = "jsr:@deno/dnt@^0.43.2";

/** The tool, or why it cannot be loaded. */
export async function loadDnt(load: () => Promise<Dnt> = () => import(DNT)): Promise<Dnt | string> {
  try {
    return await load();
  } catch (error) {
    const isMissing = error instanceof TypeError && "code" in error && error.code === "ERR_MODULE_NOT_FOUND";
    if (!isMissing) throw error;
    return error.message.replace(/\n[\s\S]*/, "");
  }
}

/** Compiles with dnt. What it writes beside the modules is taken away: the description is ours. */
export async function compileWithDnt(dnt: Dnt, project: string, plan: PackagePlan, folder: string): Promise<void> {
  await dnt.build({
    entryPoints: plan.entries.map(({ name, source }) => ({ kind: "export", name, path: join(project, source) })),
    cwd: project,
    configFile: false, // its imports are those of the tests
    outDir: folder,
    shims: {},
    polyfills: false,
    esModule: true,
    scriptModule: false,
    declaration: "inline",
    typeCheck: "single",
    test: false,
    skipNpmInstall: true,
    skipSourceOutput: true,
    compilerOptions: {
      ...TARGET,
      lib: [...TARGET.lib],
      noUncheckedIndexedAccess: true,
      useUnknownInCatchVariables: true,
    },
    package: { name: plan.name, version: plan.version },
  });
  for (const file of ["package.json", "package-lock.json", ".npmignore", `${MODULES}/package.json`]) {
    await rm(join(folder, file), { force: true });
  }
}
