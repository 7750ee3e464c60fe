// Several servers in processes of their own, as a test drives them.

import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { producedBy } from "../tools/produced.ts";
import type { ServerConfig } from "./server.ts";

/** An event of a group goes to as many Subscriptions: `<group>-0`, `<group>-1` … */
export const SUBSCRIPTIONS_PER_GROUP = 3;

/** A server process. */
export interface Server {
  readonly port: number;
  /** Has it write an event; its number, or `undefined` when it could not. Rejects when the process has ended. */
  write(group: string, n: number): Promise<number | undefined>;
  revoke(token: string): Promise<void>;
  /** A binding token for one Subscription, and the HTTP status that it came with. */
  mint(subscription: string): Promise<{ readonly status: number; readonly token: string }>;
  /** Ends it by SIGKILL, at once. */
  kill(): void;
  /** Resolves once it has gone. */
  stop(): Promise<void>;
}

export async function startServer(config: ServerConfig): Promise<Server> {
  const path = fileURLToPath(new URL("server.ts", import.meta.url));
  const runtime = "Deno" in globalThis ? ["run", "-A", "--quiet"] : [];
  const child = spawn(process.execPath, [...runtime, path, JSON.stringify(config)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const answers = readAnswers(child);
  const port = Number(await answers.of("listening"));
  async function ask(order: string, answer: string): Promise<string> {
    const answered = answers.of(answer);
    child.stdin!.write(`${order}\n`);
    return await answered;
  }
  return {
    port,
    async write(group, n) {
      const number = await ask(`write ${group} ${n}`, `${group} ${n}`);
      return number === "failed" ? undefined : Number(number);
    },
    async revoke(token) {
      await ask(`revoke ${token}`, "revoked");
    },
    async mint(subscription) {
      const response = await fetch(`http://127.0.0.1:${port}/fhir/Subscription/${subscription}/$get-ws-binding-token`);
      const { parameter }: Answer = await (await producedBy(response)).json();
      return { status: response.status, token: parameter?.find(({ name }) => name === "token")?.valueString ?? "" };
    },
    kill: () => void child.kill("SIGKILL"),
    async stop() {
      child.stdin!.end();
      await answers.ended;
    },
  };
}

interface Answer {
  readonly parameter?: readonly { readonly name: string; readonly valueString?: string }[];
}

interface Answers {
  /** What it answers to an order. Rejects when it has ended before. */
  of(order: string): Promise<string>;
  readonly ended: Promise<void>;
}

function readAnswers(child: ChildProcess): Answers {
  const waiting = new Map<string, { resolve(answer: string): void; reject(error: Error): void }>();
  createInterface({ input: child.stdout! }).on("line", (line) => {
    const [kind = "", first = "", second = "", number = ""] = line.split(" ");
    const order = second === "" ? kind : `${first} ${second}`;
    waiting.get(order)?.resolve(kind === "failed" ? kind : second === "" ? first : number);
    waiting.delete(order);
  });
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => {
      for (const { reject } of waiting.values()) reject(new Error("Cannot ask a server: its process has ended"));
      waiting.clear();
      resolve();
    });
  });
  return { of: (order) => new Promise((resolve, reject) => waiting.set(order, { resolve, reject })), ended };
}
