// A socket of a demo in this process, without a network.

import { assert } from "@std/assert";
import { produced } from "../tools/produced.ts";
import { type JsonObject, object, ORIGIN, type Running } from "./running.ts";

/** A client's end of a socket. */
export interface TestSocket {
  send(frame: string): void;
  /** The next frame from the server, as JSON. */
  next(): Promise<JsonObject>;
  /** Frames that came and were not asked for. */
  readonly waiting: readonly string[];
  /** The close code, once there is one. */
  readonly closed: Promise<number>;
  /** The client goes away. */
  leave(): void;
}

/** Connects to the sockets of a version. */
export async function connect({ demo }: Running, version: string, query = ""): Promise<TestSocket> {
  const admission = await demo.admit(upgradeRequest(`/ws/subscriptions-${version.toLowerCase()}${query}`));
  assert(!admission.refused);
  const waiting: string[] = [];
  const wanted: ((frame: string) => void)[] = [];
  const closed = Promise.withResolvers<number>();
  const session = admission.open({
    send: (text) => {
      produced(text);
      const taker = wanted.shift();
      if (taker === undefined) waiting.push(text);
      else taker(text);
    },
    close: (code = 1000) => {
      closed.resolve(code);
      queueMicrotask(() => session.closed());
    },
    bufferedAmount: 0,
  });
  return {
    send: (frame) => session.receive(frame),
    next: async () => {
      const frame = waiting.shift() ?? await new Promise<string>((resolve) => wanted.push(resolve));
      return object(JSON.parse(frame));
    },
    waiting,
    closed: closed.promise,
    leave: () => session.closed(),
  };
}

/** A request that wants to become a socket. */
export function upgradeRequest(path: string, headers: Readonly<Record<string, string>> = {}): Request {
  return new Request(ORIGIN + path, {
    headers: {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
      ...headers,
    },
  });
}
