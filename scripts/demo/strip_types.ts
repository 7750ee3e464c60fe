// From TypeScript to JavaScript, by what the runtime has for it.

import * as modules from "node:module";

/** As much of Bun as is used. */
interface BunRuntime {
  readonly Transpiler: new (options: { readonly loader: "ts" }) => { transformSync(code: string): string };
}

/** The JavaScript in a module whose types can be left out. */
export function stripTypes(source: string): string {
  const { Bun } = globalThis as { readonly Bun?: BunRuntime }; // only Bun has it
  return Bun ? new Bun.Transpiler({ loader: "ts" }).transformSync(source) : modules.stripTypeScriptTypes(source);
}
