// One socket: frames in their order, refusals counted, and what closes it.

import { BindingError, type BindingIssue } from "../errors.ts";
import { callerSubject } from "../event/key.ts";
import { operationOutcome } from "../fhir/outcome.ts";
import { clock, report, who } from "../host.ts";
import type { BindingSocket, Caller, EndReason, SocketSession } from "../types.ts";
import { bind, bindLegacy } from "./bind.ts";
import { type Binding, endBinding } from "./binding.ts";
import type { Due } from "./deadlines.ts";
import { wake } from "./delivery.ts";
import { type Command, parseFrame, PONG } from "./protocol.ts";
import { Peer } from "./peer.ts";
import { FrameRate } from "./rate.ts";
import { startBindings } from "./start.ts";
import type { BinderState } from "./state.ts";
import { unbind } from "./unbind.ts";

/** Milliseconds that a peer has to answer a close before it is cut off: it might never do so, and counts until then. */
const CLOSING_HANDSHAKE = 10_000;

type DropCode = 1003 | 1008 | 1009 | 1011 | 1013;

/** Its members are the binder's business; an adapter sees a `SocketSession`. */
export class Session implements SocketSession, Due {
  readonly state: BinderState;
  readonly socket: BindingSocket;
  readonly bindings = new Map<string, Binding>();
  /** The first that bound. It stays, bound or not. */
  caller: Caller | undefined;
  /** Who R4's legacy binds are for. */
  readonly legacyCaller: Caller | undefined;
  /** Attempts to redeem whose outcome is not known, by jti. */
  attempts: Map<string, string> | undefined;
  /** Since when its tokens could not be checked for revocation; milliseconds. */
  suspectSince: number | undefined;
  over = false;
  dueAt = Infinity;
  place = -1;
  readonly #peer: Peer;
  readonly #rate: FrameRate;
  readonly #frames: (string | Command)[] = [];
  /** OperationOutcomes that the socket has not taken. */
  readonly #untold: string[] = [];
  #handling = false;
  #refusals = 0;
  #closeReason: string | undefined;
  #unboundSince: number;
  #goingAwayAt = Infinity;

  constructor(state: BinderState, socket: BindingSocket, legacyCaller: Caller | undefined) {
    const now = clock(state.settings);
    this.state = state;
    this.socket = socket;
    this.legacyCaller = legacyCaller;
    this.#rate = new FrameRate(state.settings.limits.framesPerSecond, now);
    this.#unboundSince = now;
    this.#peer = new Peer(state.settings, socket);
    state.sessions.add(this);
    state.unbound.add(this);
    state.rounds.start();
    this.#schedule(now);
  }

  get suspect(): boolean {
    return this.suspectSince !== undefined;
  }

  // --- what the adapter calls ---

