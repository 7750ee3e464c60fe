// What frames mean for the Subscriptions of a link.

import type { Bind } from "./bind.ts";
import { failure, type SubscribeError } from "./errors.ts";
import { readFrame, type Status } from "./frame.ts";
import { get, plain } from "./json.ts";
import type { Client } from "./settings.ts";
import type { Connection } from "./socket.ts";
import { type Gap, missingUpTo, take, type Tally } from "./tally.ts";
import { firstOf } from "./timing.ts";
import type { ReceivedIssue } from "./types.ts";
import type { Deferred } from "./timing.ts";

/** As much of a link as frames can change. */
export interface Hearer {
  readonly client: Client;
  /** Those that are to be bound. */
  ids: readonly string[];
  /** The socket that is bound. */
  current?: Connection;
  /** The bind under way. */
  bind?: { readonly connection: Connection; readonly attempt: Bind } | undefined;
  /** Resolves when a binding was lost that is wanted again, or the last one that was not. */
  lost: Deferred<SubscribeError>;
  /** Milliseconds that the server's clock is ahead, by its last handshake. */
  ahead?: number | undefined;
}

interface Heard {
  readonly hearer: Hearer;
  readonly connection: Connection;
  readonly id: string;
  readonly tally: Tally;
  readonly status: Status;
  readonly bundle: { readonly resourceType: string };
}

const LISTENERS: ReadonlyMap<unknown, (heard: Heard) => void> = new Map([
  ["handshake", hearHandshake],
  ["heartbeat", hearHeartbeat],
  ["event-notification", hearEvents],
]);

/** Endings after which a Subscription cannot be bound again, and others. */
const GONE: ReadonlySet<string> = new Set(["not-found", "deleted", "business-rule", "forbidden"]);
const LOST: ReadonlySet<string> = new Set([...GONE, "expired", "unknown", "no-store"]);

/** Takes a frame. It never throws. */
export function hear(hearer: Hearer, connection: Connection, data: unknown): void {
  const { client } = hearer;
  const frame = readFrame(data);
  if (frame.issues !== undefined) return hearOutcome(hearer, connection, frame.issues);
  if (frame.statuses.length === 0 && !frame.isPong) client.emit({ type: "unreadable" });
  for (const status of frame.statuses) {
    const id = status.subscription ?? (hearer.ids.length === 1 ? hearer.ids[0] : undefined);
    const tally = id === undefined || !hearer.ids.includes(id) ? undefined : client.tallies.get(id);
    if (id === undefined || tally === undefined) continue; // another's, or one that has ended
    LISTENERS.get(status.type)?.({ hearer, connection, id, tally, status, bundle: frame.bundle });
  }
}

function hearHandshake({ hearer, connection, id, tally, status: { head }, bundle }: Heard): void {
  const { client } = hearer;
  const isFirst = !connection.greeted.has(id);
  connection.greeted.add(id);
  hearer.ahead = readClock(bundle) ?? hearer.ahead;
  hearer.bind?.attempt.greet(id);
  client.emit({ type: "bound", subscription: id, head });
  if (head === undefined) return;
  // While another socket is bound that one may simply be further.
  if (isFirst && tally.last !== undefined && head < tally.last && !hearer.current?.isOpen()) {
    Object.assign(tally, { last: 0, told: 0 });
    client.emit({ type: "restarted", subscription: id });
  }
  tally.last ??= head;
  expect(client, id, tally, head);
}

function hearHeartbeat({ hearer: { client }, id, tally, status: { head } }: Heard): void {
  client.emit({ type: "heartbeat", subscription: id, head });
  if (head !== undefined) expect(client, id, tally, head);
}

/** Servers that send no handshake show by an event that a bind was good. */
function hearEvents({ hearer, id, tally, status, bundle }: Heard): void {
  const { client } = hearer;
  hearer.bind?.attempt.greet(id);
  const { fresh, gaps } = take(tally, status.events);
  report(client, id, gaps);
  if (fresh.length > 0) client.notify({ subscription: id, events: fresh, bundle });
}

/** The time at which a Bundle was made, for clients that may not read the `Date` of an answer. */
function readClock(bundle: object): number | undefined {
  const time = Date.parse(plain(get(bundle, "timestamp")));
  return Number.isNaN(time) ? undefined : time - Date.now();
}

/** Events up to this number have happened. They may be under way, so nothing is missing while some still arrive. */
function expect(client: Client, id: string, tally: Tally, head: number): void {
  if (head <= Math.max(tally.last ?? head, tally.told)) return;
  const waits = tally.expected !== undefined;
  tally.expected = Math.max(head, tally.expected ?? 0);
  if (!waits) void settle(client, id, tally);
}

async function settle(client: Client, id: string, tally: Tally): Promise<void> {
  try {
    for (let seen: number | undefined = -1; seen !== tally.last;) {
      seen = tally.last;
      await firstOf(client.timeout, client.signal);
    }
  } catch {
    return; // it is over
  }
  const head = tally.expected ?? 0;
  delete tally.expected;
  report(client, id, missingUpTo(tally, head));
}

function report(client: Client, id: string, gaps: readonly Gap[]): void {
  for (const [from, to] of gaps) client.emit({ type: "gap", subscription: id, from, to });
}

function hearOutcome(hearer: Hearer, connection: Connection, issues: readonly ReceivedIssue[]): void {
  // While another socket is being bound, what the old one loses is of no more interest.
  const concerned = connection === (hearer.bind?.connection ?? hearer.current);
  const ended = concerned ? issues.filter((issue) => isEnding(hearer, issue)) : [];
  connection.spent ||= ended.some(({ code }) => !GONE.has(code));
  if (ended.length > 0) return ended.forEach((issue) => hearEnding(hearer, issue));
  // What was let go before may be refused once more: that is no word on the others.
  const isOurs = issues.some(({ subscription: id }) => id === undefined || hearer.ids.includes(id));
  if (isOurs && connection === hearer.bind?.connection) {
    const [{ code = "", text = code } = {}] = issues;
    hearer.bind.attempt.refuse(failure("refused", text, { issues }));
  }
  hearer.client.emit({ type: "outcome", issues });
}

function isEnding({ ids }: Hearer, { subscription, code }: ReceivedIssue): boolean {
  return subscription !== undefined && ids.includes(subscription) && LOST.has(code);
}

/** A binding has ended, or was refused alone. */
function hearEnding(hearer: Hearer, issue: ReceivedIssue): void {
  const { subscription = "", code, text = code } = issue;
  const error = failure("ended", `Subscription "${subscription}" is not bound: ${text}`, { issues: [issue] });
  const final = GONE.has(code);
  if (final) hearer.ids = hearer.ids.filter((id) => id !== subscription);
  hearer.bind?.attempt.refuse(error, subscription);
  if (!final || hearer.ids.length === 0) hearer.lost.resolve(error);
  hearer.client.emit({ type: "ended", subscription, final, error });
}

/** Whether an error of REST names some Subscriptions as gone, which are then let go. */
export function letGo(hearer: Hearer, { issues }: SubscribeError): boolean {
  const gone = issues.filter((issue) => isEnding(hearer, issue) && GONE.has(issue.code));
  for (const issue of gone) hearEnding(hearer, issue);
  return gone.length > 0;
}
