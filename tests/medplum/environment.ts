// What surrounds a Medplum client that is not its own: a clock that runs faster, a wire that can be cut and looked at.

import { connect, createServer, type Socket } from "node:net";
import { once } from "node:events";
import { produced, producedBy } from "../tools/produced.ts";

/** How many times as fast the clock of this process runs: the client looks at its tokens once a minute. */
const SPEED = 20;

/** Makes timers and `Date` of this process run faster. To be called before the client is loaded. */
export function hurry(): void {
  const { setTimeout, setInterval, Date: PlainDate } = globalThis;
  const start = PlainDate.now();
  const now = (): number => start + (PlainDate.now() - start) * SPEED;
  Object.assign(globalThis, {
    setTimeout: (run: () => void, delay = 0, ...rest: []) => setTimeout(run, delay / SPEED, ...rest),
    setInterval: (run: () => void, delay = 0, ...rest: []) => setInterval(run, delay / SPEED, ...rest),
    Date: new Proxy(PlainDate, {
      construct: (target, args) => Reflect.construct(target, args.length === 0 ? [now()] : args),
      get: (target, name) => name === "now" ? now : Reflect.get(target, name),
    }),
  });
}

/** A wire between the client and the server. */
export interface Wire {
  readonly origin: string;
  /** Cuts all that is open, without a word to either side. */
  cut(): void;
}

/** Lays a wire to a server. */
export async function layWire(target: URL): Promise<Wire> {
  const open = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(Number(target.port), target.hostname);
    for (const [one, other] of [[near, far], [far, near]] as const) {
      open.add(one);
      one.pipe(other).on("error", () => {});
      one.once("close", () => {
        open.delete(one);
        other.destroy();
      });
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  server.unref();
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("Cannot lay a wire");
  return {
    origin: `http://127.0.0.1:${address.port}`,
    cut: () => {
      for (const socket of open) socket.destroy();
    },
  };
}

/** A frame of the client, and by which of its sockets it went. */
export interface SentFrame {
  readonly socket: number;
  readonly type: string;
  readonly token?: string;
}

/** The one of the runtime, whose answers are kept. */
export async function recordingFetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  return await producedBy(await fetch(input, init));
}

/** The client's sockets. */
export interface Recorder {
  /** What the client sent, but its pings. */
  readonly frames: readonly SentFrame[];
  /** OperationOutcomes that it heard. */
  readonly outcomes: readonly unknown[];
  /** Says something in its name, on its newest socket. */
  say(text: string): void;
}

/** Writes down what the client sends, and keeps what it hears. To be called before the client is loaded. */
export function recordFrames(): Recorder {
  const frames: SentFrame[] = [];
  const outcomes: unknown[] = [];
  let sockets = 0;
  let say = (_text: string): void => {
    throw new Error("Cannot say anything: there is no socket");
  };
  globalThis.WebSocket = class extends WebSocket {
    readonly #number = sockets++;
    constructor(url: string | URL) {
      super(url);
      say = (text) => super.send(text);
      this.addEventListener("message", ({ data }) => {
        produced(data);
        const heard = JSON.parse(data);
        if (heard.resourceType === "OperationOutcome") outcomes.push(heard);
      });
    }
    override send(frame: string): void {
      const { type, payload } = JSON.parse(frame);
      if (type !== "ping") frames.push({ socket: this.#number, type, ...payload });
      super.send(frame);
    }
  };
  return { frames, outcomes, say: (text) => say(text) };
}
