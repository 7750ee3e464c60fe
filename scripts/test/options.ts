import { parseArgs } from "node:util";
import { isRuntimeName, RUNTIME_NAMES, type RuntimeName } from "./runtimes.ts";

/** What the command line asks for. */
export interface TestOptions {
  readonly only: readonly RuntimeName[];
  /** Part of a test's name; on Deno of an outermost one. */
  readonly filter: string | undefined;
  /** Parts of file paths; none means every file. */
  readonly paths: readonly string[];
}

export const HELP = "Usage: deno task test [--only deno,node,bun] [--filter text] [part of a path ...]";

/** The options, or what is wrong with them. */
export function parseOptions(args: readonly string[]): TestOptions | string {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { only: { type: "string" }, filter: { type: "string" } },
    });
    const only = values.only?.split(",") ?? RUNTIME_NAMES;
    if (!only.every(isRuntimeName)) {
      return `Cannot run on "${values.only}": it is no list of ${RUNTIME_NAMES.join(", ")}`;
    }
    return { only, filter: values.filter, paths: positionals.map((path) => path.replace(/^\.\//, "")) };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
