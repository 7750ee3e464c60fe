/**
 * WebSockets of [`Deno.serve`](https://docs.deno.com/api/deno/~/Deno.upgradeWebSocket).
 *
 * Deno reads a frame of up to 64 MiB before it can be refused with 1009, and cannot cut off a peer that never answers a
 * close: put a proxy before a server that strangers reach.
 *
 * @module
 */

import type { SocketBinder } from "../../src/types.ts";
import { askBinder, tell } from "./guard.ts";
import { startSession } from "./standard_socket.ts";

/** As much of the `Deno` namespace as is called. */
export interface DenoUpgrader {
  /** Answers a handshake, and gives the socket that comes of it. */
  upgradeWebSocket(
    request: Request,
    options?: { readonly idleTimeout?: number },
  ): { readonly socket: WebSocket; readonly response: Response };
}

/** Options of `createDenoSockets`. */
export interface DenoSocketOptions {
  /**
   * Seconds of silence after which Deno takes a peer for dead; it pings after half of them, and the library cannot ping
   * by itself here. 0 turns it off. Default 30.
   */
  readonly idleTimeout?: number;
  /**
   * Seconds that a peer may take to answer a close frame before the session counts as closed. Deno has no way to cut
   * the connection of a peer that never answers: only a proxy in front or the peer ends it. Default 10.
   */
  readonly closeTimeout?: number;
  /** Told when the binder throws. What it throws is dropped. */
  readonly onError?: (cause: unknown) => void;
  /** Who upgrades. Default: the global `Deno`. */
  readonly deno?: DenoUpgrader;
}

/** The upgrades of one binder on Deno. */
export interface DenoSockets {
  /** Answers the request of a WebSocket client: 101, or the binder's refusal. It never rejects. */
  upgrade(request: Request): Promise<Response>;
}

/**
 * Binds WebSockets that arrive at `Deno.serve`.
 *
 * Deno limits frames at 64 MiB and has no option for less: a frame above the binder's `frameSize` is read, then answered
 * with 1009. It negotiates no compression. A close waits until nothing more is on its way, half a second at most: Deno
 * drops the close frame when a frame of the client crosses it, and that client sees 1006.
 *
 * @throws {TypeError} where there is no `Deno.upgradeWebSocket`.
 *
 * @example
 * ```ts
 * import { createDenoSockets } from "@fhir-ws/binding/server/deno";
 *
 * // In place of what createSocketBinder() returns
 * const binder = { admit: () => ({ refused: new Response(null, { status: 503 }) }) };
 * const sockets = createDenoSockets(binder);
 *
 * const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => sockets.upgrade(request));
 * const { status } = await fetch(`http://127.0.0.1:${server.addr.port}/ws`);
 * await server.shutdown();
 * if (status !== 503) throw new Error("unreachable");
 * ```
 */
export function createDenoSockets(binder: Pick<SocketBinder, "admit">, options: DenoSocketOptions = {}): DenoSockets {
  const { idleTimeout = 30, closeTimeout = 10, onError } = options;
  const deno = options.deno ?? globalDeno();

  async function upgrade(request: Request): Promise<Response> {
    const admission = await askBinder(binder, request, onError);
    if (admission.refused) return admission.refused;
    if (request.headers.get("sec-websocket-version") !== "13") { // RFC 6455 section 4.4; Deno does not look
      return new Response(null, { status: 426, headers: { "sec-websocket-version": "13" } });
    }
    try {
      const { socket, response } = deno.upgradeWebSocket(request, { idleTimeout });
      socket.binaryType = "arraybuffer";
      socket.addEventListener("open", () => run(socket, admission, closeTimeout, onError), { once: true });
      return response;
    } catch (cause) {
      // The handshake itself was wrong (a missing key, say), or the client has left: its fault, nobody needs to know.
      if (!(cause instanceof TypeError)) tell(onError, cause);
      return new Response(null, { status: 400 });
    }
  }

  return { upgrade };
}

function run(
  socket: WebSocket,
  admission: Parameters<typeof startSession>[0],
  closeTimeout: number,
  onError: DenoSocketOptions["onError"],
): void {
  const { session, ended } = startSession(
    admission,
    socket,
    closeTimeout,
    onError,
    (close) => whenQuiet(socket, close),
  );
  socket.addEventListener("message", ({ data }) => session?.receive(data));
  // Every error is followed by a close. Not "once": a peer that misses its pings is reported closed twice.
  socket.addEventListener("close", ended);
}

/** Milliseconds without a frame after which none is taken to be on its way, and for which that is waited for at most. */
const QUIET = 10;
const LONGEST_UNREST = 500;
/** Turns of the loop that read what has come meanwhile: a busy process is late to do so. */
const TURNS = 3;

/**
 * Deno gives a connection up when a frame arrives on a socket that it is closing, and with it the close frame and all
 * that it has not sent by then: a client that had just sent something would never learn why it was closed.
 */
function whenQuiet(socket: WebSocket, close: () => void): void {
  let quietTurns = 0;
  const latest = performance.now() + LONGEST_UNREST;
  function hear(): void {
    quietTurns = 0;
  }
  function look(): void {
    const isOpen = socket.readyState === WebSocket.OPEN;
    if (isOpen && quietTurns < TURNS && performance.now() < latest) {
      setTimeout(look, quietTurns === 0 ? QUIET : 0);
      if (socket.bufferedAmount === 0) quietTurns++;
      return;
    }
    socket.removeEventListener("message", hear);
    if (isOpen) close();
  }
  socket.addEventListener("message", hear);
  look();
}

function globalDeno(): DenoUpgrader {
  // The one place that knows the name: a type of it would bind every consumer to Deno's types.
  const { Deno: deno } = globalThis as { Deno?: Partial<DenoUpgrader> };
  if (typeof deno?.upgradeWebSocket !== "function") {
    throw new TypeError("Cannot create Deno sockets: there is no Deno.upgradeWebSocket here");
  }
  return deno as DenoUpgrader; // the function was just seen
}
