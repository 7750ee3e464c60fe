import { connect, type Socket } from "node:net";

/** A frame as it was on the wire. */
export interface RawFrame {
  readonly opcode: number;
  readonly payload: Uint8Array;
}

/** A client that speaks whatever it is told to. */
export interface RawClient {
  readonly socket: Socket;
  /** The start line and the headers of the server's answer. */
  readonly head: Promise<string>;
  /** What follows the head, once the server has closed the connection. */
  readonly rest: Promise<Uint8Array>;
  /** The next frame; `undefined` when the connection ended. */
  next(): Promise<RawFrame | undefined>;
  /** The next line, without its end; what there is when the connection ended. */
  line(): Promise<string>;
  send(...bytes: readonly Uint8Array[]): void;
  /** Ends by a RST. */
  reset(): void;
}

interface FrameOptions {
  readonly final?: boolean;
  readonly masked?: boolean;
  /** Reserved bits, as the first byte has them. */
  readonly reserved?: number;
  /** What the header says in place of the payload's length. */
  readonly length?: number;
}

export const TEXT = 1, CLOSE = 8, PING = 9, PONG = 10;

/** RFC 6455 section 5.2, mistakes included. */
export function frame(opcode: number, content: string | Uint8Array = "", options: FrameOptions = {}): Uint8Array {
  const { final = true, masked = true, reserved = 0 } = options;
  const payload = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const length = options.length ?? payload.length;
  const mask = masked ? [1, 2, 3, 4] : [];
  const head = [(final ? 0x80 : 0) | reserved | opcode, masked ? 0x80 : 0, ...mask];
  const size = length < 126 ? [length] : length < 65_536 ? [126, 0, 0] : [127, 0, 0, 0, 0, 0, 0, 0, 0];
  const bytes = new Uint8Array(head.length + size.length - 1 + payload.length);
  const view = new DataView(bytes.buffer);
  bytes.set([head[0] ?? 0, (head[1] ?? 0) | (size[0] ?? 0)]);
  if (size.length === 3) view.setUint16(2, length);
  if (size.length === 9) view.setBigUint64(2, BigInt(length));
  bytes.set(mask, 1 + size.length);
  bytes.set(payload.map((byte, at) => byte ^ (mask[at % 4] ?? 0)), 1 + size.length + mask.length);
  return bytes;
}

/** The payload of a close frame. */
export function closePayload(code: number, reason = ""): Uint8Array {
  return new Uint8Array([code >> 8, code & 255, ...new TextEncoder().encode(reason)]);
}

/** The code and reason of a close frame. */
export function closeOf({ payload }: RawFrame): { readonly code: number; readonly reason: string } {
  const code = payload.length < 2 ? 1005 : new DataView(payload.buffer, payload.byteOffset).getUint16(0);
  return { code, reason: new TextDecoder().decode(payload.subarray(2)) };
}

/** A correct upgrade request, or one with other headers. */
export function handshake(url: URL, headers: { readonly [name: string]: string } = {}): Uint8Array {
  const all = {
    "Host": url.host,
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
    ...headers,
  };
  const lines = Object.entries(all).filter(([, value]) => value !== "").map(([name, value]) => `${name}: ${value}`);
  return new TextEncoder().encode([`GET ${url.pathname}${url.search} HTTP/1.1`, ...lines, "", ""].join("\r\n"));
}

/** Connects and sends `first`. */
export function connectRaw(url: URL, first: Uint8Array = handshake(url)): RawClient {
  const socket = connect(Number(url.port), url.hostname);
  let bytes = new Uint8Array(0);
  let ended = false;
  let timedOut = false;
  let headTaken = false;
  let wake: () => void = () => {};

  socket.on("data", (chunk: Uint8Array) => {
    bytes = concat(bytes, chunk);
    wake();
  });
  for (const event of ["close", "end", "error"]) {
    socket.on(event, () => {
      ended = true;
      wake();
    });
  }
  socket.on("connect", () => socket.write(first));
  socket.setTimeout(20_000, () => {
    timedOut = true;
    socket.destroy();
  });

  async function take<T>(read: () => T | undefined): Promise<T | undefined> {
    for (;;) {
      const value = read();
      if (timedOut) throw new Error("Nothing came in time");
      if (value !== undefined || ended) return value;
      await new Promise<void>((resolve) => wake = resolve);
    }
  }
  function cut(length: number): Uint8Array {
    const part = bytes.subarray(0, length);
    bytes = bytes.subarray(length);
    return part;
  }
  const head = take(() => {
    const end = new TextDecoder("latin1").decode(bytes).indexOf("\r\n\r\n");
    if (end < 0) return undefined;
    headTaken = true;
    return new TextDecoder("latin1").decode(cut(end + 4)).trimEnd();
  }).then((text) => text ?? "");

  return {
    socket,
    head,
    get rest() {
      return head.then(() => take(() => ended ? bytes : undefined)).then(() => bytes);
    },
    next: async () => {
      await head;
      return await take(() => {
        if (!headTaken) return undefined;
        const size = frameSize(bytes);
        return size === undefined ? undefined : parse(cut(size));
      });
    },
    line: async () => {
      await head;
      const line = await take(() => {
        const end = bytes.indexOf(10);
        return end < 0 ? undefined : cut(end + 1);
      });
      return new TextDecoder().decode(line ?? bytes).trimEnd();
    },
    send: (...parts) => {
      for (const part of parts) socket.write(part);
    },
    reset: () => void socket.resetAndDestroy(),
  };
}

/** The size of the first frame of these bytes, when all of it is there. A server's frames are not masked. */
function frameSize(bytes: Uint8Array): number | undefined {
  const short = bytes.length < 2 ? undefined : (bytes[1] ?? 0) & 127;
  if (short === undefined) return undefined;
  const head = short === 126 ? 4 : short === 127 ? 10 : 2;
  if (bytes.length < head) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const length = short === 126 ? view.getUint16(2) : short === 127 ? Number(view.getBigUint64(2)) : short;
  return bytes.length < head + length ? undefined : head + length;
}

function parse(bytes: Uint8Array): RawFrame {
  const short = (bytes[1] ?? 0) & 127;
  return { opcode: (bytes[0] ?? 0) & 15, payload: bytes.subarray(short === 126 ? 4 : short === 127 ? 10 : 2) };
}

function concat(left: Uint8Array, right: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(left.length + right.length);
  both.set(left);
  both.set(right, left.length);
  return both;
}
