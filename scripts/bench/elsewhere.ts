import { fileURLToPath } from "node:url";
import { makeMirror } from "../test/mirror.ts";
import { findRuntime, type RuntimeName } from "../test/runtimes.ts";

/** Runs the benchmark on Node or Bun, in a mirror of the project; returns the exit code. */
export async function benchOn(name: RuntimeName, args: readonly string[]): Promise<number> {
  const runtime = await findRuntime(name);
  if (typeof runtime === "string") throw new Error(`Cannot measure on "${name}": ${runtime}`);
  const mirror = await makeMirror(fileURLToPath(new URL("../..", import.meta.url)));
  if (typeof mirror === "string") throw new Error(`Cannot measure on "${name}": ${mirror}`);
  try {
    const own = args.filter((arg, n) => !arg.startsWith("--runtime") && args[n - 1] !== "--runtime");
    const command = new Deno.Command(runtime.path, { args: ["scripts/bench/main.ts", ...own], cwd: mirror.root });
    return (await command.spawn().status).code;
  } finally {
    await mirror.remove();
  }
}
