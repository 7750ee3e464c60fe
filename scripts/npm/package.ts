// What the npm package is, whatever compiles it: one description from deno.json and the little that npm wants beside it.

import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** One way into the package. */
export interface Entry {
  /** As in `exports`: `.` or `./storage/memory`. */
  readonly name: string;
  /** Relative to the project: `mod.ts`. */
  readonly source: string;
  /** Relative to the package: `esm/mod.js`. */
  readonly module: string;
  /** Relative to the package: `esm/mod.d.ts`. */
  readonly types: string;
}

/** The package before it is compiled. */
export interface PackagePlan {
  readonly name: string;
  readonly version: string;
  readonly entries: readonly Entry[];
  /** The content of `package.json`. */
  readonly manifest: Readonly<Record<string, unknown>>;
}

/** Where compiled modules lie; the same for each compiler. */
export const MODULES = "esm";

/** Files that are copied as they are. */
export const COPIED: readonly string[] = ["README.md", "LICENSE"];

/** The language that every supported runtime understands, and the globals that modules may name: those of Node 20. */
export const TARGET = { target: "ES2022", lib: ["ES2023", "DOM", "DOM.Iterable"] } as const;

const FOR_NPM = {
  description: "FHIR's Subscription/$get-ws-binding-token and the WebSocket side that its token opens",
  keywords: ["fhir", "hl7", "subscription", "subscriptions", "websocket", "notifications", "smart-on-fhir", "r4", "r5"],
  repository: { type: "git", url: "git+https://github.com/fhir-ws/binding.git" },
  engines: { node: ">=20" },
  type: "module",
  sideEffects: false,
  publishConfig: { access: "public" }, // a scoped package is private unless it says so
} as const;

/** Reads what the package will be. */
export async function planPackage(project: string): Promise<PackagePlan> {
  const { name, version, license, exports } = JSON.parse(await readFile(join(project, "deno.json"), "utf8"));
  const entries = Object.entries<string>(exports).map(([name, path]) => {
    const source = path.replace(/^\.\//, "");
    return { name, source, module: builtFile(source, ".js"), types: builtFile(source, ".d.ts") };
  });
  const paths = entries.map(({ name, types, module }) => [name, { types: `./${types}`, default: `./${module}` }]);
  return {
    name,
    version,
    entries,
    manifest: {
      name,
      version,
      license,
      ...FOR_NPM,
      exports: { ...Object.fromEntries(paths), "./package.json": "./package.json" },
      files: [MODULES],
    },
  };
}

/** What a source becomes: `src/types.ts` is `esm/src/types.js`. */
export function builtFile(source: string, ending: ".js" | ".d.ts"): string {
  return `${MODULES}/${source.replace(/\.ts$/, ending)}`;
}
