// One socket, from its opening to its end.

import { failure, type SubscribeError } from "./errors.ts";
import { hear } from "./hear.ts";
import type { Link } from "./link.ts";
import type { Dialect } from "./settings.ts";
import type { ClientSocket, SocketEvent } from "./types.ts";

/** A socket that opens, is open, or was. */
export interface Connection {
  readonly url: string;
  isOpen?: boolean;
  /** Those whose handshake has not come since the latest bind. */
  missing: Set<string>;
  /** Whether one has come. */
  isBound: boolean;
  /** Why none will come. */
  refusal?: SubscribeError;
  /** Why it ended, once it has. */
  ended?: SubscribeError;
  send(frame: string): void;
  /** From now on silence is a sign of death. */
  watch(dialect: Dialect): void;
  end(error?: SubscribeError): void;
}

/**
 * Opens a socket for a link, which hears its frames.
 *
 * @throws {SubscribeError} `unreachable`
 */
export function connect(link: Link, url: string): Connection {
  const socket = open(link, url);
  let quiet = 0;
  let timer: ReturnType<typeof setInterval> | undefined;

  const connection: Connection = {
    url,
    missing: new Set(),
    isBound: false,
    send: (frame) => socket.send(frame),
    watch(dialect) {
      clearInterval(timer);
      const idle = link.idle[dialect];
      if (connection.ended || idle === Infinity) return;
      timer = setInterval(() => {
        if (++quiet > 2) connection.end(failure("silent", "the socket says nothing"));
        else if (dialect === "json") socket.send('{"type":"ping"}');
      }, idle * 500);
    },
    end(error = failure("closed", "this side has closed the socket")) {
      if (connection.ended) return;
      connection.ended = error;
      clearInterval(timer);
      socket.close(1000);
    },
  };

  function listen({ type, data, code = 1005 }: SocketEvent): void {
    quiet = 0;
    if (type === "open") connection.isOpen = true;
    else if (type === "message" && !connection.ended && !link.signal.aborted) hear(link, connection, data);
    // A close event follows wherever it was open; npm ws throws without a listener.
    else if (!connection.isOpen) connection.end(unreachable());
    else if (type === "close") {
      connection.end(failure("closed", `the socket was closed with ${code}`, { closeCode: code }));
    }
    link.wake?.();
  }
  for (const type of ["open", "message", "close", "error"] as const) socket.addEventListener(type, listen);
  return connection;
}

function open({ Socket }: Link, url: string): ClientSocket {
  try {
    return new Socket(url);
  } catch (cause) {
    throw unreachable({ cause }); // a page of https may not open ws:, and policies may forbid the host
  }
}

/** It did not open. */
export function unreachable(options?: ErrorOptions): SubscribeError {
  return failure("unreachable", "the socket does not open", options);
}
