import { parseArgs } from "node:util";
import { isRuntimeName, RUNTIME_NAMES, type RuntimeName } from "./runtimes.ts";

/** What the command line asks for. */
export interface TestOptions {
  readonly only: readonly RuntimeName[];
  /** Part of a test's name; on Deno of an outermost one. */
  readonly filter: string | undefined;
  /** Parts of file paths; none means every file. */
  readonly paths: readonly string[];
  /** Runs on what `deno task build:npm` has built, in place of the sources. */
  readonly package: boolean;
  /** Tells which lines the tests on Deno run. */
  readonly coverage: boolean;
  /** The major version of Node. */
  readonly node: number | undefined;
}

export const HELP =
  "Usage: deno task test [--only deno,node,bun] [--node 22] [--package] [--coverage] [--filter text] [part of a path ...]";

/** The options, or what is wrong with them. */
export function parseOptions(args: readonly string[]): TestOptions | string {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        only: { type: "string" },
        filter: { type: "string" },
        package: { type: "boolean", default: false },
        coverage: { type: "boolean", default: false },
        node: { type: "string" },
      },
    });
    const able = values.package ? RUNTIME_NAMES.filter((name) => name !== "deno") : RUNTIME_NAMES;
    const only = values.only?.split(",") ?? able;
    if (!only.every(isRuntimeName)) {
      return `Cannot run on "${values.only}": it is no list of ${RUNTIME_NAMES.join(", ")}`;
    }
    if (!only.every((name) => able.includes(name))) return "Cannot run the package on deno: it runs the sources";
    if (values.coverage && !only.includes("deno")) return "Cannot tell what is covered without deno: it measures it";
    const node = values.node === undefined ? undefined : Number(values.node);
    if (node !== undefined && !Number.isInteger(node)) {
      return `Cannot run on Node "${values.node}": give a major version`;
    }
    const paths = positionals.map((path) => path.replace(/^\.\//, ""));
    return { only, filter: values.filter, paths, package: values.package, coverage: values.coverage, node };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
