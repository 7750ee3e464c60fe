// What the README says is what happens. Its other programs run as documentation tests.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import process from "node:process";
import { fileURLToPath } from "node:url";
// @ts-types="pg-types"
import pg from "pg";
import { type DemoProcess, start } from "./demo/process.ts";
import { postgresEngine, uniqueName } from "./several/engines.ts";
import { Follower } from "./several/follower.ts";
import { produced, producedBy } from "./tools/produced.ts";

const ROOT = new URL("../", import.meta.url);
const README = await readFile(new URL("README.md", ROOT), "utf8");

/** The fenced blocks of a language, in order. */
function blocks(language: string): string[] {
  return [...README.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "gms"))].map(([, text = ""]) => text);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  if (address === null || typeof address === "string") throw new Error("Cannot find a port");
  return address.port;
}

/** Frames of a socket, one after the other. */
async function* frames(url: string, first: string): AsyncGenerator<string> {
  const socket = new WebSocket(url);
  const waiting: string[] = [];
  let wake = () => {};
  socket.onopen = () => socket.send(first);
  socket.onmessage = ({ data }) => {
    produced(data);
    waiting.push(String(data));
    wake();
  };
  socket.onclose = () => wake();
  try {
    while (socket.readyState <= WebSocket.OPEN) {
      const frame = waiting.shift();
      if (frame !== undefined) yield frame;
      else await new Promise<void>((resolve) => wake = resolve);
    }
  } finally {
    socket.close();
  }
}

async function firstFrames(url: string, first: string, count: number): Promise<string[]> {
  const seen: string[] = [];
  for await (const frame of frames(url, first)) {
    if (seen.push(frame) === count) break;
  }
  return seen;
}

interface Answer {
  readonly parameter: readonly { readonly name: string; readonly valueString?: string; readonly valueUrl?: string }[];
}

const onDeno = "Deno" in globalThis;
const [oneProcess = "", severalProcesses = ""] = blocks("ts ignore");

function linesOf(text: string): number {
  return text.trimEnd().split("\n").length;
}

describe("README", () => {
  it("has at most 300 lines, a first program of at most 20 and one for several machines of at most 30", () => {
    assert(linesOf(README) <= 300);
    assert(linesOf(oneProcess) <= 20);
    assert(linesOf(severalProcesses) <= 30);
  });

  it("has a first program that runs as it stands", { skip: onDeno ? false : "`deno serve` is Deno's" }, async () => {
    const port = await freePort();
    // Beside the library, whose names it imports, and on a port that is free.
    const file = new URL(`tests/readme_program_${port}.ts`, ROOT);
    await writeFile(file, oneProcess.replaceAll(":8000", `:${port}`));
    const options = ["serve", "--allow-net", "--host", "127.0.0.1", "--port", String(port), fileURLToPath(file)];
    const server = spawn(process.execPath, options, { stdio: ["ignore", "ignore", "pipe"] });
    try {
      await said(server, "Listening");
      const path = `http://127.0.0.1:${port}/fhir/R5/Subscription/s1/$get-ws-binding-token`;
      const { parameter }: Answer = await (await producedBy(await fetch(path))).json();
      const token = parameter[0]?.valueString ?? "";
      const url = parameter.at(-1)?.valueUrl ?? "";
      const [handshake = "", event = ""] = await firstFrames(url, `bind-with-token ${token}`, 2);
      assertStringIncludes(handshake, '"type":"handshake"');
      assertStringIncludes(event, '"type":"event-notification"');
    } finally {
      server.kill("SIGKILL");
      await once(server, "close");
      await rm(file);
    }
  });
});

function said(child: ChildProcess, word: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk) => {
        text += chunk;
        if (text.includes(word)) resolve();
      });
    }
    child.once("close", () => reject(new Error(`It ended: ${text}`)));
  });
}

/** A process that runs the program for several machines. */
interface Machine {
  readonly port: number;
  stop(): Promise<void>;
}

