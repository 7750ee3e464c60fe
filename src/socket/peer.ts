// The other end of a socket: whether it is still there, and what of it cannot be trusted not to throw.

import { clock, report } from "../host.ts";
import type { BindingSocket } from "../types.ts";
import type { Settings } from "./settings.ts";

/** Milliseconds between protocol pings; a peer that answered none of them in between is dead. */
const PING_EVERY = 30_000;

/** What became of a ping: the peer is `silent` when it has not answered the one before. */
export type PingOutcome = "sent" | "silent" | "failed";

/** What a runtime's socket throws must not stop the one timer of all. */
export class Peer {
  readonly #settings: Settings;
  readonly #socket: BindingSocket;
  #pingedAt: number;
  #ponged = true;

  constructor(settings: Settings, socket: BindingSocket) {
    this.#settings = settings;
    this.#socket = socket;
    this.#pingedAt = clock(settings);
  }

  /** When it is to be pinged next (milliseconds): never, where the runtime has no pings. */
  get pingAt(): number {
    return this.#socket.ping === undefined ? Infinity : this.#pingedAt + PING_EVERY;
  }

  get hasRoom(): boolean {
    return (this.#socket.bufferedAmount ?? 0) <= this.#settings.limits.sendBuffer;
  }

  ping(now: number): PingOutcome {
    if (!this.#ponged) return "silent";
    this.#pingedAt = now;
    this.#ponged = false;
    return this.#attempt(() => this.#socket.ping?.()) ? "sent" : "failed";
  }

  pong(): void {
    this.#ponged = true;
  }

  close(code: number, reason: string | undefined): void {
    this.#attempt(() => this.#socket.close(code, reason));
  }

  /** Ends the connection of a peer that does not answer. */
  cut(): void {
    this.#attempt(() => this.#socket.terminate ? this.#socket.terminate() : this.#socket.close(1001, "no pong"));
  }

  #attempt(call: () => void): boolean {
    try {
      call();
      return true;
    } catch (cause) {
      report(this.#settings, { type: "error", during: "send", cause });
      return false;
    }
  }
}
