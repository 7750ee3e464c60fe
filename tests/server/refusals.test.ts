// What an adapter does where nothing comes of an upgrade or an answer: the client is told, and the host.

import type { BindingSocket, SocketAdmission } from "@fhir-ws/binding";
import { createBunSockets } from "@fhir-ws/binding/server/bun";
import { createDenoSockets } from "@fhir-ws/binding/server/deno";
import {
  createNodeSockets,
  fetchListener,
  type NodeRequest,
  type NodeResponse,
  type WsServer,
} from "@fhir-ws/binding/server/node";
import { createWorkerSockets, type WorkerGlobals } from "@fhir-ws/binding/server/workers";
import { assertEquals, fail } from "@std/assert";
import { EventEmitter } from "node:events";
import { describe, it } from "node:test";

type Binder = { admit(request: Request): SocketAdmission | Promise<SocketAdmission> };

/** The sockets of a runtime, of which none may come to be. */
interface Upgrader {
  upgrade(request: Request): Promise<Response | undefined>;
}

const upgradeWebSocket = () => fail("nothing is to be upgraded");
const globals = {
  get WebSocketPair(): never {
    return fail("nothing is to be upgraded");
  },
  Response,
} as unknown as WorkerGlobals; // no other runtime has them

const ADAPTERS: Readonly<Record<string, (binder: Binder, onError: (cause: unknown) => void) => Upgrader>> = {
  createDenoSockets: (binder, onError) => createDenoSockets(binder, { deno: { upgradeWebSocket }, onError }),
  createBunSockets: (binder, onError) => {
    const { upgrade } = createBunSockets(binder, { onError });
    return { upgrade: (request) => upgrade(request, { upgrade: upgradeWebSocket }) };
  },
  createWorkerSockets: (binder, onError) => createWorkerSockets(binder, { globals, onError }),
};

function makeRequest(): Request {
  return new Request("https://example.org/ws", { headers: { "upgrade": "websocket", "sec-websocket-version": "13" } });
}

for (const [name, create] of Object.entries(ADAPTERS)) {
  describe(name, () => {
    it("upgrade() hands on what the binder answers in place of a socket", async () => {
      const refused = new Response("later", { status: 503, headers: { "retry-after": "5" } });
      const { upgrade } = create({ admit: () => ({ refused }) }, (cause) => fail(String(cause)));
      assertEquals(await upgrade(makeRequest()), refused);
    });

    it("upgrade() asks no binder about a request whose URL is none", async () => {
      // As some runtimes make it of `Host: a b`.
      const request = Object.defineProperty(makeRequest(), "url", { value: "http://a b/ws" });
      const { upgrade } = create({ admit: () => fail("the binder was asked") }, (cause) => fail(String(cause)));
      assertEquals((await upgrade(request))?.status, 400);
    });

    it("upgrade() answers 500 when the binder fails, and tells the host alone why", async () => {
      const errors: unknown[] = [];
      const cause = new Error("secret");
      const { upgrade } = create({ admit: () => Promise.reject(cause) }, (cause) => errors.push(cause));
      const answer = await upgrade(makeRequest());
      assertEquals([answer?.status, await answer?.text()], [500, ""]);
      assertEquals(errors, [cause]);
    });
  });
}

describe("createDenoSockets", () => {
  it("upgrade() answers 400 when the runtime fails, and tells the host of what is no client's fault", async () => {
    const errors: unknown[] = [];
    const cause = new Error("out of sockets");
    const deno = {
      upgradeWebSocket: () => {
        throw cause;
      },
    };
    const binder = { admit: () => ({ open: () => fail("nothing was upgraded") }) };
    const { upgrade } = createDenoSockets(binder, { deno, onError: (cause) => errors.push(cause) });
    assertEquals((await upgrade(makeRequest())).status, 400);
    assertEquals(errors, [cause]);
  });

  it("upgrade() answers 426 to another version of the protocol", async () => {
    const binder = { admit: () => ({ open: () => fail("nothing was upgraded") }) };
    const { upgrade } = createDenoSockets(binder, { deno: { upgradeWebSocket } });
    const { status, headers } = await upgrade(
      new Request(makeRequest(), { headers: { "sec-websocket-version": "8" } }),
    );
    assertEquals([status, headers.get("sec-websocket-version")], [426, "13"]);
  });
});

describe("createBunSockets", () => {
  function open(admitted: (socket: BindingSocket) => never, onError?: (cause: unknown) => void) {
    const calls: unknown[] = [];
    const { websocket } = createBunSockets({ admit: () => fail("it was asked before") }, onError ? { onError } : {});
    websocket.open({
      data: { admission: { open: admitted } },
      readyState: 1,
      sendText: () => 1,
      close: (...frame) => calls.push(frame),
      terminate: () => calls.push("cut"),
      ping: () => 1,
      getBufferedAmount: () => 0,
    });
    return calls;
  }

  it("closes a socket with 1011 when its session fails at once, and tells the host why", () => {
    const errors: unknown[] = [];
    const cause = new Error("secret");
    const calls = open(() => {
      throw cause;
    }, (cause) => errors.push(cause));
    assertEquals([calls, errors], [[[1011, ""]], [cause]]);
  });

  it("cuts the connection off when the session does", () => {
    const calls = open((socket) => {
      socket.terminate?.();
      throw new Error("after that");
    });
    assertEquals(calls[0], "cut");
  });
});