async function startMachine(program: string, databaseUrl: string): Promise<Machine> {
  const port = await freePort();
  const file = new URL(`tests/readme_machine_${port}.ts`, ROOT); // beside the library, as above
  // It says when it listens, its notifications say what they are about, and it ends with this process.
  const source = program.replace('"127.0.0.1")', '"127.0.0.1", () => console.log("Listening"))')
    .replace("channelType:", 'content: "id-only", channelType:');
  await writeFile(file, `${source}process.stdin.on("end", () => process.exit()).resume();\n`);
  const runtime = onDeno ? ["run", "-A", "--quiet"] : [];
  const server = spawn(process.execPath, [...runtime, fileURLToPath(file)], {
    env: { ...process.env, PORT: String(port), DATABASE_URL: databaseUrl },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const closed = once(server, "close");
  try {
    await said(server, "Listening");
  } catch (error) {
    await rm(file);
    throw error;
  }
  return {
    port,
    async stop() {
      server.kill("SIGKILL");
      await closed;
      await rm(file);
    },
  };
}

/** The program with its write, and a change beside it, in one transaction, as the README says; a DELETE rolls it back. */
function withOutbox(program: string): string {
  const [, outbox = ""] = /`(createNotifier\(\{[^`]*within\(connection\)[^`]*)`/.exec(README) ?? [];
  return program.replace(/await notifier(\.notify\(.*)$/m, (_, notify: string) =>
    [
      "const connection = await pool.connect();",
      'await connection.query("BEGIN");',
      'await connection.query("INSERT INTO patient (id) VALUES ($1)", [request.method]);',
      `await ${outbox}${notify.replace('"Patient/p1"', "`Patient/${request.method}`")}`,
      'await connection.query(request.method === "DELETE" ? "ROLLBACK" : "COMMIT");',
      "connection.release();",
    ].join("\n"));
}

async function askForToken({ port }: Machine): Promise<string> {
  const path = "fhir/R5/Subscription/s1/$get-ws-binding-token";
  const { parameter }: Answer = await (await producedBy(await fetch(`http://127.0.0.1:${port}/${path}`))).json();
  return parameter[0]?.valueString ?? "";
}

async function write({ port }: Machine, method: "PUT" | "DELETE"): Promise<void> {
  const { status } = await fetch(`http://127.0.0.1:${port}/fhir/R5/Patient/p1`, { method });
  assertEquals(status, 204);
}

function testMachines(url: string): void {
  const name = uniqueName();
  const databaseUrl = new URL(url);
  databaseUrl.pathname = name;
  const admin = new pg.Client({ connectionString: url });
  const database = new pg.Client({ connectionString: databaseUrl.href });
  const machines: Machine[] = [];
  async function startOne(program: string): Promise<Machine> {
    const machine = await startMachine(program, databaseUrl.href);
    machines.push(machine);
    return machine;
  }
  before(async () => {
    await admin.connect();
    await admin.query(`CREATE DATABASE ${name}`);
    await database.connect();
    await database.query("CREATE TABLE patient (id text NOT NULL)");
  });
  after(async () => {
    await Promise.all(machines.map((machine) => machine.stop()));
    await database.end();
    await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
    await admin.end();
  });

  it("binds at one process what another has minted, and delivers what that one writes", async () => {
    const [a, b] = await Promise.all([startOne(severalProcesses), startOne(severalProcesses)]);
    const follower = new Follower("s1");
    await follower.bind(b.port, await askForToken(a));
    assertEquals([follower.handshakes, follower.issues], [1, []]);
    for (const [n, machine] of [a, b].entries()) {
      await write(machine, "PUT");
      await follower.until(() => follower.focuses.length > n);
    }
    follower.close();
    assertEquals(follower.focuses, ["Patient/p1", "Patient/p1"]);
  });

  it("delivers what is written in a transaction of the host's, and nothing that is rolled back", async () => {
    const [b, c] = await Promise.all([startOne(severalProcesses), startOne(withOutbox(severalProcesses))]);
    const follower = new Follower("s1");
    await follower.bind(b.port, await askForToken(c));
    await write(c, "DELETE");
    await write(c, "PUT");
    await follower.until(() => follower.focuses.includes("Patient/PUT"));
    follower.close();
    assertEquals(follower.focuses.includes("Patient/DELETE"), false);
    const { rows } = await database.query("SELECT id FROM patient");
    assertEquals(rows, [{ id: "PUT" }]);
  });
}

const { url, skip } = postgresEngine;
// The reason is also in the name, since Deno does not report it.
if (skip) it(`README on several machines: ${skip}`, { skip }, () => {});
else describe("README on several machines", () => testMachines(url));

const tools = ["curl", "node"].filter((tool) => spawnSync(tool, ["--version"]).error !== undefined);
const missing = tools.length > 0 && !process.env.CI ? `there is no ${tools.join(" and no ")} here` : false;

describe("README transcript", { skip: missing }, () => {
  let demo: DemoProcess;
  before(() => {
    demo = start("--port", "0");
  });
  after(() => demo.end());

  it("gets a binding token in all three bases, and the R5 one binds", async () => {
    const origin = await demo.origin;
    const script = (blocks("sh")[0] ?? "").replace("http://127.0.0.1:8103", origin);
    const { stdout, stderr, status } = spawnSync("sh", ["-ec", script], { encoding: "utf8" });
    assertEquals({ stderr, status }, { stderr: "", status: 0 });
    const answers = stdout.split(/(?<=\})(?=\{"resourceType")/).map((text) => JSON.parse(text));
    const tokens: Answer[] = answers.filter(({ resourceType }) => resourceType === "Parameters");
    assertEquals(tokens.length, 3);
    for (const [n, version] of ["r4", "r4b", "r5"].entries()) {
      const parameters = tokens[n]?.parameter ?? [];
      assertEquals(parameters.map(({ name }) => name), ["token", "expiration", "subscription", "websocket-url"]);
      assertEquals(parameters[3]?.valueUrl, `${origin.replace("http", "ws")}/ws/subscriptions-${version}`);
    }
    const { parameter = [] } = tokens[2] ?? {};
    const bind = `bind-with-token ${parameter[0]?.valueString}`;
    const [handshake = ""] = await firstFrames(parameter[3]?.valueUrl ?? "", bind, 1);
    assertStringIncludes(handshake, '"type":"handshake","eventsSinceSubscriptionStart":"0"');
  });
});
