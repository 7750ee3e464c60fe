import { assertEquals, assertMatch, fail } from "@std/assert";
import { type ChildProcess, spawn } from "node:child_process";
import { after, before, describe, it } from "node:test";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { connectClient } from "../server/client.ts";
import { currentRuntime, type RuntimeName } from "../server/runtimes.ts";
import { producedBy } from "../tools/produced.ts";

/** Each runtime serves the examples that are its own. */
const EXAMPLES: { readonly [name in RuntimeName]: readonly string[] } = {
  deno: ["deno"],
  node: ["hono", "express", "fastify"],
  bun: ["elysia"],
};

const ARGUMENTS: { readonly [name in RuntimeName]: readonly string[] } = {
  deno: ["run", "-A", "--no-lock", "--config", fileURLToPath(new URL("../../deno.json", import.meta.url))],
  node: [],
  bun: ["run"],
};

const BODY = { resourceType: "Parameters", parameter: [{ name: "id", valueId: "s1" }] };
const ALICE = { authorization: "Bearer alice" };

interface Example {
  readonly origin: string;
  readonly child: ChildProcess;
}

/** Starts an example and waits until it listens. It ends when its standard input does. */
async function start(name: string): Promise<Example> {
  const runtime = currentRuntime();
  const script = fileURLToPath(new URL(`./${name}.ts`, import.meta.url));
  const child = spawn(process.execPath, [...ARGUMENTS[runtime], script], { stdio: ["pipe", "pipe", "inherit"] });
  const origin = await new Promise<string>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`${name} ended with ${code}`)));
    createInterface({ input: child.stdout }).on("line", (line) => {
      const [, url] = /^Listening on (\S+)$/.exec(line) ?? [];
      if (url !== undefined) resolve(url);
    });
  });
  return { origin, child };
}

async function isInstalled(name: string): Promise<boolean> {
  // Whatever keeps it from being imported keeps the example from starting.
  return name === "deno" || await import(name).then(() => true, () => false);
}

function exampleSuite(name: string): void {
  let example: Example;
  before(async () => {
    example = await start(name);
  });
  after(() => {
    example.child.kill("SIGKILL");
  });

  async function ask(path: string, init: RequestInit = { headers: ALICE }): Promise<Response> {
    return await producedBy(await fetch(`${example.origin}/fhir/R5/${path}`, init));
  }

  for (const sign of ["$", "%24"]) {
    it(`answers ${sign}get-ws-binding-token on an instance, and refuses strangers`, async () => {
      const path = `Subscription/s1/${sign}get-ws-binding-token`;
      const response = await ask(path);
      assertEquals([response.status, (await response.json()).resourceType], [200, "Parameters"]);
      const refused = await ask(path, {});
      assertEquals([refused.status, (await refused.json()).resourceType], [401, "OperationOutcome"]);
    });

    it(`answers ${sign}get-ws-binding-token on the type, with ids in a query or a body`, async () => {
      const path = `Subscription/${sign}get-ws-binding-token`;
      const headers = { ...ALICE, "content-type": "application/fhir+json" };
      const posted = { method: "POST", headers, body: JSON.stringify(BODY) };
      for (const response of [await ask(`${path}?id=s1`), await ask(path, posted)]) {
        assertEquals(response.status, 200);
        assertMatch(await response.text(), /"websocket-url"/);
      }
    });
  }

  it("binds a socket and notifies it of a write", async () => {
    const { parameter: [token] } = await (await ask("Subscription/s1/$get-ws-binding-token")).json();
    const client = connectClient(new URL("/ws", example.origin.replace("http", "ws")));
    await client.opened;
    client.socket.send(`bind-with-token ${token.valueString}`);
    assertMatch(String(await client.next()), /"handshake"/);
    const written = await ask("Patient/p1", { method: "PUT" });
    assertEquals([written.status, await written.json()], [200, { resourceType: "Patient", id: "p1" }]);
    assertMatch(String(await client.next()), /"event-notification"/);
    client.socket.close();
    await client.closed;
  });

  it("leaves every other path to the framework", async () => {
    assertEquals((await ask("Subscription/s1")).status, 404);
    await (await ask("Subscription/$get-ws-binding-tokens")).body?.cancel();
  });
}

for (const name of EXAMPLES[currentRuntime()]) {
  if (await isInstalled(name)) describe(name, () => exampleSuite(name));
  else if (process.env.CI) it(name, () => fail(`${name} is not installed`));
  else it(name, { skip: `${name} is not installed: deno task test tests/frameworks installs it` }, () => {});
}
