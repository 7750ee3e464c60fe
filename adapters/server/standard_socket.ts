// Sessions on sockets of the Web's own kind, which nobody can cut off: a peer that never answers a close frame must not
// keep its session for ever.

import type { BindingSocket, SocketSession } from "../../src/types.ts";
import { closeFrame, type ErrorReporter, openSession } from "./guard.ts";

/** As much of a `WebSocket` as is used here. */
export interface StandardSocket {
  /** 1 while it is open. */
  readonly readyState: number;
  /** Bytes that wait to be written, where the runtime tells. */
  readonly bufferedAmount?: number;
  /** Sends a message. */
  send(text: string): void;
  /** Starts or answers the closing handshake. */
  close(code?: number, reason?: string): void;
}

const OPEN = 1;

/**
 * Starts the session of an open socket; `ended` is to be called whenever the runtime says that the socket has closed.
 * A close goes out when `toClose` calls what it is given.
 */
export function startSession(
  admission: Parameters<typeof openSession>[0],
  socket: StandardSocket,
  closeTimeout: number,
  onError: ErrorReporter,
  toClose: (close: () => void) => void = (close) => close(),
): { readonly session: SocketSession | undefined; ended(): void } {
  let closing = false;
  let giveUp: ReturnType<typeof setTimeout> | undefined;

  function ended(): void {
    clearTimeout(giveUp);
    session?.closed();
  }

  const bindingSocket: BindingSocket = {
    send: (text) => {
      if (closing || socket.readyState !== OPEN) return false;
      socket.send(text);
      return true;
    },
    close: (code, reason) => {
      if (closing || socket.readyState !== OPEN) return;
      closing = true;
      giveUp = setTimeout(ended, closeTimeout * 1000);
      toClose(() => socket.close(...closeFrame(code, reason)));
    },
    get bufferedAmount() {
      return socket.bufferedAmount ?? 0;
    },
  };
  const session = openSession(admission, bindingSocket, onError);
  return { session, ended };
}
