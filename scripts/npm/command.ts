import { execFile } from "node:child_process";
import process from "node:process";

/** How a program ended. */
export interface Ended {
  readonly success: boolean;
  readonly stdout: string;
  /** All that it printed, errors last; why it could not run, where it printed nothing. */
  readonly text: string;
}

/** What a program runs with. */
export interface RunOptions {
  readonly cwd?: string;
  /** For its standard input. */
  readonly input?: string;
  /** Milliseconds after which it is ended. */
  readonly timeout?: number;
}

/** Runs a program to its end. */
export function run(path: string, args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const { input = "", ...rest } = options;
  const settings = { ...rest, env: { ...process.env, NO_COLOR: "1" }, maxBuffer: 2 ** 26 };
  return new Promise((resolve) => {
    const child = execFile(path, args, settings, (error, stdout, stderr) => {
      const text = (stdout + stderr).trim() || (error?.message ?? "");
      resolve({ success: error === null, stdout, text });
    });
    child.stdin?.on("error", () => {}).end(input); // it may end before it has read all
  });
}
