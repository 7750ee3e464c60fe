import { assert, assertEquals, assertFalse, assertInstanceOf, assertMatch, assertThrows } from "@std/assert";
import type { BindingSocket, SocketAdmission, SocketSession } from "@fhir-ws/binding";
import { type BunSocket, type BunSocketData, createBunSockets } from "@fhir-ws/binding/server/bun";
import { createDenoSockets } from "@fhir-ws/binding/server/deno";
import { createNodeSockets, type NodeRequest, type NodeSocket, type WsSocket } from "@fhir-ws/binding/server/node";
import { EventEmitter } from "node:events";
import { describe, it } from "node:test";
import { currentRuntime } from "./runtimes.ts";

/** A binder that lets everything in, and what its one session was told. */
function recorder(onOpen: (socket: BindingSocket) => void = () => {}): {
  readonly binder: { admit(request: Request): SocketAdmission };
  readonly calls: unknown[];
  readonly socket: () => BindingSocket;
} {
  const calls: unknown[] = [];
  let opened: BindingSocket | undefined;
  const session: SocketSession = {
    receive: (data) => calls.push(data),
    drained: () => calls.push("drained"),
    alive: () => calls.push("alive"),
    closed: () => calls.push("closed"),
  };
  return {
    binder: {
      admit: ({ url }) => {
        calls.push(url);
        return {
          open: (socket) => {
            opened = socket;
            onOpen(socket);
            return session;
          },
        };
      },
    },
    calls,
    socket: () => {
      assert(opened !== undefined);
      return opened;
    },
  };
}

const REQUEST = new Request("https://fhir.example.org/ws?token=t", {
  headers: { "upgrade": "websocket", "sec-websocket-version": "13" },
});

describe("createDenoSockets", () => {
  it("throws where there is no Deno.upgradeWebSocket", { skip: currentRuntime() === "deno" && "it is there" }, () => {
    assertThrows(() => createDenoSockets(recorder().binder), TypeError, "Deno.upgradeWebSocket");
  });

  it("upgrade() answers 400 when the handshake is wrong, and tells nobody", async () => {
    const errors: unknown[] = [];
    const deno = {
      upgradeWebSocket: () => {
        throw new TypeError("Invalid Header");
      },
    };
    const sockets = createDenoSockets(recorder().binder, { deno, onError: (cause) => errors.push(cause) });
    assertEquals((await sockets.upgrade(REQUEST)).status, 400);
    assertEquals(errors, []);
  });

  it("passes its idleTimeout on", async () => {
    const seen: unknown[] = [];
    const deno = {
      upgradeWebSocket: (_: Request, options?: { idleTimeout?: number }) => {
        seen.push(options);
        return { socket: new EventTarget() as WebSocket, response: new Response("upgraded") }; // none of it is used
      },
    };
    for (const options of [{}, { idleTimeout: 7 }]) {
      const { upgrade } = createDenoSockets(recorder().binder, { ...options, deno });
      assertEquals(await (await upgrade(REQUEST)).text(), "upgraded");
    }
    assertEquals(seen, [{ idleTimeout: 30 }, { idleTimeout: 7 }]);
  });
});

describe("createBunSockets", () => {
  it("upgrade() answers 400 when Bun does not upgrade", async () => {
    const { upgrade } = createBunSockets(recorder().binder);
    assertEquals((await upgrade(REQUEST, { upgrade: () => false }))?.status, 400);
  });

  it("hands its limits to Bun", () => {
    const { websocket } = createBunSockets(recorder().binder, {
      maxPayloadLength: 1,
      backpressureLimit: 2,
      idleTimeout: 3,
    });
    const { maxPayloadLength, backpressureLimit, idleTimeout, closeOnBackpressureLimit, perMessageDeflate } = websocket;
    assertEquals([maxPayloadLength, backpressureLimit, idleTimeout], [1, 2, 3]);
    assertEquals([closeOnBackpressureLimit, perMessageDeflate], [false, false]);
  });

  async function open(record: ReturnType<typeof recorder>, answers: number[] = []) {
    const { upgrade, websocket } = createBunSockets(record.binder);
    let data: BunSocketData | undefined;
    const upgraded = await upgrade(REQUEST, {
      upgrade: (_, options) => {
        data = options.data;
        return true;
      },
    });
    assertEquals(upgraded, undefined);
    assert(data !== undefined);
    const closes: unknown[] = [];
    const socket: BunSocket = {
      data,
      readyState: 1,
      sendText: () => answers.shift() ?? 1,
      close: (...frame) => {
        closes.push(frame);
        websocket.close(socket); // as Bun does it, before it returns
      },
      terminate() {},
      ping: () => 1,
      getBufferedAmount: () => 42,
    };
    websocket.open(socket);
    return { websocket, socket, closes };
  }

  it("send() is false only when Bun has dropped the text", async () => {
    const record = recorder();
    await open(record, [5, -1, 0]);
    assertEquals(["a", "b", "c"].map((text) => record.socket().send(text)), [true, true, false]);
    assertEquals(record.socket().bufferedAmount, 42);
  });

  it("passes drain and pong on, and frames as they are", async () => {
    const record = recorder();
    const { websocket, socket } = await open(record);
    const view = new Uint8Array([1, 2, 3]).subarray(1, 2);
    websocket.message(socket, "text");
    websocket.message(socket, view);
    websocket.drain(socket);
    websocket.pong(socket);
    assertEquals(record.calls, [REQUEST.url, "text", view, "drained", "alive"]);
  });

  it("tells a session that closes itself in open() of its end afterwards, and once", async () => {
    const record = recorder((socket) => {
      socket.close(1001);
      record.calls.push("still in open()");
    });
    const { websocket, socket } = await open(record);
    websocket.close(socket);
    await Promise.resolve();
    assertEquals(record.calls, [REQUEST.url, "still in open()", "closed"]);
    websocket.message(socket, "too late");
    assertEquals(record.calls.length, 3);
  });

  it("close() sends 1011 for a code that this library does not know", async () => {
    const record = recorder();
    const { closes } = await open(record);
    record.socket().close(1005);
    assertEquals(closes, [[1011, ""]]);
  });

  it("close() never sends half a character", async () => {
    for (const [reason, cut] of [["ü".repeat(62), "ü".repeat(61)], ["𝒢".repeat(31), "𝒢".repeat(30)]]) {
      const record = recorder();
      const { closes } = await open(record);
      record.socket().close(1008, reason);
      assertEquals(closes, [[1008, cut]]);
    }
  });
});

