/**
 * WebSockets of [`Bun.serve`](https://bun.com/docs/api/websockets). Frames above `maxPayloadLength` are cut off by Bun.
 *
 * @module
 */

import type { BindingSocket, SocketAdmission, SocketBinder, SocketSession } from "../../src/types.ts";
import { askBinder, closeFrame, openSession } from "./guard.ts";

/** What a socket carries from its upgrade to its end, in `ws.data`. */
export interface BunSocketData {
  /** From `binder.admit`. */
  readonly admission: Exclude<SocketAdmission, { readonly refused: Response }>;
  /** Set when the socket is open. */
  session?: SocketSession | undefined;
}

/** As much of Bun's `Server` as is called. */
export interface BunServer {
  /** Whether the request became a socket. */
  upgrade(request: Request, options: { data: BunSocketData }): boolean;
}

/** As much of Bun's `ServerWebSocket` as is called. */
export interface BunSocket {
  /** What the upgrade left for the session. */
  readonly data: BunSocketData;
  /** 1 while it is open (RFC 6455 has the states). */
  readonly readyState: number;
  /** Of Bun's kinds, `arraybuffer` is set. */
  binaryType?: string | undefined;
  /** Bytes sent, -1 when they were buffered, 0 when they were dropped. */
  sendText(text: string): number;
  /** Starts the closing handshake. */
  close(code?: number, reason?: string): void;
  /** Cuts the connection. */
  terminate(): void;
  /** Sends a protocol ping. */
  ping(): number;
  /** Bytes that wait to be written. */
  getBufferedAmount(): number;
}

/** Options of `createBunSockets`. */
export interface BunSocketOptions {
  /**
   * Bytes of the longest message that Bun reads; it answers a longer one with 1009 and never holds it in memory. Keep it
   * no lower than the binder's `frameSize`. Default 65536.
   */
  readonly maxPayloadLength?: number;
  /**
   * Bytes in a socket's send buffer above which Bun takes no more. Keep it above the binder's `sendBuffer`.
   * Default 16777216.
   */
  readonly backpressureLimit?: number;
  /** Seconds of silence after which a socket is closed, at most 960; Bun pings in time. Default 120. */
  readonly idleTimeout?: number;
  /** Told when the binder throws. What it throws is dropped. */
  readonly onError?: (cause: unknown) => void;
}

/** What goes into `websocket` of `Bun.serve`. */
export interface BunSocketHandler {
  /** Bytes of the largest frame. */
  readonly maxPayloadLength: number;
  /** Bytes that may wait for a slow peer. */
  readonly backpressureLimit: number;
  /** Never: the session decides on slow peers. */
  readonly closeOnBackpressureLimit: boolean;
  /** Seconds of silence after which Bun drops a peer. */
  readonly idleTimeout: number;
  /** Bun pings silent peers. */
  readonly sendPings: boolean;
  /** Compression of frames: none. */
  readonly perMessageDeflate: boolean;
  /** A socket was opened. */
  open(socket: BunSocket): void;
  /** A frame came. */
  message(socket: BunSocket, data: string | ArrayBuffer | ArrayBufferView): void;
  /** The buffer has room again. */
  drain(socket: BunSocket): void;
  /** A pong came. */
  pong(socket: BunSocket): void;
  /** A socket has closed. */
  close(socket: BunSocket): void;
}

/** The upgrades of one binder on Bun. */
export interface BunSockets {
  /** The binder's refusal, or `undefined` when the request has become a socket. It never rejects. */
  upgrade(request: Request, server: BunServer): Promise<Response | undefined>;
  /** For `Bun.serve`. A socket knows its binder: with several binders, the handler of any one serves all. */
  readonly websocket: BunSocketHandler;
}

/**
 * Binds WebSockets that arrive at `Bun.serve`.
 *
 * Compression is off. Bun's own pings (`sendPings`) stay on; the library's come first wherever it pings by itself.
 *
 * @example
 * ```ts
 * import { createBunSockets } from "@fhir-ws/binding/server/bun";
 *
 * // In place of what createSocketBinder() returns
 * const binder = { admit: () => ({ refused: new Response(null, { status: 503 }) }) };
 * const sockets = createBunSockets(binder);
 *
 * // Bun.serve({ fetch: (request, server) => sockets.upgrade(request, server), websocket: sockets.websocket });
 * const answer = await sockets.upgrade(new Request("https://fhir.example.org/ws"), { upgrade: () => true });
 * if (answer?.status !== 503) throw new Error("unreachable");
 * ```
 */
export function createBunSockets(binder: Pick<SocketBinder, "admit">, options: BunSocketOptions = {}): BunSockets {
  const { onError } = options;
  return {
    upgrade: async (request, server) => {
      const admission = await askBinder(binder, request, onError);
      if (admission.refused) return admission.refused;
      // False: the handshake itself was wrong (a missing key, say), or the client has left.
      return server.upgrade(request, { data: { admission } }) ? undefined : new Response(null, { status: 400 });
    },
    websocket: {
      maxPayloadLength: options.maxPayloadLength ?? 65_536,
      backpressureLimit: options.backpressureLimit ?? 16_777_216,
      closeOnBackpressureLimit: false,
      idleTimeout: options.idleTimeout ?? 120,
      sendPings: true,
      perMessageDeflate: false,
      open: (socket) => {
        socket.binaryType = "arraybuffer";
        socket.data.session = openSession(socket.data.admission, new BoundSocket(socket), onError);
      },
      message: ({ data }, frame) => data.session?.receive(frame),
      drain: ({ data }) => data.session?.drained(),
      pong: ({ data }) => data.session?.alive(),
      // Bun calls this from inside socket.close(), which may come from inside open(): a session must not hear of its end
      // before its own call has returned.
      close: ({ data }) => queueMicrotask(() => data.session?.closed()),
    },
  };
}

/** A class, since there are thousands: an object of functions of its own is several times as large, and further away. */
class BoundSocket implements BindingSocket {
  readonly #socket: BunSocket;
  /** Whether the last frame was not written at once: only then is there a buffer to ask for. */
  #isBuffering = false;

  constructor(socket: BunSocket) {
    this.#socket = socket;
  }

  get bufferedAmount(): number {
    return this.#isBuffering ? this.#socket.getBufferedAmount() : 0;
  }

  get reportsDrain(): boolean {
    return true;
  }

  /** Dropped (0) is what has to be sent again; buffered (-1) was taken. */
  send(text: string): boolean {
    const sent = this.#socket.sendText(text);
    this.#isBuffering = sent <= 0;
    return sent !== 0;
  }

  ping(): void {
    this.#socket.ping();
  }

  close(code?: number, reason?: string): void {
    this.#socket.close(...closeFrame(code, reason));
  }

  terminate(): void {
    this.#socket.terminate();
  }
}
