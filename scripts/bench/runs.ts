// The runs of `run.ts` on each runtime, each in a process of its own.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { makeMirror } from "../test/mirror.ts";
import { findRuntime, type Runtime, type RuntimeName } from "../test/runtimes.ts";
import type { Machine } from "./machine.ts";
import type { CaseResult } from "./result.ts";

/** What one runtime came to. */
export interface Run {
  readonly machine: Machine;
  readonly results: readonly CaseResult[];
}

/** Is told as it goes. */
export interface RunWatcher {
  began(machine: Machine): void;
  measured(result: CaseResult): void;
}

const PROJECT = fileURLToPath(new URL("../..", import.meta.url));

/** Measures cases on one runtime, Node and Bun in a mirror of the project. */
export async function runOn(name: RuntimeName, only: readonly string[], watcher: RunWatcher): Promise<Run> {
  const runtime = await findRuntime(name);
  if (typeof runtime === "string") throw new Error(`Cannot measure on "${name}": ${runtime}`);
  if (name === "deno") return await read(runtime, ["run", "-A", "--quiet"], PROJECT, only, watcher);
  const mirror = await makeMirror(PROJECT);
  if (typeof mirror === "string") throw new Error(`Cannot measure on "${name}": ${mirror}`);
  try {
    return await read(runtime, [], mirror.root, only, watcher);
  } finally {
    await mirror.remove();
  }
}

async function read(
  { path }: Runtime,
  args: readonly string[],
  cwd: string,
  only: readonly string[],
  watcher: RunWatcher,
): Promise<Run> {
  const child = spawn(path, [...args, "scripts/bench/run.ts", ...only], { cwd, stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  let machine: Machine | undefined;
  const results: CaseResult[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const told: Machine | CaseResult = JSON.parse(line);
    if ("runtime" in told) watcher.began(machine = told);
    else {
      results.push(told);
      watcher.measured(told);
    }
  }
  const [code] = await exited;
  if (code !== 0 || machine === undefined) throw new Error(`Cannot go on: ${path} ended with ${code}`);
  return { machine, results };
}
