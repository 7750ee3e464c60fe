// One socket, from its opening to its end.

import { failure, type SubscribeError } from "./errors.ts";
import { hear } from "./hear.ts";
import type { Link } from "./link.ts";
import type { ClientSocket, SocketEvent } from "./types.ts";

/** A socket that opens, is open, or was. */
export interface Connection {
  readonly url: string;
  isOpen?: boolean;
  /** Why it ended, once it has. */
  ended?: SubscribeError;
  /** How often it was looked at since something came. */
  quiet: number;
  /** Those whose handshake has not come since the latest bind. */
  missing: Set<string>;
  /** Whether one has come. */
  isBound: boolean;
  /** Why none will come. */
  refusal?: SubscribeError;
  send(frame: string): void;
  end(error?: SubscribeError): void;
}

/**
 * Opens a socket for a link, which hears its frames.
 *
 * @throws {SubscribeError} `unreachable`
 */
export function connect(link: Link, url: string): Connection {
  const socket = open(link, url);
  const connection: Connection = {
    url,
    quiet: 0,
    missing: new Set(),
    isBound: false,
    send: (frame) => socket.send(frame),
    end(error = failure("closed", {}, "the socket was closed")) {
      connection.ended ??= error;
      socket.close(1000);
    },
  };

  function listen({ type, data, code = 1005 }: SocketEvent): void {
    connection.quiet = 0;
    if (type === "open") connection.isOpen = true;
    else if (type === "message") {
      if (!connection.ended && !link.signal.aborted) hear(link, connection, data);
    } // A close event follows wherever it was open; npm ws throws without a listener.
    else if (!connection.isOpen) connection.end(unreachable());
    else if (type === "close") {
      connection.end(failure("closed", { closeCode: code }, `the socket was closed with ${code}`));
    }
    link.wake?.();
  }
  for (const type of ["open", "message", "close", "error"] as const) socket.addEventListener(type, listen);
  return connection;
}

function open({ WebSocket }: Link, url: string): ClientSocket {
  try {
    return new WebSocket(url);
  } catch (cause) {
    throw unreachable({ cause }); // a page of https may not open ws:, and policies may forbid the host
  }
}

/** It did not open. */
export function unreachable(options: ErrorOptions = {}): SubscribeError {
  return failure("unreachable", options, "the socket does not open");
}
