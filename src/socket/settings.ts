// The binder's options, complete and checked.

import { checkCount, checkEndpoint, checkWebsocketUrl } from "../setup.ts";
import { MAX_TOKEN_LENGTH } from "../token/grant.ts";
import type { ContentLevel, SocketBinderOptions, SocketLimits } from "../types.ts";

/** Options with every default filled in. */
export interface Settings extends SocketBinderOptions {
  readonly limits: SocketLimits;
  /** Milliseconds, unlike the option. */
  readonly recheckAfter: number;
  /** Milliseconds. */
  readonly reconcileEvery: number;
  readonly defaultContent: ContentLevel;
  readonly replay: NonNullable<SocketBinderOptions["replay"]>;
  readonly mayConnect: (origin: string) => boolean;
}

const LIMITS: SocketLimits = {
  bindDeadline: 30,
  drainDeadline: 30,
  frameSize: 32768,
  sendBuffer: 1048576,
  sockets: 10000,
  unboundSockets: 1000,
  socketsPerCaller: 100,
  bindingsPerSocket: 1000,
  refusedBinds: 3,
  framesPerSecond: 20,
  maxReplay: 1000,
};

/** What stands around a token in a JSON frame. */
const FRAME_AROUND_TOKEN = 128;

/** @throws {TypeError} or {RangeError} when an option cannot work, alone or with another. */
export function readSettings(options: SocketBinderOptions): Settings {
  checkEndpoint(options);
  if (typeof options.websocketUrl === "string") checkWebsocketUrl(options.websocketUrl, options.allowInsecure);
  checkCount("recheck", options.recheck);
  checkCount("reconcile", options.reconcile);
  checkCount("legacy.lifetime", options.legacy?.lifetime);
  if (options.legacy !== undefined && options.origins === undefined) {
    throw new TypeError("Cannot use legacy: a socket that its upgrade request authorises needs origins");
  }
  if (typeof options.replay === "object") checkCount("replay.last", options.replay.last);
  return {
    ...options,
    limits: readLimits(options.limits ?? {}, typeof options.replay === "object" ? options.replay.last : 0),
    recheckAfter: (options.recheck ?? 5) * 1000,
    reconcileEvery: (options.reconcile ?? 5) * 1000,
    defaultContent: options.defaultContent ?? "empty",
    replay: options.replay ?? "none",
    mayConnect: readOrigins(options.origins),
  };
}

/** `replayed` is how many events a first bind is to receive. */
function readLimits(given: Partial<SocketLimits>, replayed: number): SocketLimits {
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(LIMITS, name)) throw new TypeError(`Cannot use limit "${name}": there is no such limit`);
    checkCount(`limits.${name}`, value);
  }
  const limits = { ...LIMITS, ...given };
  // Defaults give way to what was asked for; two wishes that contradict each other do not.
  const sockets = limits.sockets;
  const unboundSockets = given.unboundSockets ?? Math.min(limits.unboundSockets, sockets);
  const socketsPerCaller = given.socketsPerCaller ?? Math.min(limits.socketsPerCaller, sockets);
  const maxReplay = given.maxReplay ?? Math.max(limits.maxReplay, replayed);
  if (unboundSockets > sockets) throw new RangeError("Cannot use limits: unboundSockets is above sockets");
  if (socketsPerCaller > sockets) throw new RangeError("Cannot use limits: socketsPerCaller is above sockets");
  if (replayed > maxReplay) throw new RangeError("Cannot use limits: maxReplay is below replay.last");
  if (limits.frameSize < MAX_TOKEN_LENGTH + FRAME_AROUND_TOKEN) {
    throw new RangeError(
      `Cannot use limits: frameSize is below ${MAX_TOKEN_LENGTH + FRAME_AROUND_TOKEN}, too little for a token`,
    );
  }
  return { ...limits, unboundSockets, socketsPerCaller, maxReplay };
}

function readOrigins(origins: SocketBinderOptions["origins"]): (origin: string) => boolean {
  if (origins === undefined) return () => true;
  return typeof origins === "function" ? origins : (origin) => origins.includes(origin);
}
