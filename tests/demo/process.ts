// The real server in a process of its own, by the launcher of the runtime that runs the tests.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { assert } from "@std/assert";
import { produced } from "../tools/produced.ts";
import { credentials, type JsonObject, object } from "./running.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const DENO = ["run", "--allow-net", "--allow-read", "--allow-write", "--allow-env", "scripts/demo/main.ts"];

/** A server that has been started. */
export interface DemoProcess {
  /** Resolves when it says that it listens, to where; rejects when it ends before. */
  readonly origin: Promise<string>;
  /** The exit code, once it has ended by itself. */
  readonly exit: Promise<number | null>;
  readonly stdout: () => string;
  readonly stderr: () => string;
  kill(signal: "SIGINT" | "SIGTERM" | "SIGKILL"): void;
  /** Ends it if it still runs. */
  end(): Promise<void>;
}

/** Starts the demo with these options. */
export function start(...options: string[]): DemoProcess {
  const child = spawn(process.execPath, [...launcher(), ...options], { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  const stdout = collect(child, "stdout");
  const stderr = collect(child, "stderr");
  let ended = false;
  child.once("exit", () => ended = true);
  const exit = once(child, "close").then(([code]) => code as number | null); // what Node documents of the event
  const origin = new Promise<string>((resolve, reject) => {
    child.stdout.on("data", () => {
      const [, url] = /^Listening on (\S+)\/\n/m.exec(stdout()) ?? [];
      if (url !== undefined) resolve(url);
    });
    exit.then((code) => reject(new Error(`The demo ended with ${code}: ${stderr()}`)));
  });
  origin.catch(() => {}); // not everybody waits for it
  return {
    origin,
    exit,
    stdout,
    stderr,
    kill(signal) {
      // Not child.kill(): after that Deno tells the signal in place of the code that the child chose.
      if (child.pid !== undefined && !ended) process.kill(child.pid, signal);
    },
    async end() {
      child.kill("SIGKILL");
      await exit;
    },
  };
}

function launcher(): string[] {
  if ("Deno" in globalThis) return DENO;
  return ["Bun" in globalThis ? "scripts/demo/bun.ts" : "scripts/demo/node.ts"];
}

function collect(child: ChildProcess, name: "stdout" | "stderr"): () => string {
  let text = "";
  child[name]?.setEncoding("utf8").on("data", (chunk: string) => text += chunk);
  return () => text;
}

/** Runs a test with a server, which does not outlive it. */
export async function withProcess(
  options: string[],
  test: (origin: string, demo: DemoProcess) => Promise<void>,
): Promise<void> {
  const demo = start(...options);
  try {
    await test(await demo.origin, demo);
  } finally {
    await demo.end();
  }
}

/** An access token. */
export async function login(origin: string, user: string): Promise<string> {
  const body = new URLSearchParams(credentials(user));
  const response = await fetch(`${origin}/oauth2/token`, { method: "POST", body });
  return String(object(await response.json()).access_token);
}

/** Sends a request with an access token; the answer's body is empty unless it is JSON. */
export async function send(
  token: string,
  method: string,
  url: string,
  body?: JsonObject,
): Promise<{ readonly status: number; readonly json: JsonObject }> {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/fhir+json" };
  const response = await fetch(url, { method, headers, ...(body && { body: JSON.stringify(body) }) });
  const text = await response.text();
  produced(text);
  return { status: response.status, json: text === "" ? {} : object(JSON.parse(text)) };
}

/** A WebSocket client that keeps what comes. */
export interface Client {
  send(frame: string): void;
  next(): Promise<JsonObject>;
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  close(): void;
}

/** Connects, and rejects when it cannot. */
export async function connectTo(url: string): Promise<Client> {
  const socket = new WebSocket(url);
  const frames: string[] = [];
  let arrived = (): void => {};
  socket.addEventListener("message", ({ data }) => {
    assert(typeof data === "string");
    produced(data);
    frames.push(data);
    arrived();
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) =>
    socket.addEventListener("close", ({ code, reason }) => resolve({ code, reason }))
  );
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener("open", () => resolve());
    socket.addEventListener("error", () => reject(new Error(`Cannot connect to ${url}`)));
  });
  return {
    send: (frame) => socket.send(frame),
    async next() {
      while (frames.length === 0) await new Promise<void>((resolve) => arrived = resolve);
      return object(JSON.parse(frames.shift() ?? ""));
    },
    closed,
    close: () => socket.close(),
  };
}
