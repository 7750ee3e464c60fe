import type { BindingSocket, SocketSession } from "@fhir-ws/binding";
import { produced } from "../tools/produced.ts";
import { inWords, readServerFrame, type ServerFrame } from "./server_frame.ts";
import type { FakeTime } from "./fake_time.ts";

/** What a runtime's socket can and does. */
export interface FakeSocketOptions {
  /** It has no protocol ping. Default: it has. */
  readonly withoutPing?: boolean;
  /** The peer answers protocol pings. Default true. */
  readonly alive?: boolean;
  /** The peer answers a close. Default true. */
  readonly answersClose?: boolean;
  /** It cannot be cut off. */
  readonly withoutTerminate?: boolean;
  /** It calls `drained()` by itself. */
  readonly reportsDrain?: boolean;
}

/** A socket whose peer is the test. */
export class FakeSocket implements BindingSocket {
  /** All frames ever sent. */
  readonly frames: ServerFrame[] = [];
  /** How the server closed it. */
  closing: { readonly code: number | undefined; readonly reason: string | undefined } | undefined;
  terminated = false;
  gone = false;
  pings = 0;
  alive: boolean;
  bufferedAmount = 0;
  /** `send` answers false and takes nothing. */
  full = false;
  /** What `send` throws. */
  failure: Error | undefined;
  readonly reportsDrain: boolean;
  /** Hears each frame while it is being sent. */
  listener: ((frame: ServerFrame) => void) | undefined;
  ping?: () => void;
  terminate?: () => void;
  #session: SocketSession | undefined;
  #taken = 0;
  #told = false;
  readonly #time: FakeTime;
  readonly #answersClose: boolean;

  constructor(time: FakeTime, options: FakeSocketOptions = {}) {
    this.#time = time;
    this.#answersClose = options.answersClose ?? true;
    this.alive = options.alive ?? true;
    this.reportsDrain = options.reportsDrain ?? false;
    if (!options.withoutPing) this.ping = () => this.#ping();
    if (!options.withoutTerminate) this.terminate = () => this.#terminate();
  }

  get session(): SocketSession {
    if (this.#session === undefined) throw new Error("the socket was not opened");
    return this.#session;
  }

  opened(session: SocketSession): void {
    this.#session = session;
  }

  // --- what the library calls ---

  send(text: string): boolean | void {
    if (this.failure !== undefined) throw this.failure;
    if (this.closing !== undefined || this.terminated) throw new Error(`sent after the end: ${text}`);
    if (this.full) return false;
    const frame = readServerFrame(text);
    produced(text);
    this.frames.push(frame);
    this.listener?.(frame);
  }

  close(code?: number, reason?: string): void {
    if (this.closing !== undefined) throw new Error("closed twice");
    if (reason !== undefined && new TextEncoder().encode(reason).length > 123) throw new Error("reason too long");
    this.closing = { code, reason };
    if (this.#answersClose) queueMicrotask(() => this.disconnect());
  }

  #terminate(): void {
    this.terminated = true;
    queueMicrotask(() => this.disconnect());
  }

  #ping(): void {
    this.pings += 1;
    if (this.alive) queueMicrotask(() => this.session.alive());
  }

  // --- what the test does ---

  /** Sends frames, objects as JSON, and waits until they have been dealt with. */
  async say(...frames: readonly (string | object)[]): Promise<void> {
    for (const frame of frames) this.session.receive(asData(frame));
    await this.#time.settle();
  }

  /** The peer is gone. */
  disconnect(): void {
    if (this.gone) return;
    this.gone = true;
    this.session.closed();
  }

  /** The buffer has room again, and the runtime says so. */
  async drain(): Promise<void> {
    this.full = false;
    this.bufferedAmount = 0;
    this.session.drained();
    await this.#time.settle();
  }

  /** The frames since it was last asked. */
  take(): ServerFrame[] {
    const frames = this.frames.slice(this.#taken);
    this.#taken = this.frames.length;
    return frames;
  }

  /** What has happened since it was last asked, in a few words each; `close 1008 expired` ends it. */
  story(): string[] {
    const words = this.take().map(inWords);
    if (!this.#told && this.closing !== undefined) {
      this.#told = true;
      words.push(["close", this.closing.code, this.closing.reason].filter((part) => part !== undefined).join(" "));
    }
    return words;
  }
}

function asData(frame: string | object): string | ArrayBuffer | ArrayBufferView {
  if (typeof frame === "string" || frame instanceof ArrayBuffer || ArrayBuffer.isView(frame)) return frame;
  return JSON.stringify(frame);
}
