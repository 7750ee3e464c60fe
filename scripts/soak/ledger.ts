// What one socket may receive, frame by frame: whatever does not fit is a violation.

import type { Issue, SentEvent, ServerFrame } from "./frame.ts";
import { type Spans, wasOff } from "./spans.ts";
import { endOf, mayBeRevoked, type Token } from "./token.ts";

/** Milliseconds by which a frame may arrive after the end of its binding: on its way, or in the reader's own queue. */
export const LATE = 5000;
/** Milliseconds after which a change of a Subscription cannot be the reason of an ending any more. */
const ECHO = 15_000;

/** One Subscription on the socket. */
interface Track {
  /** Those whose handshake has come, the newest last. */
  tokens: Token[];
  /** Binds whose handshake is due. */
  pending: Pending[];
  /** Its first handshake has come. */
  live: boolean;
  /** The event that comes next. */
  next: number;
}

interface Pending {
  readonly token: Token;
  /** The event that it asked for; 0 for what comes next on the server. */
  readonly first: number;
}

/** What is checked of a socket. */
export interface Ledger {
  /** A bind was sent; one that `replays` asks for what comes next, where that is known. */
  asked(token: Token, replays: boolean): void;
  /** No handshake will come for this bind, or not for these Subscriptions of it. */
  refused(token: Token, ids?: readonly string[]): void;
  /** An unbind was sent and everything before it answered, with no token on the socket that may have been revoked. */
  unbound(token: Token): void;
  frame(frame: ServerFrame): void;
  /** The reader has not read for a while: what comes is older than it looks. */
  stalled(milliseconds: number): void;
  /** Subscriptions whose handshake is due. */
  readonly pending: readonly string[];
  /** Subscriptions that are bound. */
  readonly bound: readonly string[];
  readonly counts: LedgerCounts;
}

/** What came. */
export interface LedgerCounts {
  handshakes: number;
  events: number;
  expired: number;
  revoked: number;
  off: number;
}

/** The endings that the soak brings about, by the code of the issue. */
const REASONS: Readonly<Record<string, Reason>> = {
  "expired": {
    count: "expired",
    // What is left of several may be the one that expires first.
    holds: (tokens, id, spans) =>
      tokens.some(isExpired) && tokens.every((token) => isExpired(token) || mayBeRevoked(token, id, spans)),
  },
  "unknown": {
    count: "revoked",
    holds: (tokens, id, spans) => tokens.some((token) => mayBeRevoked(token, id, spans)),
  },
  "business-rule": {
    count: "off",
    // A bind that comes meanwhile is refused with the same words: there need be no binding.
    holds: (_, id, spans) => wasOff(id, Date.now() - ECHO, spans),
  },
};

interface Reason {
  readonly count: "expired" | "revoked" | "off";
  holds(tokens: readonly Token[], id: string, spans: Spans): boolean;
}

/**
 * `next` is where each Subscription goes on, over all sockets of a client, one after the other. `violated` is told what
 * was wrong; `answered` of the OperationOutcomes and pongs that answer a frame of the client.
 */
