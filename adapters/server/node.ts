/**
 * WebSockets of [`ws`](https://github.com/websockets/ws) over `node:http`, and a bridge from `node:http` to Fetch.
 * Frames above the `maxPayload` of its `WebSocketServer` are cut off by `ws`; the default of 100 MiB is too much.
 *
 * @module
 */

import type { BindingSocket, SocketAdmission, SocketBinder, SocketSession } from "../../src/types.ts";
import { askBinder, closeFrame, openSession, tell } from "./guard.ts";
import { type NodeRequest, toRequest } from "./node_request.ts";

export { fetchListener, type FetchListenerOptions, type NodeResponse } from "./fetch_listener.ts";
export type { NodeRequest } from "./node_request.ts";

/** As much of the stream that an upgrade arrives on as is used. */
export interface NodeSocket {
  /** Whether the connection is gone. */
  readonly destroyed: boolean;
  /** Listens to an event. */
  on(event: string, listener: () => void): unknown;
  /** Writes a last part and closes. */
  end(chunk: Uint8Array, flushed: () => void): unknown;
  /** Cuts the connection. */
  destroy(): unknown;
}

/** As much of a socket of `ws` as is used. */
export interface WsSocket {
  /** Set to `arraybuffer`. */
  binaryType: string;
  /** 1 while it is open (RFC 6455 has the states). */
  readonly readyState: number;
  /** Bytes that wait to be written. */
  readonly bufferedAmount: number;
  /** Sends text; the callback tells when it was written. */
  send(text: string, flushed?: () => void): void;
  /** Sends a protocol ping; the callback tells when it was written. */
  ping(data?: undefined, mask?: undefined, flushed?: () => void): void;
  /** Starts the closing handshake. */
  close(code?: number, reason?: string): void;
  /** Cuts the connection. */
  terminate(): void;
  /** Listens to an event. */
  on(event: string, listener: (data: ArrayBuffer | Uint8Array, isBinary: boolean) => void): unknown;
}

/** As much of the `WebSocketServer` of `ws` as is called. */
export interface WsServer {
  /** Answers a handshake, and calls back with the socket that comes of it. */
  handleUpgrade(
    request: NodeRequest,
    socket: NodeSocket,
    head: Uint8Array,
    done: (socket: WsSocket) => void,
  ): void;
}

/** Options of `createNodeSockets`. */
export interface NodeSocketOptions {
  /** Told when the binder throws. What it throws is dropped. */
  readonly onError?: (cause: unknown) => void;
}

/** The upgrades of one binder on Node. */
export interface NodeSockets {
  /**
   * For `server.on("upgrade", …)`. It never throws, and takes the query off `request.url` once it was read: it may hold a
   * token, and what is logged later must not.
   */
  upgrade(request: NodeRequest, socket: NodeSocket, head: Uint8Array): void;
}

const OPEN = 1;

/** What stands behind the status of a refusal where its response says nothing. */
const REASONS: { readonly [status: number]: string } = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  426: "Upgrade Required",
  429: "Too Many Requests",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

/**
 * Binds WebSockets that arrive at `http.createServer`, by the host's `new WebSocketServer({ noServer: true })`.
 *
 * That server decides on the rest: give it `maxPayload` (no lower than the binder's `frameSize`; its default is 100 MiB),
 * beyond which it answers 1009, and leave `perMessageDeflate` off, which is its default and the library's advice. Plain
 * requests for a socket's path go to the HTTP side, which can answer them with `(await binder.admit(request)).refused`.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { WebSocketServer } from "ws";
 * import { createNodeSockets } from "@fhir-ws/binding/server/node";
 *
 * // In place of what createSocketBinder() returns
 * const binder = { admit: () => ({ refused: new Response(null, { status: 503 }) }) };
 * const wss = new WebSocketServer({ noServer: true, maxPayload: 65_536 });
 *
 * const server = createServer();
 * server.on("upgrade", createNodeSockets(binder, wss).upgrade);
 * await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
 *
 * const address = server.address();
 * const client = new WebSocket(`ws://127.0.0.1:${typeof address === "object" && address?.port}/ws`);
 * const outcome = await new Promise((resolve) => {
 *   client.onopen = () => resolve("open");
 *   client.onerror = () => resolve("refused");
 * });
 * server.close();
 * if (outcome !== "refused") throw new Error("unreachable");
 * ```
 */