  receive(data: string | ArrayBuffer | ArrayBufferView): void {
    if (this.over) return;
    if (typeof data !== "string") return this.drop(1003);
    if (isLonger(data, this.state.settings.limits.frameSize)) return this.drop(1009);
    if (!this.#rate.take(clock(this.state.settings))) return this.drop(1008, "too many frames");
    this.enqueue(data);
  }

  closed(): void {
    this.#finish("closed");
    this.state.deadlines.clear(this);
    if (!this.state.sessions.delete(this) || this.state.sessions.size > 0) return;
    this.state.rounds.stop();
    this.state.emptied();
  }

  drained(): void {
    if (!this.#peer.recover()) return;
    this.#schedule(clock(this.state.settings));
    if (!this.#tellRest()) return;
    const bindings = [...this.bindings.values()];
    void startBindings(this.state, bindings); // it never rejects
    for (const binding of bindings) wake(this.state, binding);
  }

  alive(): void {
    this.#peer.pong();
  }

  due(now: number): void {
    if (this.over) return this.#peer.cut();
    if (now >= this.#goingAwayAt) return this.close(1001, "going away");
    if (this.#unbindDeadline() <= now) return this.drop(1008, "no binding");
    if (this.#peer.hasDrained) this.drained();
    if (this.#peer.isSlow(now)) return this.drop(1013, "slow reader");
    if (now >= this.#peer.pingAt && !this.#ping(now)) return;
    this.#schedule(now);
  }

  // --- what the binder calls ---

  /** Handles a frame, or a command that came another way, after those before it. */
  enqueue(frame: string | Command): void {
    this.#frames.push(frame);
    if (!this.#handling) void this.#handleAll(); // it never rejects
  }

  /** False: not sent, and the caller has to come back when the socket has drained. */
  send(text: string): boolean {
    if (this.over) return false;
    try {
      if (this.socket.send(text) !== false) return true;
    } catch (cause) {
      report(this.state.settings, { type: "error", during: "send", cause });
      this.drop(1011);
      return false;
    }
    this.#stall();
    return false;
  }

  /** Sends an OperationOutcome, now or when the socket has drained: nobody comes back for it. */
  tell(issues: readonly BindingIssue[]): void {
    this.#untold.push(JSON.stringify(operationOutcome(issues)));
    if (this.#untold.length === 1) this.#tellRest();
  }

  /** Whether more may be sent; a reader that is too slow is given a deadline. */
  hasRoom(): boolean {
    if (this.#peer.hasRoom) return true;
    this.#stall();
    return false;
  }

  /** A good bind has given it bindings: the socket belongs to this caller, and has no deadline to bind any more. */
  accepted(caller: Caller): void {
    this.#refusals = 0;
    if (this.caller === undefined) {
      this.caller = caller;
      const subject = callerSubject(caller);
      const sessions = this.state.callers.get(subject) ?? new Set();
      this.state.callers.set(subject, sessions.add(this));
    }
    this.state.unbound.delete(this);
    this.#schedule(clock(this.state.settings));
  }

  /** A binding has ended; a socket that lost its last one by the server's will is of no more use. */
  lostBinding(reason: EndReason): void {
    if (this.over || this.bindings.size > 0) return;
    this.#unboundSince = clock(this.state.settings);
    this.state.unbound.add(this);
    if (reason === "unbound") return this.#schedule(this.#unboundSince);
    // A renewal that is being handled may still come in time.
    if (this.#handling) this.#closeReason = reason;
    else this.drop(1008, reason);
  }

  /** Closes with a code that tells what was wrong. */
  drop(code: DropCode, reason?: string): void {
    if (this.over) return;
    report(this.state.settings, { type: "dropped", code, ...(this.caller && { caller: who(this.caller) }) });
    this.close(code, reason, code === 1013 ? "slow" : "closed");
  }

  close(code: number, reason?: string, end: EndReason = "closed"): void {
    if (this.over) return;
    this.#finish(end);
    this.#peer.close(code, reason);
    if (this.socket.terminate === undefined || !this.state.sessions.has(this)) return;
    this.state.deadlines.set(this, clock(this.state.settings) + CLOSING_HANDSHAKE);
  }

  /** Closes with 1001 at a time to come, the earliest of all that are given. */
  goAway(at: number): void {
    this.#goingAwayAt = Math.min(this.#goingAwayAt, at);
    this.#schedule(at);
  }

  // --- inside ---

  async #handleAll(): Promise<void> {
    this.#handling = true;
    for (let frame = this.#frames.shift(); frame !== undefined && !this.over; frame = this.#frames.shift()) {
      try {
        await this.#handle(frame);
      } catch (error) {
        this.#refuse(error);
      }
    }
    this.#handling = false;
    if (this.#closeReason !== undefined && this.bindings.size === 0) this.drop(1008, this.#closeReason);
    this.#closeReason = undefined;
  }

  async #handle(frame: string | Command): Promise<void> {
    const command = typeof frame === "string" ? parseFrame(frame, this.state.settings.legacy !== undefined) : frame;
    switch (command.type) {
      case "bind":
        return await bind(this.state, this, command);
      case "legacy-bind":
        return await bindLegacy(this.state, this, command.id);
      case "unbind":
        return unbind(this.state, this, command.token);
      case "ping":
        this.send(PONG);
    }
  }

  /** Answers with an OperationOutcome; a store that is down and a caller that is too fast are not a client's guesses. */
  #refuse(cause: unknown): void {
    if (!(cause instanceof BindingError)) {
      report(this.state.settings, { type: "error", during: "internal", cause });
      return this.drop(1011);
    }
    report(this.state.settings, {
      type: "bind-refused",
      code: cause.code,
      ...(this.caller && { caller: who(this.caller) }),
    });
    this.tell(cause.issues);
    if (cause.code === "unavailable" || cause.code === "throttled") return;
    this.#refusals += 1;
    if (this.#refusals >= this.state.settings.limits.refusedBinds) this.drop(1008, "too many refusals");
  }

  #tellRest(): boolean {
    for (let text = this.#untold[0]; text !== undefined; text = this.#untold[0]) {
      if (!this.send(text)) return false;
      this.#untold.shift();
    }
    return true;
  }

  #stall(): void {
    const now = clock(this.state.settings);
    if (!this.over && this.#peer.stall(now)) this.#schedule(now);
  }

  /** Pings a peer, or gives up one that has not answered the last ping. */
  #ping(now: number): boolean {
    const outcome = this.#peer.ping(now);
    if (outcome === "silent") {
      this.#finish("closed");
      this.#peer.cut();
    } else if (outcome === "failed") this.drop(1011);
    return outcome === "sent";
  }

  #unbindDeadline(): number {
    const { bindDeadline } = this.state.settings.limits;
    return this.bindings.size > 0 ? Infinity : this.#unboundSince + bindDeadline * 1000;
  }

  #schedule(now: number): void {
    if (this.over) return;
    const at = Math.min(this.#unbindDeadline(), this.#peer.nextAt(now), this.#goingAwayAt);
    this.state.deadlines.set(this, at);
  }

  #finish(reason: EndReason): void {
    if (this.over) return;
    this.over = true;
    this.#frames.length = 0;
    this.#untold.length = 0;
    const { state } = this;
    state.deadlines.clear(this);
    state.unbound.delete(this);
    for (const binding of [...this.bindings.values()]) endBinding(state, binding, reason);
    if (this.caller === undefined) return;
    const subject = callerSubject(this.caller);
    const sessions = state.callers.get(subject);
    sessions?.delete(this);
    if (sessions?.size === 0) state.callers.delete(subject);
  }
}

/** Whether a text has more bytes in UTF-8 than that. */
function isLonger(text: string, bytes: number): boolean {
  if (text.length * 3 <= bytes) return false;
  return text.length > bytes || new TextEncoder().encode(text).length > bytes;
}
