// A server without a network: what it answers and says is written down by each test.

import { assert } from "@std/assert";
import {
  type ReceivedNotification,
  type RunningSubscription,
  type SocketEvent,
  subscribe,
  type SubscribeEvent,
  type SubscribeOptions,
} from "@fhir-ws/binding/client";

export const BASE = "https://example.org/fhir/R4";
export const SOCKETS = "wss://example.org/ws";

/** The server's end of a socket. */
export interface ServerSocket {
  readonly url: string;
  /** Frames of the client. */
  readonly frames: string[];
  /** Sends a frame. */
  tell(frame: unknown): void;
  /** Closes it. */
  cut(code?: number): void;
  /** Whether the client has closed it. */
  readonly left: boolean;
}

export interface StubServer {
  /** Answers a request for a token, and the one for metadata. */
  answer(request: Request): Response | Promise<Response>;
  /** Takes a frame. */
  hear(socket: ServerSocket, frame: string): void;
  /** Opens a socket, or fails to. Default: it opens. */
  open?(socket: ServerSocket): "open" | "error" | "nothing";
}

/** A client of a stub, and all that it heard and did. */
export interface Watched extends RunningSubscription {
  readonly notifications: ReceivedNotification[];
  readonly events: SubscribeEvent[];
  readonly requests: string[];
  readonly sockets: ServerSocket[];
  /** Waits until something holds; it is looked at after each thing that happens. */
  until(holds: () => boolean): Promise<void>;
  /** The numbers of all events that were delivered. */
  numbers(): (number | undefined)[];
  /** Events of a type. */
  all<T extends SubscribeEvent["type"]>(type: T): Extract<SubscribeEvent, { type: T }>[];
}

/** Subscribes with short times. */
export function watch(server: StubServer, options: Partial<SubscribeOptions> = {}): Watched {
  const notifications: ReceivedNotification[] = [];
  const events: SubscribeEvent[] = [];
  const requests: string[] = [];
  const sockets: ServerSocket[] = [];
  const waiting = new Set<() => void>();
  const happened = (): void => {
    for (const look of waiting) look();
  };
  const running = subscribe({
    url: BASE,
    ids: ["s1"],
    timeout: 0.2,
    backoff: { first: 0.01, longest: 0.04 },
    fetch: async (request) => {
      requests.push(`${request.method} ${request.url.slice(BASE.length)}`);
      happened();
      return await server.answer(request);
    },
    WebSocket: socketClass(server, sockets, happened),
    onNotification: (notification) => {
      notifications.push(notification);
      happened();
    },
    onEvent: (event) => {
      events.push(event);
      happened();
    },
    ...options,
  });
  return {
    ...running,
    ...{ notifications, events, requests, sockets },
    until: (holds) =>
      new Promise((resolve, reject) => {
        const patience = setTimeout(() => {
          waiting.delete(look);
          reject(new Error(`It never was: ${holds}\n${JSON.stringify({ events, requests })}`));
        }, 10_000);
        const look = (): void => {
          if (!holds()) return;
          waiting.delete(look);
          clearTimeout(patience);
          resolve();
        };
        waiting.add(look);
        look();
      }),
    numbers: () => notifications.flatMap(({ events }) => events.map(({ number }) => number)),
    all: <T extends SubscribeEvent["type"]>(type: T) =>
      events.filter((event): event is Extract<SubscribeEvent, { type: T }> => event.type === type),
  };
}

