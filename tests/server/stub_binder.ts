import type { BindingSocket, MaybePromise, SocketAdmission, SocketSession } from "../../src/types.ts";

/** What a stub session saw of its adapter; the tests ask for it over HTTP. */
export interface SessionRecord {
  /** Text as it is, binary frames as hexadecimal bytes. */
  readonly frames: string[];
  opened: number;
  closed: number;
  drained: number;
  alive: number;
  /** The send buffer was seen full. */
  full: number;
  /** Calls of `receive`, `drained` or `alive` after `closed`. */
  late: number;
  /** What `send` answered, and whether anything threw, after `closed`. */
  afterwards: string;
}

/** One scripted endpoint. */
interface Script {
  admit?(url: URL): MaybePromise<Response | undefined>;
  open?(socket: BindingSocket, session: Session): void;
  receive?(socket: BindingSocket, frame: string): void;
  drained?(socket: BindingSocket): void;
  alive?(socket: BindingSocket): void;
}

interface Session {
  readonly url: URL;
  readonly record: SessionRecord;
  touch(): void;
}

/** The limit that the real session has, too: a longer frame is closed with 1009. */
export const FRAME_SIZE = 32_768;

const FLOOD = { size: 65_536, limit: 1_048_576, most: 1000 };

function echo(socket: BindingSocket, frame: string): void {
  socket.send(frame);
}

function answer(status: number, headers: [string, string][] = [], body?: string): Response {
  return new Response(body, { status, headers });
}

function later(milliseconds: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds, undefined));
}

/** Numbered texts until the buffer is full. */
function flood(socket: BindingSocket, { record, touch }: Session): void {
  let number = 0;
  function more(): void {
    if ((socket.bufferedAmount ?? 0) < FLOOD.limit && number < FLOOD.most) {
      if (socket.send(`${number}:`.padEnd(FLOOD.size, "x")) !== false) number++;
      return void setTimeout(more); // a turn of the loop each: what the kernel takes does not count
    }
    socket.send(`full after ${number}`);
    record.full++;
    touch();
    if (!socket.reportsDrain) watch();
  }
  function watch(): void {
    if (socket.bufferedAmount === 0) socket.send("drained");
    else setTimeout(watch, 20);
  }
  more();
}

const SCRIPTS: { readonly [path: string]: Script } = {
  "/ws/echo": { receive: echo },
  "/ws/idle": {},
  "/ws/slow": { admit: () => later(50), receive: echo },
  "/ws/greet": { open: (socket) => void socket.send("hello"), receive: echo },
  "/ws/throw": {
    admit: () => {
      throw new Error("the binder is broken");
    },
  },
  "/ws/reject": { admit: () => Promise.reject(new Error("the binder is broken")) },
  "/ws/refuse": {
    admit: () =>
      answer(503, [["retry-after", "7"], ["set-cookie", "a=1"], ["set-cookie", "b=2"], ["x-latin", "é"]], "grüß"),
  },
  "/ws/refuse-bare": { admit: () => answer(403) },
  "/ws/open-throws": {
    open: () => {
      throw new Error("the session is broken");
    },
  },
  "/ws/close": {
    open: (socket, { url }) => {
      socket.close(Number(url.searchParams.get("code")), url.searchParams.get("reason") ?? "");
    },
  },
  "/ws/close-later": { receive: (socket, frame) => socket.close(1008, frame) },
  "/ws/terminate": { receive: (socket) => socket.terminate?.() },
  "/ws/terminate-at-once": { open: (socket) => socket.terminate?.() },
  "/ws/ping": { open: (socket) => socket.ping?.(), alive: (socket) => void socket.send("alive") },
  "/ws/flood-close": {
    open: (socket, session) =>
      flood(socket, {
        ...session,
        touch: () => {
          socket.close(1013, "slow reader");
          session.touch();
        },
      }),
  },
  "/ws/flood": { open: flood, drained: (socket) => void socket.send("drained") },
};

/** A binder that follows scripts, and the HTTP side that tells what its sessions saw. */
export function createStub(): {
  readonly binder: { admit(request: Request): MaybePromise<SocketAdmission> };
  handle(request: Request): Promise<Response>;
  onError(cause: unknown): void;
} {
  const records = new Map<string, SessionRecord>();
  const totals = { opened: 0, closed: 0 };
  const errors: string[] = [];
  let wake: () => void = () => {};
  let changed = Promise.resolve();
  function touch(): void {
    wake();
    changed = new Promise((resolve) => wake = resolve);
  }
  touch();

  function open(script: Script, url: URL, socket: BindingSocket): SocketSession {
    const record = { frames: [], opened: 0, closed: 0, drained: 0, alive: 0, full: 0, late: 0, afterwards: "" };
    const session = stubSession(script, record, socket, () => {
      totals.closed++;
      touch();
    });
    const key = url.searchParams.get("key") ?? "";
    const known = records.get(key);
    if (known === undefined) records.set(key, record);
    (known ?? record).opened++;
    script.open?.(socket, { url, record, touch });
    totals.opened++;
    touch();
    return session;
  }

  return {
    binder: {
      admit: async (request) => {
        const url = new URL(request.url);
        const script = SCRIPTS[url.pathname];
        if (script === undefined) return { refused: answer(404) };
        if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
          return { refused: answer(426, [["upgrade", "websocket"]]) };
        }
        const refused = await script.admit?.(url);
        return refused ? { refused } : { open: (socket) => open(script, url, socket) };
      },
    },
    handle: async (request) => {
      const { pathname, searchParams } = new URL(request.url);
      if (pathname === "/totals") {
        const isDone = () => totals.opened === totals.closed;
        while (searchParams.has("settled") && !isDone()) await changed;
        return Response.json({ ...totals, errors });
      }
      const find = () => records.get(searchParams.get("key") ?? "");
      const until = searchParams.get("until"); // a counter that must have left 0
      while (until !== null && !Object.entries(find() ?? {}).some(([name, value]) => name === until && value > 0)) {
        await changed;
      }
      return Response.json(find() ?? null);
    },
    onError: (cause) => void errors.push(cause instanceof Error ? cause.message : String(cause)),
  };
}

function stubSession(
  script: Script,
  record: SessionRecord,
  socket: BindingSocket,
  onClosed: () => void,
): SocketSession {
  function isOpen(): boolean {
    if (record.closed > 0) record.late++;
    return record.closed === 0;
  }
  return {
    receive: (data) => {
      if (!isOpen()) return;
      const frame = show(data);
      if (frame.length > FRAME_SIZE) return socket.close(1009, "too big");
      record.frames.push(frame);
      script.receive?.(socket, frame);
    },
    drained: () => {
      if (!isOpen()) return;
      record.drained++;
      script.drained?.(socket);
    },
    alive: () => {
      if (!isOpen()) return;
      record.alive++;
      script.alive?.(socket);
    },
    closed: () => {
      record.closed++;
      record.afterwards = useClosed(socket);
      onClosed();
    },
  };
}

function show(data: string | ArrayBuffer | ArrayBufferView): string {
  if (typeof data === "string") return data;
  const bytes = ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
  return `binary ${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** Whatever is done to a socket that has gone, nothing may come of it. */
function useClosed(socket: BindingSocket): string {
  try {
    const sent = socket.send("too late");
    socket.close(1001, "too late");
    socket.ping?.();
    socket.terminate?.();
    return `sent ${sent}, buffered ${socket.bufferedAmount}`;
  } catch (error) {
    return `threw ${error}`;
  }
}