describe("createNodeSockets", () => {
  it("cuts the connection off when the session does", async () => {
    const calls: string[] = [];
    const ws = Object.assign(new EventEmitter(), {
      binaryType: "nodebuffer",
      readyState: 1,
      bufferedAmount: 0,
      send: () => fail("there is nothing to send"),
      ping: () => {},
      close: () => calls.push("closed"),
      terminate: () => calls.push("cut"),
    });
    const socket = await new Promise<BindingSocket>((resolve) => {
      const session = { receive() {}, drained() {}, alive() {}, closed() {} };
      const open = (socket: BindingSocket) => {
        resolve(socket);
        return session;
      };
      const wss = { handleUpgrade: (...[, , , done]: Parameters<WsServer["handleUpgrade"]>) => done(ws) };
      const raw = Object.assign(new EventEmitter(), { destroyed: false, end: () => {}, destroy: () => {} });
      createNodeSockets({ admit: () => ({ open }) }, wss).upgrade(INCOMING, raw, new Uint8Array());
    });
    socket.terminate?.();
    assertEquals(calls, ["cut"]);
  });
});

const INCOMING: NodeRequest = {
  method: "GET",
  url: "/",
  rawHeaders: ["Host", "example.org"],
  httpVersionMajor: 1,
  readableEnded: true,
  socket: {},
  on() {},
  pause() {},
  resume() {},
};

/** A response that keeps what was done to it, and fails as a test says. */
class FakeResponse extends EventEmitter implements NodeResponse {
  statusCode = 0;
  statusMessage = "";
  headersSent = false;
  writableFinished = false;
  destroyed = false;
  ended = false;
  readonly headers = new Map<string, unknown>();
  getHeaderNames(): string[] {
    return [...this.headers.keys()];
  }
  setHeader(name: string, value: unknown): void {
    this.headers.set(name, value);
  }
  removeHeader(name: string): void {
    this.headers.delete(name);
  }
  write(): boolean {
    return true;
  }
  end(): void {
    this.ended = true;
    this.emit("ended");
  }
  destroy(): void {
    this.destroyed = true;
    this.emit("ended");
  }
}

describe("fetchListener", () => {
  async function serve(outgoing: FakeResponse, handler: () => Response): Promise<unknown[]> {
    const errors: unknown[] = [];
    const ended = new Promise((resolve) => outgoing.once("ended", resolve));
    fetchListener(handler, { onError: (cause) => errors.push(cause) })(INCOMING, outgoing);
    await ended;
    return errors;
  }

  it("leaves no header of an answer in the 500 that takes its place", async () => {
    const cause = new Error("no such header");
    const outgoing = new class extends FakeResponse {
      override setHeader(name: string, value: unknown): void {
        if (name === "x-bad") throw cause;
        super.setHeader(name, value);
      }
    }();
    const errors = await serve(outgoing, () => new Response("", { headers: { "x-a": "1", "x-bad": "2" } }));
    assertEquals([outgoing.statusCode, [...outgoing.headers], outgoing.destroyed, errors], [500, [], false, [cause]]);
  });

  it("cuts the connection when not even a bare 500 can be sent", async () => {
    const [first, second] = [new Error("one"), new Error("two")];
    const outgoing = new class extends FakeResponse {
      override end(): void {
        throw second;
      }
    }();
    const errors = await serve(outgoing, () => {
      throw first;
    });
    assertEquals([outgoing.destroyed, errors], [true, [first, second]]);
  });

  it("tells nobody what fails after the client has left", async () => {
    const outgoing = new FakeResponse();
    const errors: unknown[] = [];
    const failed = new Promise<void>((resolve) => {
      const handler = ({ signal }: Request): Response => {
        outgoing.emit("close");
        assertEquals(signal.aborted, true);
        resolve();
        throw signal.reason;
      };
      fetchListener(handler, { onError: (cause) => errors.push(cause) })(INCOMING, outgoing);
    });
    await failed;
    await Promise.resolve();
    assertEquals([errors, outgoing.ended, outgoing.destroyed], [[], false, false]);
  });

  it("waits for no room in a connection that has gone", async () => {
    const outgoing = new class extends FakeResponse {
      override write(): boolean {
        this.destroyed = true;
        return false;
      }
    }();
    assertEquals(await serve(outgoing, () => new Response("text")), []);
    assertEquals(outgoing.ended, true);
  });
});
