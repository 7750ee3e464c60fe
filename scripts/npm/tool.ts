import { parseArgs } from "node:util";
import type { Dnt } from "./dnt.ts";

/** What compiles the package. */
export type Tool = "dnt" | "tsc";

/** The tool that `--tool` forces, if it does. */
export function parseTool(args: readonly string[]): Tool | undefined {
  const { values: { tool } } = parseArgs({ args: [...args], options: { tool: { type: "string" } } });
  if (tool === undefined || tool === "dnt" || tool === "tsc") return tool;
  throw new TypeError(`Cannot build with "${tool}": it is neither dnt nor tsc`);
}

/** dnt, unless tsc is asked for or dnt cannot be loaded; then `note` says so, and a build that must be dnt's fails. */
export async function chooseTool(
  asked: Tool | undefined,
  load: () => Promise<Dnt | string>,
): Promise<{ readonly dnt?: Dnt; readonly note?: string }> {
  if (asked === "tsc") return {};
  const dnt = await load();
  if (typeof dnt !== "string") return { dnt };
  if (asked === "dnt") throw new Error(`Cannot build with dnt: JSR cannot be reached: ${dnt}`);
  return { note: `JSR cannot be reached, tsc builds in place of dnt: ${dnt}` };
}
