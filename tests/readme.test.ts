// What the README says is what happens. Its other programs run as documentation tests.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { type DemoProcess, start } from "./demo/process.ts";

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

describe("README", () => {
  it("has at most 300 lines and a first program of at most 20", () => {
    assert(README.split("\n").length <= 301);
    assert((blocks("ts ignore")[0] ?? "").trimEnd().split("\n").length <= 20);
  });

  it("has a first program that runs as it stands", { skip: onDeno ? false : "`deno serve` is Deno's" }, async () => {
    const port = await freePort();
    // Beside the library, whose names it imports, and on a port that is free.
    const file = new URL(`tests/readme_program_${port}.ts`, ROOT);
    await writeFile(file, (blocks("ts ignore")[0] ?? "").replaceAll(":8000", `:${port}`));
    const options = ["serve", "--allow-net", "--host", "127.0.0.1", "--port", String(port), fileURLToPath(file)];
    const server = spawn(process.execPath, options, { stdio: ["ignore", "ignore", "pipe"] });
    try {
      await said(server, "Listening");
      const path = `http://127.0.0.1:${port}/fhir/R5/Subscription/s1/$get-ws-binding-token`;
      const { parameter }: Answer = await (await fetch(path)).json();
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
    child.stderr?.on("data", (chunk) => {
      text += chunk;
      if (text.includes(word)) resolve();
    });
    child.once("close", () => reject(new Error(`It ended: ${text}`)));
  });
}

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