function socketClass(
  server: StubServer,
  sockets: ServerSocket[],
  happened: () => void,
): NonNullable<SubscribeOptions["WebSocket"]> {
  return class {
    readonly #listeners = new Map<string, (event: SocketEvent) => void>();
    readonly #server: ServerSocket & { left: boolean };
    #closed = false;

    constructor(url: string) {
      const fire = this.#fire.bind(this);
      this.#server = {
        url,
        frames: [],
        left: false,
        tell: (frame) => fire({ type: "message", data: typeof frame === "object" ? JSON.stringify(frame) : frame }),
        cut: (code = 1006) => fire({ type: "close", code }),
      };
      sockets.push(this.#server);
      queueMicrotask(() => {
        const type = server.open?.(this.#server) ?? "open";
        if (type !== "nothing") fire({ type });
        happened();
      });
    }
    addEventListener(type: string, listener: (event: SocketEvent) => void): void {
      this.#listeners.set(type, listener);
    }
    send(frame: string): void {
      this.#server.frames.push(frame);
      queueMicrotask(() => {
        server.hear(this.#server, frame);
        happened();
      });
    }
    close(code?: number): void {
      assert(code === 1000);
      this.#server.left = true;
      queueMicrotask(() => this.#fire({ type: "close", code }));
      happened();
    }
    #fire(event: SocketEvent): void {
      if (this.#closed) return;
      this.#closed = event.type === "close";
      this.#listeners.get(event.type)?.(event);
    }
  };
}

/** A FHIR answer. */
export function json(body: unknown, init: ResponseInit = {}): Response {
  const headers = new Headers(init.headers);
  headers.set("content-type", "application/fhir+json");
  return new Response(JSON.stringify(body), { ...init, headers });
}

/** An OperationOutcome. */
export function outcome(code: string, more: object = {}): object {
  return { resourceType: "OperationOutcome", issue: [{ severity: "error", code, ...more }] };
}

export interface TokenAnswer {
  readonly token?: string;
  /** Seconds from now, or as it is to be written. */
  readonly expiration?: number | string;
  readonly url?: string;
  readonly more?: readonly object[];
}

/** The answer of the operation. */
export function parameters({ token = "t1", expiration = 3600, url = SOCKETS, more = [] }: TokenAnswer = {}): object {
  const until = typeof expiration === "string" ? expiration : new Date(Date.now() + expiration * 1000).toISOString();
  return {
    resourceType: "Parameters",
    parameter: [
      { name: "token", valueString: token },
      { name: "expiration", valueDateTime: until },
      ...more,
      { name: "websocket-url", valueUrl: url },
    ],
  };
}

/** A notification of R5. */
export function notification(type: string, head?: number, numbers: readonly number[] = [], id = "s1"): object {
  return {
    resourceType: "Bundle",
    type: "subscription-notification",
    timestamp: new Date().toISOString(),
    entry: [{
      resource: {
        resourceType: "SubscriptionStatus",
        type,
        subscription: { reference: `Subscription/${id}` },
        ...(head !== undefined && { eventsSinceSubscriptionStart: String(head) }),
        ...(numbers.length > 0 && { notificationEvent: numbers.map((number) => ({ eventNumber: String(number) })) }),
      },
    }],
  };
}

/** A notification of R4, with numbers as some servers write them. */
export function history(type: string, head: number, numbers: readonly number[] = [], id = "s1"): object {
  return {
    resourceType: "Bundle",
    type: "history",
    entry: [{
      resource: {
        resourceType: "Parameters",
        parameter: [
          { name: "subscription", valueReference: { reference: `${BASE}/Subscription/${id}` } },
          { name: "status", valueCode: "active" },
          { name: "type", valueCode: type },
          { name: "events-since-subscription-start", valueString: String(head) },
          ...numbers.map((number) => ({
            name: "notification-event",
            part: [
              { name: "event-number", valueString: String(number) },
              { name: "focus", valueReference: { reference: `${BASE}/Patient/p${number}` } },
            ],
          })),
        ],
      },
    }],
  };
}

/** What a JSON frame of the client says. */
export function read(frame: string | undefined): { type?: string; payload?: Record<string, unknown> } {
  return frame?.startsWith("{") ? JSON.parse(frame) : {};
}

/** A server that follows the specification in both dialects; `head` is asked at each handshake. */
export function goodServer(more: Partial<StubServer> & { readonly head?: () => number } = {}): StubServer {
  return {
    answer: () => json(parameters()),
    hear(socket, frame) {
      if (frame.includes("bind-with-token")) socket.tell(notification("handshake", more.head?.() ?? 0));
      else if (frame.includes("ping")) socket.tell({ type: "pong" });
    },
    ...more,
  };
}
