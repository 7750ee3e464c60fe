import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export type RuntimeName = "deno" | "node" | "bun";

/** A server in a process of its own. */
export interface ServerProcess {
  readonly url: URL;
  /** What it has written to its standard error. */
  stderr(): string;
  /** Ends it; what it ended with, had it ended before. */
  stop(): Promise<number | undefined>;
}

const ARGUMENTS: { readonly [name in RuntimeName]: readonly string[] } = {
  deno: ["run", "-A", "--no-lock"],
  node: [],
  bun: ["run"],
};

/** The runtime that runs this test. */
export function currentRuntime(): RuntimeName {
  if (process.versions.bun !== undefined) return "bun";
  return process.versions.deno !== undefined ? "deno" : "node";
}

/** The executable of a runtime: `TEST_DENO`, `TEST_NODE`, `TEST_BUN`, or the one that runs this test. */
export function executable(name: RuntimeName): string | undefined {
  return process.env[`TEST_${name.toUpperCase()}`] ?? (name === currentRuntime() ? process.execPath : undefined);
}

/** Starts `serve_<name>.ts` and waits until it listens. */
export async function startServer(name: RuntimeName): Promise<ServerProcess> {
  const script = fileURLToPath(new URL(`./serve_${name}.ts`, import.meta.url));
  const child = spawn(executable(name) ?? name, [...ARGUMENTS[name], script], {
    env: { ...process.env, NO_COLOR: "1", ...name === "node" ? { TEST_WS: findWs() } : {} },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text) => stderr += text);
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const url = await new Promise<URL>((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      const [, address] = /^Listening on (\S+)$/.exec(line) ?? [];
      if (address !== undefined) resolve(new URL(address));
    });
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`${name} ended with ${code}: ${stderr}`)));
  });
  return {
    url,
    stderr: () => stderr,
    stop: async () => {
      if (child.exitCode !== null) return child.exitCode;
      child.stdin.end(); // it ends by itself then, and can tell what it has run
      const patience = setTimeout(() => child.kill("SIGKILL"), 2000);
      await exited;
      clearTimeout(patience);
      return undefined;
    },
  };
}

/** The module file of `ws`, for a process that cannot find it by name. */
function findWs(): string {
  return join(dirname(createRequire(import.meta.url).resolve("ws/package.json")), "wrapper.mjs");
}
