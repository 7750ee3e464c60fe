// A server of this runtime with two ends: the binder behind its adapter at /ws, bare sockets at /bare.

import { once } from "node:events";
import { createServer } from "node:http";
import process from "node:process";
import type { SocketBinder } from "@fhir-ws/binding";
import { type BunServer, type BunSocket, createBunSockets } from "@fhir-ws/binding/server/bun";
import { createDenoSockets } from "@fhir-ws/binding/server/deno";
import { createNodeSockets } from "@fhir-ws/binding/server/node";
// @ts-types="ws-types"
import { WebSocketServer } from "ws";

/** A socket with nothing around it. */
export interface BareSocket {
  send(text: string): unknown;
  readonly bufferedAmount: number;
}

/** A server for a benchmark. */
export interface BenchServer {
  readonly port: number;
  readonly bare: readonly BareSocket[];
  stop(): void;
}

/** Serves a binder and bare sockets on a free port of 127.0.0.1. */
export function serve(binder: SocketBinder): Promise<BenchServer> | BenchServer {
  if (process.versions.deno) return serveDeno(binder);
  return process.versions.bun ? serveBun(binder) : serveNode(binder);
}

function isBare(request: Request): boolean {
  return new URL(request.url).pathname === "/bare";
}

function serveDeno(binder: SocketBinder): BenchServer {
  const bare: BareSocket[] = [];
  const sockets = createDenoSockets(binder);
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    if (!isBare(request)) return sockets.upgrade(request);
    const { socket, response } = Deno.upgradeWebSocket(request);
    bare.push(socket);
    return response;
  });
  return { port: server.addr.port, bare, stop: () => void server.shutdown() };
}

/** As much of Bun as is used. */
interface BunRuntime {
  serve(options: object): { readonly port: number; stop(now: boolean): void };
}

function serveBun(binder: SocketBinder): BenchServer {
  const { Bun } = globalThis as unknown as { readonly Bun: BunRuntime }; // only ever run there
  const bare: BareSocket[] = [];
  const sockets = createBunSockets(binder);
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request: Request, server: BunServer & { upgrade(request: Request, options: object): boolean }) =>
      isBare(request) ? void server.upgrade(request, { data: { bare: true } }) : sockets.upgrade(request, server),
    websocket: {
      ...sockets.websocket,
      open(socket: BunSocket & { readonly data: { readonly bare?: boolean } }) {
        if (!socket.data.bare) return sockets.websocket.open(socket);
        bare.push({
          send: (text) => socket.sendText(text),
          get bufferedAmount() {
            return socket.getBufferedAmount();
          },
        });
      },
    },
  });
  return { port: server.port, bare, stop: () => server.stop(true) };
}

async function serveNode(binder: SocketBinder): Promise<BenchServer> {
  const bare: BareSocket[] = [];
  const wss = new WebSocketServer({ noServer: true });
  const sockets = createNodeSockets(binder, wss);
  const server = createServer();
  server.on("upgrade", (request, socket, head) => {
    if (request.url !== "/bare") return sockets.upgrade(request, socket, head);
    wss.handleUpgrade(request, socket, head, (bareSocket) => bare.push(bareSocket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("Cannot listen");
  return { port: address.port, bare, stop: () => void server.close() };
}
