import { parseArgs } from "node:util";
import { isRuntimeName, RUNTIME_NAMES, type RuntimeName } from "../test/runtimes.ts";

/** What the command line asks for. */
export interface BenchOptions {
  /** Names of cases; none means all. */
  readonly only: readonly string[] | undefined;
  readonly json: boolean;
  /** Whether a missed target fails the process. */
  readonly strict: boolean;
  readonly runtime: RuntimeName | undefined;
}

export const HELP = "Usage: deno task bench [--only name,...] [--json] [--strict] [--runtime deno|node|bun]";

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
      },
    });
    const { only, json, strict, runtime } = values;
    if (runtime === undefined || isRuntimeName(runtime)) return { only: only?.split(","), json, strict, runtime };
    return `Cannot measure on "${runtime}": it is none of ${RUNTIME_NAMES.join(", ")}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
