// Options with their defaults.

import type { ClientSocket, ReceivedNotification, SubscribeEvent, SubscribeOptions } from "./types.ts";

/** What all links of one `subscribe` share. Times are seconds. */
export interface Client {
  readonly base: string;
  readonly signal: AbortSignal;
  readonly dialects: readonly Dialect[];
  readonly timeout: number;
  readonly idle: Readonly<Record<Dialect, number>>;
  readonly retries: number;
  readonly first: number;
  readonly longest: number;
  readonly fetch: (request: Request) => Promise<Response>;
  readonly WebSocket: new (url: string) => ClientSocket;
  readonly notify: (notification: ReceivedNotification) => void;
  readonly emit: (event: SubscribeEvent) => void;
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
  const {
    url,
    ids,
    onNotification,
    onEvent,
    dialect = "auto",
    fetch = globalThis.fetch,
    WebSocket = globalThis.WebSocket,
    timeout = 10,
    idleTimeout: json = 60,
    idleTimeout: text = Infinity,
    retries = Infinity,
    backoff: { first = 1, longest = 60 } = {},
  } = options;
  const { origin, pathname } = new URL(url);
  const base = origin + pathname.replace(/\/+$/, "");
  check(WebSocket, "there is no WebSocket here");
  check(/^https?:/.test(base), "the url is not http or https");
  check(ids.length > 0, "there is no id");
  for (const id of ids) check(/^[A-Za-z0-9\-.]{1,64}$/.test(id), `"${id}" is not an id`);
  for (const [name, seconds] of Object.entries({ timeout, idleTimeout: json, first, longest })) {
    check(seconds > 0, `${name} ${seconds} is not above 0`, RangeError);
  }
  return {
    base,
    signal,
    dialects: dialect === "auto" ? ["json", "text"] : [dialect],
    timeout,
    idle: { json, text },
    retries,
    first,
    longest,
    fetch,
    WebSocket,
    notify: listener(onNotification, signal),
    emit: listener(onEvent, signal),
  };
}

function check(holds: unknown, why: string, Mistake: ErrorConstructor = TypeError): void {
  if (!holds) throw new Mistake(`Cannot subscribe: ${why}`);
}

/** Nothing is told after the end. What a callback throws is nobody's but the runtime's, and disturbs nothing here. */
function listener<T>(callback: ((value: T) => void) | undefined, signal: AbortSignal): (value: T) => void {
  return (value) => {
    try {
      if (!signal.aborted) callback?.(value);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  };
}
