// All sockets of one base in one process.

import { askHost, clock, report } from "../host.ts";
import type { BusMessage, SocketBinder, SocketBinderOptions } from "../types.ts";
import { admit } from "./admission.ts";
import { noteForAttempts } from "./attempt.ts";
import { createDeadlines, type Due } from "./deadlines.ts";
import { deliverAll } from "./arrival.ts";
import { sendHeartbeats } from "./heartbeat.ts";
import { createListener } from "./listener.ts";
import { recheckTokens, sessionsOf } from "./revocation.ts";
import { createRounds } from "./rounds.ts";
import type { Session } from "./session.ts";
import { readSettings, type Settings } from "./settings.ts";
import { change } from "./start.ts";
import type { BinderState } from "./state.ts";
import { createSurvivors } from "./survivors.ts";
import { createWatchlist } from "./watchlist.ts";

/** Milliseconds that sockets have to answer a close before they are cut off. */
const CLOSING_HANDSHAKE = 1000;

/**
 * Makes what turns sockets into bindings: a client binds with a token and receives its Subscriptions' handshakes, events
 * and heartbeats until the very second the token ends. One binder serves one base; an adapter such as
 * `@fhir-ws/binding/server/deno` hands it the sockets of a runtime.
 *
 * Nothing happens before the first socket. Its state dies with the process; clients rebuild it by binding again.
 *
 * [Channel](https://hl7.org/fhir/uv/subscriptions-backport/channels.html#websockets)
 *
 * @throws {TypeError} or {RangeError} when an option cannot work, alone or with another.
 *
 * @example
 * ```ts
 * import { createOpaqueSigner, createSocketBinder } from "@fhir-ws/binding";
 * import { createMemoryBus, createMemoryEventLog, createMemoryTokenStore } from "@fhir-ws/binding/storage/memory";
 *
 * const binder = createSocketBinder({
 *   base: "https://example.org/fhir/R5",
 *   fhirVersion: "R5",
 *   websocketUrl: "wss://example.org/ws",
 *   tokens: createOpaqueSigner({ store: createMemoryTokenStore() }),
 *   subscriptions: { read: () => undefined },
 *   events: createMemoryEventLog(),
 *   bus: createMemoryBus(),
 * });
 * if (binder.stats().sockets !== 0) throw new Error("unreachable");
 * ```
 */
export function createSocketBinder(options: SocketBinderOptions): SocketBinder {
  const settings = readSettings(options);
  const state = createState(settings);
  return {
    websocketUrl: settings.websocketUrl,
    ...(settings.allowInsecure !== undefined && { allowInsecure: settings.allowInsecure }),
    admit: (request) => admit(state, request),
    stats: () => ({
      sockets: state.sessions.size,
      bindings: [...state.sessions].reduce((sum, { bindings }) => sum + bindings.size, 0),
      subscriptions: state.watched.size,
    }),
    close: ({ drain = 0 } = {}) => close(state, drain),
  };
}

function createState(settings: Settings): BinderState {
  const bus = createListener(settings, (message) => hearSafely(state, message), async () => {
    state.revocations = await askHost(settings, "verify", () => settings.tokens.revocations?.());
  });
  const state: BinderState = {
    settings,
    deadlines: createDeadlines(() => clock(settings), () => {
      state.rounds.keep();
      void sendHeartbeats(state); // it never rejects
    }),
    rounds: createRounds(() => state),
    bus,
    sessions: new Set(),
    unbound: new Set(),
    callers: new Map(),
    watched: createWatchlist(),
    attempts: new Set(),
    checks: new Map(),
    survivors: createSurvivors(settings),
    waiting: new Set(),
    heartbeats: [],
    templates: { handshake: [], heartbeat: [] },
    remembered: new Map(),
    revocations: undefined,
    moments: 0,
    closing: false,
    closed: undefined,
    emptied: () => {},
  };
  return state;
}

/** One catch for what a message brings; a bus must not suffer for it. */
function hearSafely(state: BinderState, message: BusMessage): void {
  try {
    hear(state, message);
  } catch (cause) {
    report(state.settings, { type: "error", during: "internal", cause });
  }
}

/** Hints only: each makes somebody look at the truth again. */
function hear(state: BinderState, message: BusMessage): void {
  switch (message.type) {
    case "event":
      return deliverAll(state, message);
    case "changed":
      noteForAttempts(state, message.key);
      return changed(state, message.key);
    case "revoked":
      noteForAttempts(state, message.subject);
      return void recheckTokens(state, sessionsOf(state, message.subject)); // it never rejects
    case "resync":
      return state.rounds.soon();
  }
}

function changed(state: BinderState, key: string): void {
  for (const access of state.watched.get(key)?.accesses.values() ?? []) void change(state, access); // it never rejects
}

/** Another call may hurry, and waits for the same end. */
function close(state: BinderState, drain: number): Promise<void> {
  state.closing = true;
  const now = clock(state.settings);
  const sessions = [...state.sessions];
  for (const [n, session] of sessions.entries()) {
    if (drain > 0) session.goAway(now + drain * 1000 * n / sessions.length);
    else session.close(1001, "going away");
  }
  return state.closed ??= end(state, now + drain * 1000 + CLOSING_HANDSHAKE);
}

async function end(state: BinderState, patience: number): Promise<void> {
  await emptied(state, patience);
  for (const session of [...state.sessions]) cutOff(state, session);
  await state.bus.stop();
}

/** A runtime that does not even tell of this end must not keep the binder going. */
function cutOff(state: BinderState, session: Session): void {
  try {
    session.socket.terminate?.();
  } catch (cause) {
    report(state.settings, { type: "error", during: "send", cause });
  }
  session.closed();
}

/** Resolves when every socket has closed, or at a time (milliseconds). */
function emptied(state: BinderState, at: number): Promise<void> {
  if (state.sessions.size === 0) return Promise.resolve();
  return new Promise((resolve) => {
    const patience: Due = { dueAt: Infinity, place: -1, due: () => resolve() };
    state.deadlines.set(patience, at);
    state.emptied = () => {
      state.deadlines.clear(patience);
      resolve();
    };
  });
}
