// The process of `clients.ts`, and how to give it orders.

import { spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** A second process that holds sockets open. */
export interface Clients {
  /** Gives an order; tells how many frames have come. */
  ask(order: object): Promise<number>;
  /** Resolves when so many frames have come. */
  reach(frames: number): Promise<void>;
  stop(): void;
}

export function startClients(): Clients {
  const script = fileURLToPath(new URL("clients.ts", import.meta.url));
  const args = process.versions.deno ? ["run", "-A", script] : [script];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  async function ask(order: object): Promise<number> {
    child.stdin.write(`${JSON.stringify(order)}\n`);
    const { value, done } = await answers.next();
    if (done) throw new Error("Cannot measure: the clients have gone");
    return Number(value);
  }
  return {
    ask,
    async reach(frames) {
      while (await ask({ count: 0, frames: [] }) < frames) await new Promise((resolve) => setTimeout(resolve, 1));
    },
    stop: () => child.stdin.end(),
  };
}
