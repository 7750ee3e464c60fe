// A client's socket: what comes goes to the ledger, what it ends with is judged.

// @ts-types="ws-types"
import { WebSocket } from "ws";
import { type Issue, readFrame } from "./frame.ts";
import { createLedger, type Ledger } from "./ledger.ts";
import type { Spans } from "./spans.ts";

/** Milliseconds in which a server that is not overwhelmed answers. */
const PATIENCE = 20_000;

/** Milliseconds after a frame, or the answer to a ping, in which it may have crossed the server's close, and the codes of that. */
const CROSSING = 10_000;
const CODES = [1003, 1008, 1009, 1013];

const PING = '{"type":"ping"}';

/** Is told what happens to a socket. */
export interface Watcher {
  violated(what: string): void;
  /** It was closed as it should be, and will never know why. */
  crossed(): void;
}

/** An open socket. */
export interface Wire {
  readonly ledger: Ledger;
  /** The close code, once it has closed. */
  readonly code: number | undefined;
  readonly closed: Promise<number>;
  send(frame: string | Uint8Array): void;
  /** Sends a frame and a ping; resolves with the OperationOutcomes of no Subscription that come before the pong. */
  ask(frame: string): Promise<readonly Issue[]>;
  /** Resolves with true when it is true, or the socket has closed; with false when it takes longer (milliseconds). */
  reaches(isTrue: () => boolean, longest: number): Promise<boolean>;
  /** Resolves when it is true, or the socket has closed; gives up, as a violation, when it takes too long. */
  until(isTrue: () => boolean, what: string): Promise<void>;
  /** What is done now closes the socket by this code, or may do so up to a time (milliseconds since the epoch). */
  expectClose(code: number, until?: number): void;
  /** What answers nobody's question is no violation from here on. */
  ignoreAnswers(): void;
  pause(): void;
  resume(): void;
  close(): void;
  cut(): void;
}

/** Opens one; `next` is the ledger's. */
export async function openWire(
  url: string,
  next: Map<string, number>,
  spans: Spans,
  watcher: Watcher,
): Promise<Wire> {
  const { violated } = watcher;
  const socket = new WebSocket(url, { perMessageDeflate: false });
  const waiting = new Set<() => void>();
  const expected = new Map<number, number>();
  let isIgnoring = false;
  let answers: Issue[] | undefined;
  const { promise: closed, resolve: resolveClosed } = Promise.withResolvers<number>();
  let code: number | undefined;
  let failure: string | undefined;
  let sentAt = -Infinity;
  const ledger = createLedger(next, spans, violated, (frame) => {
    if (answers === undefined) {
      if (!isIgnoring) violated(`an answer without a question: ${JSON.stringify(frame)}`);
    } else if (frame.type === "outcome") answers.push(...frame.issues);
    else answers = undefined;
  });

  /** The server closes what it has no use for; everything else has to have a reason. */
  function isDue(closeCode: number): boolean {
    const isUnused = closeCode === 1008 && ledger.bound.length === 0;
    return isUnused || Date.now() <= (expected.get(closeCode) ?? 0);
  }

  /** Deno drops a connection, close frame and all, when a frame of the client arrives right after it has closed. */
  function wasCrossed(): boolean {
    return Date.now() - sentAt < CROSSING && CODES.some(isDue);
  }

  function look(): void {
    for (const one of [...waiting]) one();
  }

  socket.on("message", (data) => {
    ledger.frame(readFrame(data.toString()));
    look();
  });
  socket.on("ping", () => { // which is answered without our doing
    sentAt = Date.now();
  });
  socket.on("close", (closeCode, reason) => {
    code = closeCode;
    if (closeCode === 1006 && wasCrossed()) watcher.crossed();
    else if (!isDue(closeCode)) {
      violated(`closed with ${closeCode} ${failure ?? reason} while ${ledger.bound.length} were bound`);
    }
    resolveClosed(closeCode);
    look();
  });
  socket.on("error", (error) => { // a close follows
    failure = error.message;
  });
  await new Promise<void>((resolve) => {
    socket.once("open", () => resolve());
    socket.once("close", () => resolve());
  });

  function reaches(isTrue: () => boolean, longest: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => end(false), longest);
      function check(): void {
        if (code !== undefined || isTrue()) end(true);
      }
      function end(reached: boolean): void {
        clearTimeout(timer);
        waiting.delete(check);
        resolve(reached);
      }
      waiting.add(check);
      check();
    });
  }

  async function until(isTrue: () => boolean, what: string): Promise<void> {
    if (!await reaches(isTrue, PATIENCE)) violated(`waited in vain for ${what}`);
  }

  function send(frame: string | Uint8Array): void {
    if (socket.readyState !== WebSocket.OPEN) return;
    socket.send(frame);
    sentAt = Date.now();
  }

  return {
    ledger,
    closed,
    get code() {
      return code;
    },
    send,
    async ask(frame) {
      const collected: Issue[] = [];
      answers = collected;
      send(frame);
      send(PING);
      await until(() => answers !== collected, `the answer to ${frame.slice(0, 40)}`);
      return collected;
    },
    reaches,
    until,
    expectClose: (code, until = Infinity) => void expected.set(code, until),
    ignoreAnswers() {
      isIgnoring = true;
    },
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    close() {
      expected.set(1000, Infinity);
      socket.close(1000);
    },
    cut() {
      expected.set(1006, Infinity);
      socket.terminate();
    },
  };
}