describe("createNodeSockets", () => {
  /** A raw socket that keeps what is written to it. */
  class FakeSocket extends EventEmitter {
    written = "";
    destroyed = false;
    end(chunk: Uint8Array, flushed: () => void): void {
      this.written += new TextDecoder().decode(chunk);
      flushed();
    }
    destroy(): void {
      this.destroyed = true;
      this.emit("destroyed");
    }
  }

  class FakeWs extends EventEmitter implements WsSocket {
    binaryType = "nodebuffer";
    readyState = 1;
    bufferedAmount = 0;
    readonly flushes: (() => void)[] = [];
    send(_: string, flushed: () => void): void {
      this.flushes.push(flushed);
    }
    ping(): void {}
    close(): void {}
    terminate(): void {}
  }

  function request(url: string, host = "fhir.example.org"): NodeRequest {
    return {
      method: "GET",
      url,
      rawHeaders: ["Host", host],
      httpVersionMajor: 1,
      readableEnded: true,
      socket: {},
      on() {},
      pause() {},
      resume() {},
    };
  }

  function ending(socket: FakeSocket): Promise<void> {
    return new Promise((resolve) => socket.once("destroyed", resolve));
  }

  const HEAD = new Uint8Array();

  it("takes the query off the request once the binder has seen it", async () => {
    const record = recorder();
    const incoming = request("/ws?token=secret");
    const url = await new Promise((resolve) => {
      const wss = { handleUpgrade: (given: NodeRequest) => resolve(given.url) };
      createNodeSockets(record.binder, wss).upgrade(incoming, new FakeSocket(), HEAD);
    });
    assertEquals([url, incoming.url], ["/ws", "/ws"]);
    assertEquals(record.calls, ["http://fhir.example.org/ws?token=secret"]);
  });

  it("answers 400 to a target that is no URL, without asking the binder", async () => {
    const record = recorder();
    const socket = new FakeSocket();
    const ended = ending(socket);
    createNodeSockets(record.binder, { handleUpgrade() {} }).upgrade(request("/ws?token=secret", "a/b"), socket, HEAD);
    await ended;
    assertMatch(socket.written, /^HTTP\/1\.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n$/);
    assertEquals(record.calls, []);
  });

  it("survives a reset while the binder thinks", () => {
    const socket = new FakeSocket();
    const sockets = createNodeSockets({ admit: () => new Promise(() => {}) }, { handleUpgrade() {} });
    sockets.upgrade(request("/ws"), socket, HEAD);
    socket.emit("error", new Error("ECONNRESET")); // an emitter throws when nobody listens
    assertFalse(socket.destroyed);
  });

  it("destroys the socket when the WebSocketServer throws, and tells", async () => {
    const errors: unknown[] = [];
    const socket = new FakeSocket();
    const ended = ending(socket);
    const wss = {
      handleUpgrade: () => {
        throw new Error("called twice");
      },
    };
    createNodeSockets(recorder().binder, wss, { onError: (cause) => errors.push(cause) })
      .upgrade(request("/ws"), socket, HEAD);
    await ended;
    assertInstanceOf(errors[0], Error);
  });

  it("writes a refusal without letting its headers frame it", async () => {
    const socket = new FakeSocket();
    const ended = ending(socket);
    const headers = { "transfer-encoding": "chunked", "connection": "Upgrade", "upgrade": "websocket" };
    const binder = { admit: () => ({ refused: new Response("no", { status: 426, headers }) }) };
    createNodeSockets(binder, { handleUpgrade() {} }).upgrade(request("/ws"), socket, HEAD);
    await ended;
    const [head = "", body] = socket.written.split("\r\n\r\n");
    assertEquals(body, "no");
    assertMatch(head, /^HTTP\/1\.1 426 Upgrade Required\r\n/);
    assertMatch(head, /\r\nupgrade: websocket\r\n/);
    assertMatch(head, /\r\ncontent-length: 2\r\nconnection: close$/);
    assertFalse(/transfer-encoding/i.test(head));
  });

  it("calls drained() when what waited is written, and only then", async () => {
    const record = recorder();
    const ws = new FakeWs();
    await new Promise<void>((resolve) => {
      const wss = {
        handleUpgrade: (_: NodeRequest, __: NodeSocket, ___: Uint8Array, done: (ws: WsSocket) => void) => {
          done(ws);
          resolve();
        },
      };
      createNodeSockets(record.binder, wss).upgrade(request("/ws"), new FakeSocket(), HEAD);
    });
    const { send } = record.socket();
    send("written at once");
    ws.flushes.shift()?.();
    ws.bufferedAmount = 10;
    send("waits");
    send("waits, too");
    ws.flushes.shift()?.();
    assertEquals(record.calls.slice(1), []);
    ws.bufferedAmount = 0;
    ws.flushes.shift()?.();
    assertEquals(record.calls.slice(1), ["drained"]);
    ws.readyState = 2;
    assertEquals(send("not taken"), false);
    assertEquals(ws.flushes.length, 0);
  });
});