export function createNodeSockets(
  binder: Pick<SocketBinder, "admit">,
  wss: WsServer,
  options: NodeSocketOptions = {},
): NodeSockets {
  const { onError } = options;

  async function accept(request: NodeRequest, socket: NodeSocket, head: Uint8Array): Promise<void> {
    const asked = toRequest(request);
    request.url = request.url?.replace(/\?.*/s, "");
    if (asked === undefined) return refuse(socket, new Response(null, { status: 400 }));
    const admission = await askBinder(binder, asked, onError);
    if (admission.refused) return refuse(socket, admission.refused);
    wss.handleUpgrade(request, socket, head, (ws) => run(ws, admission, onError));
  }

  return {
    upgrade: (request, socket, head) => {
      socket.on("error", ignore); // a reset while the binder thinks would end the process
      accept(request, socket, head).catch((cause) => {
        tell(onError, cause);
        socket.destroy();
      });
    },
  };
}

function run(
  ws: WsSocket,
  admission: Exclude<SocketAdmission, { readonly refused: Response }>,
  onError: NodeSocketOptions["onError"],
): void {
  ws.binaryType = "arraybuffer";
  ws.on("error", ignore); // bad frames and resets; a close follows each
  let session: SocketSession | undefined = undefined; // a send in open() may come back before open() does
  const socket = bindingSocket(ws, () => session?.drained());
  session = openSession(admission, socket, onError);
  ws.on("message", (data, isBinary) => session?.receive(isBinary ? data : String(data)));
  ws.on("pong", () => session?.alive());
  ws.on("close", () => session?.closed());
}

function bindingSocket(ws: WsSocket, drained: () => void): BindingSocket {
  let full = false;
  // To be called back after each frame has its price: it begins with the first that the system did not take at once.
  let isTold = false;
  function flushed(): void {
    if (!full || ws.bufferedAmount > 0) return;
    full = false;
    drained();
  }
  return {
    send: (text) => {
      if (ws.readyState !== OPEN) return false;
      if (isTold) ws.send(text, flushed);
      else ws.send(text);
      full = ws.bufferedAmount > 0;
      if (full && !isTold) {
        isTold = true;
        ws.ping(undefined, undefined, flushed); // what went before it is flushed before it
      }
      return true;
    },
    close: (code, reason) => ws.close(...closeFrame(code, reason)),
    get bufferedAmount() {
      return ws.bufferedAmount;
    },
    reportsDrain: true,
    ping: () => ws.ping(),
    terminate: () => ws.terminate(),
  };
}

/** Answers an upgrade by plain HTTP, on the bare socket: Node has no response object for it. */
async function refuse(socket: NodeSocket, response: Response): Promise<void> {
  const { status, statusText, headers } = response;
  const body = new Uint8Array(await response.arrayBuffer());
  const lines = [`HTTP/1.1 ${status} ${statusText || REASONS[status] || ""}`];
  for (const [name, value] of headers) if (!FRAMING.includes(name)) lines.push(`${name}: ${value}`);
  lines.push(`content-length: ${body.length}`, "connection: close", "", "");
  const head = Uint8Array.from(lines.join("\r\n"), (char) => char.charCodeAt(0)); // Fetch headers are Latin-1
  const bytes = new Uint8Array(head.length + body.length);
  bytes.set(head);
  bytes.set(body, head.length);
  socket.end(bytes, () => socket.destroy());
}

/** Headers of a refusal that are this file's to write. */
const FRAMING: readonly string[] = ["connection", "content-length", "keep-alive", "transfer-encoding"];

function ignore(): void {}
