// One socket, from its opening to its end.

import { failure, type SubscribeError } from "./errors.ts";
import type { Client, Dialect } from "./settings.ts";
import { defer, firstOf } from "./timing.ts";
import type { ClientSocket } from "./types.ts";

const PING = '{"type":"ping"}';

/** A socket that is open, or was. */
export interface Connection {
  readonly url: string;
  /** Subscriptions that had a handshake here. */
  readonly greeted: Set<string>;
  /** A binding here has ended that is wanted again: the server may be about to close. */
  spent: boolean;
  /** Why it ended, once it has. */
  readonly ended: Promise<SubscribeError>;
  isOpen(): boolean;
  send(frame: string): void;
  /** From now on silence is a sign of death. */
  watch(dialect: Dialect): void;
  close(): void;
}

/**
 * Opens a socket, whose frames go to `receive`.
 *
 * @throws {SubscribeError} `unreachable`
 */
export async function connect(
  client: Client,
  url: string,
  receive: (connection: Connection, data: unknown) => void,
): Promise<Connection> {
  const socket = open(client, url);
  const { connection, opened } = createConnection(client, url, socket, receive);
  try {
    if (await firstOf(client.timeout, client.signal, opened, connection.ended) !== "open") throw unreachable();
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

function open(client: Client, url: string): ClientSocket {
  try {
    return client.open(url);
  } catch (cause) {
    throw unreachable({ cause }); // a page of https may not open ws:, and policies may forbid the host
  }
}

function createConnection(
  client: Client,
  url: string,
  socket: ClientSocket,
  receive: (connection: Connection, data: unknown) => void,
): { connection: Connection; opened: Promise<"open"> } {
  const opened = defer<"open">();
  const ended = defer<SubscribeError>();
  let [isOpen, wasOpen, quiet] = [true, false, 0];
  let timer: ReturnType<typeof setInterval> | undefined;

  function finish(error: SubscribeError): void {
    isOpen = false;
    clearInterval(timer);
    ended.resolve(error);
  }
  function end(error: SubscribeError): void {
    if (!isOpen) return;
    finish(error);
    socket.close(1000);
  }
  const connection: Connection = {
    url,
    greeted: new Set(),
    spent: false,
    ended: ended.promise,
    isOpen: () => isOpen,
    send: (frame) => {
      if (isOpen) socket.send(frame);
    },
    watch(dialect) {
      clearInterval(timer);
      const idle = client.idle[dialect];
      if (!isOpen || idle === Infinity) return;
      timer = setInterval(() => {
        if (++quiet > 2) end(failure("silent", "the socket says nothing"));
        else if (dialect === "json") socket.send(PING);
      }, idle / 2);
    },
    close: () => end(failure("closed", "this side has closed the socket")),
  };
  socket.addEventListener("open", () => {
    wasOpen = true;
    opened.resolve("open");
  });
  socket.addEventListener("message", ({ data }) => {
    quiet = 0;
    if (isOpen) receive(connection, data);
  });
  socket.addEventListener("close", ({ code = 1005 }) => {
    finish(failure("closed", `the socket was closed with ${code}`, { closeCode: code }));
  });
  // A close event follows wherever it was open; npm ws throws without a listener.
  socket.addEventListener("error", () => {
    if (!wasOpen) finish(unreachable());
  });
  return { connection, opened: opened.promise };
}

function unreachable(options: ErrorOptions = {}): SubscribeError {
  return failure("unreachable", "the socket does not open", options);
}
