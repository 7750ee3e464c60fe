/**
 * WebSockets of [Workers](https://developers.cloudflare.com/workers/runtime-apis/websockets/), inside a Durable Object.
 *
 * The operation runs in any Worker: it needs the tokens, the Subscriptions and the URL of the socket. The binder, the
 * notifier and the sockets of one base live together in one Durable Object, which Workers reach by its name: there the
 * memory of the process is shared, so `createMemoryBus()` is all the bus that is needed. Nothing of the library runs
 * timers, reads the clock or draws random numbers before the first request, so all of it but `createJwtSigner` may be
 * made at global scope.
 *
 * What is not there: hibernation (a binding is more than a socket could remember, so an object with open sockets stays in
 * memory), `bufferedAmount` (a slow reader is not noticed, the runtime drops it when it runs out of memory), pings, and
 * cutting a connection off.
 *
 * @module
 */

import type { SocketBinder } from "../../src/types.ts";
import { askBinder, tell } from "./guard.ts";
import { startSession } from "./standard_socket.ts";

/** As much of a Worker's `WebSocket` as is called. */
export interface WorkerSocket {
  /** 1 while it is open. */
  readonly readyState: number;
  /** Of the kinds that there are, `arraybuffer` is set. */
  binaryType?: string | undefined;
  /** Serves it here. */
  accept(): void;
  /** Sends a message. */
  send(text: string): void;
  /** Starts or answers the closing handshake. */
  close(code?: number, reason?: string): void;
  /** For `message`, `close` and `error`. */
  addEventListener(type: string, listener: (event: Event) => void): void;
}

/** As much of a Worker's globals as is called. */
export interface WorkerGlobals {
  /** Makes both ends of a socket: the client's and the server's. */
  readonly WebSocketPair: new () => { readonly 0: WorkerSocket; readonly 1: WorkerSocket };
  /** Hands the client's end over. */
  readonly Response: new (body: null, init: { readonly status: 101; readonly webSocket: WorkerSocket }) => Response;
}

/** Options of `createWorkerSockets`. */
export interface WorkerSocketOptions {
  /**
   * Seconds that a peer may take to answer a close frame before the session counts as closed; there is no way to cut
   * the connection of one that never does. Default 10.
   */
  readonly closeTimeout?: number;
  /** Told when the binder throws. What it throws is dropped. */
  readonly onError?: (cause: unknown) => void;
  /** What upgrades. Default: `globalThis`. */
  readonly globals?: WorkerGlobals;
}

/** The upgrades of one binder in a Durable Object. */
export interface WorkerSockets {
  /** Answers the request of a WebSocket client: 101, or the binder's refusal. It never rejects. */
  upgrade(request: Request): Promise<Response>;
}

/**
 * Binds WebSockets that arrive at the `fetch` of a Durable Object. Messages of more than the runtime's limit (1 MiB, 32
 * MiB on newer ones) never arrive; one above the binder's `frameSize` is answered with 1009.
 *
 * @example
 * ```ts
 * import { createNotifier, createOpaqueSigner, createSocketBinder } from "@fhir-ws/binding";
 * import { createWorkerSockets } from "@fhir-ws/binding/server/workers";
 * import { createMemoryBus, createMemoryEventLog, createMemoryTokenStore } from "@fhir-ws/binding/storage/memory";
 *
 * // export class Subscriptions extends DurableObject {
 * class Subscriptions {
 *   #base = "https://example.org/fhir/R5";
 *   #events = createMemoryEventLog();
 *   #bus = createMemoryBus();
 *   #sockets = createWorkerSockets(createSocketBinder({
 *     base: this.#base,
 *     fhirVersion: "R5",
 *     websocketUrl: "wss://example.org/ws",
 *     tokens: createOpaqueSigner({ store: createMemoryTokenStore() }), // yours: the operation has to reach it, too
 *     subscriptions: { read: () => undefined },
 *     events: this.#events,
 *     bus: this.#bus,
 *   }));
 *   #notifier = createNotifier({ base: this.#base, events: this.#events, bus: this.#bus });
 *
 *   fetch(request: Request): Promise<Response> {
 *     return this.#sockets.upgrade(request);
 *   }
 *   async notify(id: string, focus: string): Promise<void> { // called by the Workers that write
 *     await this.#notifier.notify([id], { interaction: "update", focus });
 *   }
 * }
 *
 * const { status } = await new Subscriptions().fetch(new Request("https://example.org/ws"));
 * if (status !== 426) throw new Error("unreachable"); // no WebSocket client
 * ```
 */
export function createWorkerSockets(
  binder: Pick<SocketBinder, "admit">,
  options: WorkerSocketOptions = {},
): WorkerSockets {
  const { closeTimeout = 10, onError } = options;

  async function upgrade(request: Request): Promise<Response> {
    const admission = await askBinder(binder, request, onError);
    if (admission.refused) return admission.refused;
    if (request.headers.get("sec-websocket-version") !== "13") { // RFC 6455 section 4.4; not every front looks
      return new Response(null, { status: 426, headers: { "sec-websocket-version": "13" } });
    }
    try {
      const { WebSocketPair, Response } = options.globals ?? workerGlobals();
      const { 0: client, 1: server } = new WebSocketPair();
      const answer = new Response(null, { status: 101, webSocket: client });
      server.accept();
      server.binaryType = "arraybuffer";
      run(server, admission, closeTimeout, onError);
      return answer;
    } catch (cause) {
      tell(onError, cause);
      return new Response(null, { status: 500 });
    }
  }

  return { upgrade };
}

function run(
  socket: WorkerSocket,
  admission: Parameters<typeof startSession>[0],
  closeTimeout: number,
  onError: WorkerSocketOptions["onError"],
): void {
  const { session, ended } = startSession(admission, socket, closeTimeout, onError);
  socket.addEventListener("message", (event) => session?.receive((event as MessageEvent).data)); // as its name says
  socket.addEventListener("close", () => {
    answerClose(socket);
    ended();
  });
  socket.addEventListener("error", ended); // a lost connection may have no close event
}

/** Older runtimes leave the answer to a close frame to us; newer ones have sent it. */
function answerClose(socket: WorkerSocket): void {
  try {
    socket.close(1000);
  } catch {
    // It was closed already: by the runtime, or by us before the peer was.
  }
}

function workerGlobals(): WorkerGlobals {
  // The one place that knows the names: types of them would bind every consumer to those of Workers.
  const globals: object = globalThis;
  const { WebSocketPair, Response } = globals as Partial<WorkerGlobals>; // each is looked at before it is used
  if (typeof WebSocketPair !== "function" || typeof Response !== "function") {
    throw new TypeError("Cannot upgrade in a Worker: there is no WebSocketPair here");
  }
  return { WebSocketPair, Response };
}
