// Options with their defaults, in milliseconds.

import type { Tally } from "./tally.ts";
import type { ClientSocket, ReceivedNotification, SubscribeEvent, SubscribeOptions } from "./types.ts";

/** What all links of one `subscribe` share. */
export interface Client {
  readonly base: string;
  readonly signal: AbortSignal;
  readonly dialects: readonly Dialect[];
  /** Milliseconds. */
  readonly timeout: number;
  /** Milliseconds. */
  readonly idle: Readonly<Record<Dialect, number>>;
  readonly retries: number;
  /** Milliseconds. */
  readonly backoff: { readonly first: number; readonly longest: number };
  readonly tallies: ReadonlyMap<string, Tally>;
  fetch(request: Request): Promise<Response>;
  open(url: string): ClientSocket;
  notify(notification: ReceivedNotification): void;
  emit(event: SubscribeEvent): void;
}

/** How a client writes. */
export type Dialect = "json" | "text";

/**
 * Checks what the programmer wrote.
 *
 * @throws {TypeError}
 * @throws {RangeError}
 */
export function readOptions(options: SubscribeOptions, signal: AbortSignal): Client {
  const { dialect = "auto", onEvent, onNotification, idleTimeout, since = {} } = options;
  const { WebSocket: Socket = globalThis.WebSocket, fetch = globalThis.fetch } = options;
  if (Socket === undefined) throw new TypeError(`Cannot subscribe: there is no WebSocket here, give one as an option`);
  const base = new URL(options.url);
  if (!/^https?:$/.test(base.protocol)) {
    throw new TypeError(`Cannot subscribe: "${base.protocol}" is not http or https`);
  }
  const bad = options.ids.find((id) => !/^[A-Za-z0-9\-.]{1,64}$/.test(id));
  if (bad !== undefined) throw new TypeError(`Cannot subscribe: "${bad}" is not an id`);
  if (options.ids.length === 0) throw new TypeError("Cannot subscribe: there is no id");
  return {
    base: base.origin + base.pathname.replace(/\/+$/, ""),
    signal,
    dialects: dialect === "auto" ? ["json", "text"] : [dialect],
    timeout: milliseconds("timeout", options.timeout, 10),
    idle: {
      json: milliseconds("idleTimeout", idleTimeout, 60),
      text: milliseconds("idleTimeout", idleTimeout, Infinity),
    },
    retries: options.retries ?? Infinity,
    backoff: {
      first: milliseconds("backoff.first", options.backoff?.first, 1),
      longest: milliseconds("backoff.longest", options.backoff?.longest, 60),
    },
    tallies: new Map(options.ids.map((id) => {
      const first = since[id];
      return [id, { told: 0, ...(first !== undefined && { last: Math.max(0, first - 1) }) }];
    })),
    fetch: async (request) => await fetch(request),
    open: (url) => new Socket(url),
    notify: (notification) => call(onNotification, notification, signal),
    emit: (event) => call(onEvent, event, signal),
  };
}

/** Nothing is told after the end. What a callback throws is nobody's but the runtime's, and disturbs nothing here. */
function call<T>(callback: ((value: T) => void) | undefined, value: T, signal: AbortSignal): void {
  if (signal.aborted) return;
  try {
    callback?.(value);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

function milliseconds(name: string, seconds: number | undefined, otherwise: number): number {
  const value = seconds ?? otherwise;
  if (!(value > 0)) throw new RangeError(`Cannot subscribe: ${name} ${value} is not above 0`);
  return value * 1000;
}
