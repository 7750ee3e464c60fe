import { WebSocket as NpmWebSocket } from "ws";
import { produced } from "../tools/produced.ts";

/** A WebSocket client that can be awaited. */
export interface Client {
  readonly socket: WebSocket;
  readonly opened: Promise<void>;
  /** The next message. */
  next(): Promise<unknown>;
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
}

type ClientKind = new (url: URL) => WebSocket;

/** The clients that every runtime has: its own, and that of npm. */
export const CLIENTS: { readonly [name: string]: ClientKind } = {
  "global WebSocket": WebSocket,
  "npm ws": NpmWebSocket as unknown as ClientKind, // it has the same methods and events, as far as a client goes
};

/** Connects. */
export function connectClient(url: URL, Kind: ClientKind = WebSocket): Client {
  const socket = new Kind(url);
  socket.binaryType = "arraybuffer";
  const messages: unknown[] = [];
  const waiting: ((message: unknown) => void)[] = [];
  socket.addEventListener("message", ({ data }) => {
    produced(data);
    const first = waiting.shift();
    if (first === undefined) messages.push(data);
    else first(data);
  });
  let wasOpen = false;
  socket.addEventListener("open", () => wasOpen = true);
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.addEventListener("close", ({ code, reason }) => resolve({ code, reason }));
    // A close follows each error; but Node 22 has none for an upgrade that was refused.
    socket.addEventListener("error", () => wasOpen || resolve({ code: 1006, reason: "" }));
  });
  const opened = new Promise<void>((resolve, reject) => {
    socket.addEventListener("open", () => resolve());
    closed.then(({ code }) => reject(new Error(`closed with ${code} before it was open`)));
  });
  opened.catch(() => {}); // not every test waits for it
  return {
    socket,
    opened,
    closed,
    next: () => {
      if (messages.length > 0) return Promise.resolve(messages.shift());
      return new Promise((resolve, reject) => {
        waiting.push(resolve);
        closed.then(({ code }) => reject(new Error(`closed with ${code} in place of a message`)));
      });
    },
  };
}
