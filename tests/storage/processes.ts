// Other processes of the same runtime.

import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export interface Helper {
  /** The lines that it has printed, and will print. */
  readonly lines: readonly string[];
  /** Resolves when it has printed so many lines. */
  printed(count: number): Promise<void>;
  tell(line: string): void;
  /** Ends it by SIGKILL, at once. */
  kill(): void;
  /** Resolves with its exit code, `null` when it was killed, once all that it printed was read. */
  readonly ended: Promise<number | null>;
}

/** Runs a script of this folder in a process of its own. */
export function startHelper(script: string, ...args: readonly string[]): Helper {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const runtime = "Deno" in globalThis ? ["run", "-A", "--quiet"] : [];
  const child: ChildProcess = spawn(process.execPath, [...runtime, path, ...args], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  const reader = createInterface({ input: child.stdout! });
  const read = new Promise<void>((resolve) => reader.once("close", resolve));
  const exited = new Promise<number | null>((resolve, reject) => {
    child.once("exit", resolve);
    child.once("error", reject);
  });
  const ended = Promise.all([exited, read]).then(([code]) => code);
  reader.on("line", (line) => {
    lines.push(line);
    for (const look of waiting) look();
  });
  return {
    lines,
    printed(count) {
      return new Promise((resolve, reject) => {
        const look = (): void => {
          if (lines.length >= count) resolve();
        };
        waiting.add(look);
        look();
        ended.then(
          (code) => reject(new Error(`Cannot wait for line ${count}: "${script}" ended with "${code}"`)),
          reject,
        );
      });
    },
    tell: (line) => void child.stdin!.write(`${line}\n`),
    kill: () => void child.kill("SIGKILL"),
    ended,
  };
}
