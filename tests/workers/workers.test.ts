import { assertEquals, assertInstanceOf, assertMatch, fail } from "@std/assert";
import type { BindingSocket, SocketAdmission } from "@fhir-ws/binding";
import { createWorkerSockets, type WorkerGlobals } from "@fhir-ws/binding/server/workers";
import { readFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { connectClient } from "../server/client.ts";
import { currentRuntime } from "../server/runtimes.ts";
import { produced } from "../tools/produced.ts";
import { workerModules } from "./modules.ts";

class FakeSocket extends EventTarget {
  readyState = 0;
  readonly sent: string[] = [];
  readonly closes: unknown[] = [];
  accept(): void {
    this.readyState = 1;
  }
  send(text: string): void {
    this.sent.push(text);
  }
  close(...frame: unknown[]): void {
    if (this.readyState > 1) throw new TypeError("already closed");
    this.readyState = 2;
    this.closes.push(frame);
  }
}

const UPGRADE = new Request("https://example.org/ws", {
  headers: { "upgrade": "websocket", "sec-websocket-version": "13" },
});

/** The adapter between a fake runtime and a fake session. */
async function open(closeTimeout?: number) {
  const calls: unknown[] = [];
  const server = new FakeSocket();
  let opened: BindingSocket | undefined;
  const globals = {
    WebSocketPair: class {
      0 = new FakeSocket();
      1 = server;
    },
    Response: class {},
  } as unknown as WorkerGlobals; // no other runtime makes a response with status 101
  const admission: SocketAdmission = {
    open: (socket) => {
      opened = socket;
      return {
        receive: (data) => calls.push(data),
        closed: () => calls.push("closed"),
        drained: () => calls.push("drained"),
        alive: () => calls.push("alive"),
      };
    },
  };
  const options = { globals, ...closeTimeout !== undefined && { closeTimeout } };
  await createWorkerSockets({ admit: () => admission }, options).upgrade(UPGRADE);
  return { calls, server, socket: opened ?? fail("no session was opened") };
}

describe("createWorkerSockets", () => {
  it("passes text on both ways, and buffers as they are", async () => {
    const { calls, server, socket } = await open();
    assertEquals(socket.send("to the client"), true);
    const buffer = new ArrayBuffer(2);
    for (const data of ["from the client", buffer]) server.dispatchEvent(new MessageEvent("message", { data }));
    assertEquals([server.sent, calls], [["to the client"], ["from the client", buffer]]);
  });

  it("answers a close frame, and tells the session once however often the runtime tells it", async () => {
    const { calls, server, socket } = await open();
    for (const type of ["close", "error", "close"]) server.dispatchEvent(new Event(type));
    assertEquals([calls, server.closes], [["closed"], [[1000]]]);
    assertEquals(socket.send("too late"), false);
  });

  it("closes a socket once, however often the session does", async () => {
    const { server, socket } = await open();
    for (const code of [1008, 1001]) socket.close(code);
    assertEquals([server.closes, socket.send("too late")], [[[1008, ""]], false]);
  });

  it("ends the session when the peer does not answer the close frame in time", async () => {
    const { calls, server, socket } = await open(0);
    socket.close(1008, "no binding");
    assertEquals([server.closes, calls], [[[1008, "no binding"]], []]);
    await new Promise((resolve) => setTimeout(resolve)); // after the adapter's own timer
    assertEquals(calls, ["closed"]);
  });

  it("answers 426 to another version of the protocol, and 500 where there is no WebSocketPair", async () => {
    const errors: unknown[] = [];
    const admission: SocketAdmission = { open: () => fail("nothing was upgraded") };
    const { upgrade } = createWorkerSockets({ admit: () => admission }, { onError: (cause) => errors.push(cause) });
    assertEquals((await upgrade(new Request(UPGRADE.url))).status, 426);
    assertEquals((await upgrade(UPGRADE)).status, 500);
    assertInstanceOf(errors[0], TypeError);
  });
});

/** As much of miniflare as is called. It is no import of deno.json, which every task would download. */
interface Miniflare {
  readonly ready: Promise<URL>;
  dispatchFetch(url: string, init?: RequestInit): Promise<Response>;
  dispose(): Promise<void>;
}

type MiniflareOptions = Readonly<Record<string, unknown>>;

async function findMiniflare(): Promise<(new (options: MiniflareOptions) => Miniflare) | undefined> {
  const name = "miniflare";
  // No module of that name: it was not installed.
  return await import(name).then(({ Miniflare }) => Miniflare, () => undefined);
}

const Miniflare = currentRuntime() === "node" ? await findMiniflare() : undefined;
const ROOT = fileURLToPath(new URL("../../", import.meta.url));

async function start(Kind: new (options: MiniflareOptions) => Miniflare, entry: string): Promise<Miniflare> {
  const miniflare = new Kind({
    modules: await workerModules(ROOT, entry),
    compatibilityDate: "2025-01-01",
    durableObjects: { SOCKETS: "Sockets" },
    host: "127.0.0.1",
    port: 0,
    cf: false,
  });
  await miniflare.ready;
  return miniflare;
}

function workerdSuite(Kind: new (options: MiniflareOptions) => Miniflare): void {
  let worker: Miniflare;
  before(async () => {
    worker = await start(Kind, "tests/workers/worker.ts");
  });
  after(() => worker.dispose());

  async function token(): Promise<string> {
    const answer = await worker.dispatchFetch("https://example.org/fhir/R5/Subscription/s1/$get-ws-binding-token");
    assertEquals(answer.status, 200);
    const text = await answer.text();
    produced(text);
    return JSON.parse(text).parameter[0].valueString;
  }
  async function connect() {
    const client = connectClient(new URL("/ws", (await worker.ready).href.replace("http", "ws")));
    await client.opened;
    return client;
  }
  async function nextType(client: ReturnType<typeof connectClient>): Promise<unknown> {
    const { entry: [first] } = JSON.parse(String(await client.next()));
    return first.resource.type;
  }
  async function stats(): Promise<unknown> {
    return await (await worker.dispatchFetch("https://object/stats")).json();
  }

  it("mints in the Worker, binds and notifies in the Durable Object", async () => {
    const client = await connect();
    client.socket.send(`bind-with-token ${await token()}`);
    assertEquals(await nextType(client), "handshake");
    assertEquals(await (await worker.dispatchFetch("https://object/notify")).json(), [1]);
    assertEquals(await nextType(client), "event-notification");
    assertEquals(await stats(), { sockets: 1, bindings: 1, subscriptions: 1 });
    client.socket.close(4001, "bye");
    assertEquals((await client.closed).code >= 1000, true);
    assertEquals(await stats(), { sockets: 0, bindings: 0, subscriptions: 0 });
  });

  it("refuses tokens that nobody has minted, and closes after the third with 1008", async () => {
    const client = await connect();
    for (let n = 0; n < 3; n++) {
      client.socket.send("bind-with-token nonsense");
      assertMatch(String(await client.next()), /OperationOutcome/);
    }
    assertEquals((await client.closed).code, 1008);
  });

  it("closes with 1003 for binary and 1009 for too large a frame", async () => {
    for (const [frame, code] of [[new Uint8Array(1), 1003], ["x".repeat(40_000), 1009]] as const) {
      const client = await connect();
      client.socket.send(frame);
      assertEquals((await client.closed).code, code);
    }
  });

  it("answers requests that are no upgrade, and closes its sockets with 1001", async () => {
    assertEquals((await worker.dispatchFetch("https://example.org/ws")).status, 426);
    assertEquals((await worker.dispatchFetch("https://example.org/elsewhere")).status, 404);
    const client = await connect();
    assertEquals((await worker.dispatchFetch("https://object/close")).status, 204);
    assertEquals((await client.closed).code, 1001);
  });
}

describe("every entry", { skip: Miniflare === undefined && "it takes workerd" }, () => {
  it("loads at global scope, where workerd allows no timer, random number or request", async () => {
    const { exports } = JSON.parse(await readFile(new URL("../../deno.json", import.meta.url), "utf8"));
    const entries = Object.values<string>(exports).map((path) => path.slice(2));
    const modules = await Promise.all(entries.map((path) => workerModules(ROOT, path)));
    const names = entries.map((path, n) => `import * as entry${n} from "./${path}";`);
    const counts = entries.map((_, n) => `Object.keys(entry${n}).length`);
    const contents = `${names.join("\n")}
      const counts = [${counts}];
      export default { fetch: () => Response.json(counts) };`;
    const unique = new Map(modules.flat().map((module) => [module.path, module]));
    assertInstanceOf(Miniflare, Function);
    const worker = new Miniflare({
      modules: [{ type: "ESModule", path: "entries.js", contents }, ...unique.values()],
      compatibilityDate: "2025-01-01",
      host: "127.0.0.1",
      port: 0,
      cf: false,
    });
    try {
      const counted: number[] = await (await worker.dispatchFetch("https://example.org/")).json();
      assertEquals(counted.map((count) => count > 0), entries.map(() => true));
    } finally {
      await worker.dispose();
    }
  });
});

if (Miniflare !== undefined) describe("in workerd", () => workerdSuite(Miniflare));
else if (currentRuntime() !== "node") it("in workerd", { skip: "miniflare runs on Node alone" }, () => {});
else if (process.env.CI) it("in workerd", () => fail("miniflare is not installed"));
else it("in workerd", { skip: "miniflare is not installed: deno task test tests/workers installs it" }, () => {});
