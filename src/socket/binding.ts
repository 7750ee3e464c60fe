// One Subscription bound on one socket: a cursor into the event log, and until when it may move.

import type { BindingIssue } from "../errors.ts";
import { report, who } from "../host.ts";
import type { EndReason } from "../types.ts";
import type { Due } from "./deadlines.ts";
import { forget, remember } from "./replay.ts";
import type { SocketDialect } from "./rendering.ts";
import type { Session } from "./session.ts";
import { type Access, type BinderState, type BoundToken, leave } from "./state.ts";

/** Its members are the binder's business alone. */
export class Binding implements Due {
  readonly session: Session;
  access: Access;
  dialect: SocketDialect;
  /** In the order in which they bound, the newest last. */
  tokens: BoundToken[] = [];
  /** The latest end of its tokens, but never later than the Subscription's; milliseconds. */
  expiresAt = 0;
  /** The number of the last event that was sent or passed over. */
  cursor = 0;
  /** The number after which events are replayed at most: what lies between the cursor and this is passed over. */
  floor = 0;
  /** The first event that the client asked for at its first bind. */
  since: number | undefined;
  /** Its first handshake has been sent: events may follow. */
  live = false;
  /** The log's head is being read for it. */
  starting = false;
  ended = false;
  pumping = false;
  /** Its heartbeat is due, and waits for the log's head. */
  beating = false;
  /** An event came while the pump could not look. */
  again = false;
  /** When a notification was last sent; milliseconds. */
  sentAt = 0;
  dueAt = Infinity;
  place = -1;

  constructor(session: Session, access: Access, dialect: SocketDialect) {
    this.session = session;
    this.access = access;
    this.dialect = dialect;
  }

  get id(): string {
    return this.access.watched.id;
  }

  due(now: number): void {
    const { state } = this.session;
    if (now >= this.expiresAt) return endBinding(state, this, "expired");
    if (this.beating || now < heartbeatAt(this)) return schedule(state, this);
    this.beating = true;
    state.heartbeats.push(this); // whose sender sees to its end, too
  }
}

/** Milliseconds of which the heartbeats are sent together, at their beginning: waking up for each would cost more. */
const LONGEST_BEAT = 1000;
/** The same in periods. */
const BEATS_PER_PERIOD = 10;

/** When the next heartbeat is due: only where asked for, and after a handshake. */
export function heartbeatAt({ live, dialect, access, sentAt }: Binding): number {
  const { heartbeatPeriod } = access.facts;
  if (heartbeatPeriod === undefined || !live || dialect === "legacy") return Infinity;
  const period = heartbeatPeriod * 1000;
  const at = sentAt + period;
  return at - at % Math.min(LONGEST_BEAT, period / BEATS_PER_PERIOD);
}

/** Sets the binding's one deadline, no earlier than `earliest`. */
export function schedule(state: BinderState, binding: Binding, earliest = 0): void {
  if (binding.ended) return;
  const heartbeat = binding.beating ? Infinity : Math.max(earliest, heartbeatAt(binding));
  state.deadlines.set(binding, Math.min(binding.expiresAt, heartbeat));
}

/** Computes its end anew after a token or the Subscription has changed. */
export function settleExpiry(state: BinderState, binding: Binding): void {
  const tokens = Math.max(0, ...binding.tokens.map(({ grant }) => grant.expiresAt));
  binding.expiresAt = Math.min(tokens, binding.access.facts.endsAt ?? Infinity) * 1000;
  schedule(state, binding);
}

/** What the client is told of each end; nothing where it asked for it or has gone. */
const NOTICES: Readonly<Record<EndReason, Omit<BindingIssue, "subscription"> | undefined>> = {
  "expired": { code: "token-expired", text: "The binding has ended: its token or its Subscription has expired" },
  "revoked": { code: "token-unknown", text: "The binding has ended: its token was revoked" },
  "access-lost": { code: "not-found", text: "The binding has ended: the Subscription is not found" },
  "subscription-off": {
    code: "not-eligible",
    text: "The binding has ended: the Subscription cannot be bound any more",
  },
  "store": { code: "unavailable", text: "The binding has ended: the server could not read what it needs" },
  "unbound": undefined,
  "closed": undefined,
  "slow": undefined,
};

/** Ends a binding, tells the client why, and closes a socket that has none left. */
export function endBinding(state: BinderState, binding: Binding, reason: EndReason): void {
  if (binding.ended) return;
  const { session, access } = binding;
  const notice = NOTICES[reason];
  binding.ended = true;
  state.deadlines.clear(binding);
  state.waiting.delete(binding);
  if (reason === "access-lost") forget(state, binding);
  else remember(state, binding);
  session.bindings.delete(binding.id);
  access.bindings.delete(binding);
  const lastOfSubscription = leave(state, access);
  if (notice !== undefined) session.tell([{ ...notice, subscription: binding.id }]);
  report(state.settings, {
    type: "ended",
    caller: who(access.caller),
    subscription: binding.id,
    reason,
    lastOfSubscription,
  });
  session.lostBinding(reason);
}

/** A bug of ours: the socket that it struck is closed, no other one suffers. */
export function breakDown(state: BinderState, { session }: Binding, cause: unknown): void {
  report(state.settings, { type: "error", during: "internal", cause });
  session.drop(1011);
}
