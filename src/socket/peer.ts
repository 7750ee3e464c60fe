// The other end of a socket: whether it is still there, whether it reads, and what of it cannot be trusted not to throw.

import { clock, report } from "../host.ts";
import type { BindingSocket } from "../types.ts";
import type { Settings } from "./settings.ts";

/** Milliseconds between protocol pings; a peer that answered none of them in between is dead. */
const PING_EVERY = 30_000;

/** Milliseconds between looks at a full buffer, where the runtime does not tell when it has room. */
const DRAIN_POLL = 250;

/** What became of a ping: the peer is `silent` when it has not answered the one before. */
export type PingOutcome = "sent" | "silent" | "failed";

/** What a runtime's socket throws must not stop the one timer of all. */
export class Peer {
  readonly #settings: Settings;
  readonly #socket: BindingSocket;
  #pingedAt: number;
  #ponged = true;
  #stalledSince: number | undefined;

  constructor(settings: Settings, socket: BindingSocket) {
    this.#settings = settings;
    this.#socket = socket;
    this.#pingedAt = clock(settings);
  }

  /** When it is to be pinged next (milliseconds): never, where the runtime has no pings. */
  get pingAt(): number {
    return this.#socket.ping === undefined ? Infinity : this.#pingedAt + PING_EVERY;
  }

  /** When it is to be looked at next, by what is known at a time; milliseconds. */
  nextAt(now: number): number {
    if (this.#stalledSince === undefined) return this.pingAt;
    const poll = this.#socket.reportsDrain ? Infinity : now + DRAIN_POLL;
    return Math.min(this.pingAt, this.#stalledSince + this.#patience, poll);
  }

  /** Whether more may be sent: the buffer has room, and has been seen to have room since it last had none. */
  get hasRoom(): boolean {
    return this.#stalledSince === undefined && this.#hasSpace;
  }

  /** It had no room, and now has. */
  get hasDrained(): boolean {
    return this.#stalledSince !== undefined && this.#hasSpace;
  }

  /** It has had no room for longer than a reader may be slow. */
  isSlow(now: number): boolean {
    return this.#stalledSince !== undefined && now >= this.#stalledSince + this.#patience;
  }

  /** It takes no more; true when that is new. */
  stall(now: number): boolean {
    if (this.#stalledSince !== undefined) return false;
    this.#stalledSince = now;
    return true;
  }

  /** It takes more again; true when it had not. */
  recover(): boolean {
    if (this.#stalledSince === undefined) return false;
    this.#stalledSince = undefined;
    return true;
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

  get #hasSpace(): boolean {
    return (this.#socket.bufferedAmount ?? 0) <= this.#settings.limits.sendBuffer;
  }

  get #patience(): number {
    return this.#settings.limits.drainDeadline * 1000;
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