export function createLedger(
  next: Map<string, number>,
  spans: Spans,
  violated: (what: string) => void,
  answered: (frame: ServerFrame) => void,
): Ledger {
  const tracks = new Map<string, Track>();
  const counts: LedgerCounts = { handshakes: 0, events: 0, expired: 0, revoked: 0, off: 0 };
  let stalledUntil = 0;

  /** A bind that is on its way may come after the end, and begins anew. */
  function end(id: string): void {
    const pending = tracks.get(id)?.pending ?? [];
    if (pending.length === 0) tracks.delete(id);
    else tracks.set(id, { tokens: [], pending, live: false, next: 0 });
  }

  function handshake(id: string, head: number): void {
    const track = tracks.get(id);
    const due = track?.pending.shift();
    if (track === undefined || due === undefined) return violated(`a handshake of ${id} that nobody asked for`);
    counts.handshakes++;
    track.tokens.push(due.token);
    if (!track.live) {
      track.live = true;
      track.next = due.first || head + 1;
      next.set(id, track.next);
    }
    if (head < track.next - 1) violated(`the handshake of ${id} is at ${head}, event ${track.next - 1} was here`);
  }

  function event(id: string, track: Track, { number, raisedAt }: SentEvent): void {
    counts.events++;
    if (number > track.next) violated(`${id} jumps to event ${number}, ${track.next} is missing`);
    if (number < track.next) violated(`${id} is back at event ${number}, ${track.next} was due`);
    track.next = number + 1;
    next.set(id, track.next);
    const end = Math.max(...tokensOf(track).map((token) => endOf(token, id, spans)));
    if (raisedAt >= end) violated(`event ${number} of ${id} was raised ${raisedAt - end} ms after its binding's end`);
    const late = Date.now() - Math.max(end, stalledUntil) - LATE;
    if (late > 0) violated(`event ${number} of ${id} came ${late + LATE} ms after its binding's end`);
  }

  function events(id: string, all: readonly SentEvent[]): void {
    const track = tracks.get(id);
    if (!track?.live) return violated(`event ${all[0]?.number} of ${id}, which is not bound`);
    for (const one of all) event(id, track, one);
  }

  /** Why a binding has ended, or was refused, must be known here. */
  function ended(id: string, code: string): void {
    const { tokens = [], pending = [] } = tracks.get(id) ?? {};
    const reason = REASONS[code];
    if (reason === undefined) violated(`${id} ended by ${code}`);
    else {
      counts[reason.count]++;
      const held = tokens.length > 0 ? tokens : pending.map(({ token }) => token);
      if (!reason.holds(held, id, spans)) violated(`${id} ended as ${reason.count}, which it is not`);
    }
    end(id);
  }

  return {
    counts,
    get pending() {
      return [...tracks].flatMap(([id, { pending }]) => pending.length > 0 ? [id] : []);
    },
    get bound() {
      return [...tracks].flatMap(([id, { live }]) => live ? [id] : []);
    },
    asked(token, replays) {
      for (const id of token.ids) {
        const track = tracks.get(id) ?? { tokens: [], pending: [], live: false, next: 0 };
        track.pending.push({ token, first: replays ? next.get(id) ?? 0 : 0 });
        tracks.set(id, track);
      }
    },
    refused(token, ids = token.ids) {
      for (const id of ids) {
        const track = tracks.get(id);
        if (track === undefined) continue;
        track.pending = track.pending.filter((one) => one.token !== token);
        if (track.pending.length === 0 && !track.live) tracks.delete(id);
      }
    },
    unbound(token) {
      for (const [id, track] of tracks) {
        const isNewest = track.tokens.at(-1) === token;
        track.tokens = isNewest ? [] : track.tokens.filter((one) => one !== token);
        if (track.tokens.length === 0) tracks.delete(id);
      }
    },
    frame(frame) {
      if (frame.type === "handshake") handshake(frame.id, frame.head);
      else if (frame.type === "events") events(frame.id, frame.events);
      else if (frame.type === "outcome") outcome(frame, frame.issues);
      else if (frame.type === "pong") answered(frame);
      else violated(`a frame of type ${frame.type}`);
    },
    stalled(milliseconds) {
      stalledUntil = Date.now() + milliseconds;
    },
  };

  function outcome(frame: ServerFrame, issues: readonly Issue[]): void {
    if (issues.every(({ id }) => id === undefined)) return answered(frame);
    for (const { id, code } of issues) ended(id ?? "", code);
  }
}

/** The server may have taken up a bind whose handshake has not come. */
function tokensOf({ tokens, pending }: Track): Token[] {
  return [...tokens, ...pending.map(({ token }) => token)];
}

function isExpired({ expiresAt }: Token): boolean {
  return expiresAt <= Date.now();
}
