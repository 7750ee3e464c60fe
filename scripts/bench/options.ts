import { parseArgs } from "node:util";
import { isRuntimeName, RUNTIME_NAMES, type RuntimeName } from "../test/runtimes.ts";

/** What the command line asks for. */
export interface BenchOptions {
  /** Names of cases; none means all. */
  readonly only: readonly string[];
  readonly runtimes: readonly RuntimeName[];
  readonly json: boolean;
  /** Whether a missed target fails the process. */
  readonly strict: boolean;
  /** Costs by size in place of the cases. */
  readonly scaling: boolean;
  /** What servers carry in place of the cases. */
  readonly sizing: boolean;
}

export const HELP =
  "Usage: deno task bench [--only name,...] [--runtime deno,node,bun] [--json] [--strict], or --scaling or --sizing alone";

/** The options, or what is wrong with them. */
export function parseOptions(args: readonly string[]): BenchOptions | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        only: { type: "string" },
        json: { type: "boolean", default: false },
        strict: { type: "boolean", default: false },
        runtime: { type: "string" },
        scaling: { type: "boolean", default: false },
        sizing: { type: "boolean", default: false },
      },
    });
    const { only, json, strict, runtime, scaling, sizing } = values;
    const runtimes = runtime?.split(",") ?? RUNTIME_NAMES;
    if (!runtimes.every(isRuntimeName)) {
      return `Cannot measure on "${runtime}": it is no list of ${RUNTIME_NAMES.join(", ")}`;
    }
    if (scaling && args.length > 1) return "Cannot combine --scaling with anything: it measures on Deno, all sizes";
    if (sizing && args.length > 1) return "Cannot combine --sizing with anything: it measures on Deno, all engines";
    return { only: only?.split(",") ?? [], json, strict, runtimes, scaling, sizing };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
