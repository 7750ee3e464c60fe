// One client: how it connects, gets its tokens and binds.

import type { Calls } from "./calls.ts";
import { bindFrame } from "./hostile.ts";
import type { Follower } from "./plan.ts";
import { type Spans, wasOff } from "./spans.ts";
import { endOf, mayBeRevoked, type Token } from "./token.ts";
import { openWire, type Watcher, type Wire } from "./wire.ts";

/** What the clients of a process have in common. */
export interface Herd {
  readonly url: string;
  readonly calls: Calls;
  readonly spans: Spans;
  readonly violations: string[];
  /** What was done, by name. */
  readonly counts: Map<string, number>;
  /** The newest token of each caller. */
  readonly newest: Map<string, Token>;
  /** A token that has expired. */
  expired: Token | undefined;
  readonly stopping: AbortSignal;
}

/** A client and its socket. */
export interface Client extends Follower {
  readonly herd: Herd;
  readonly random: () => number;
  /** Where each Subscription goes on. */
  readonly next: Map<string, number>;
  wire: Wire;
  /** Those bound on the socket, the newest last. */
  tokens: Token[];
  /** Since the last good bind. */
  refusals: number;
  /** What it did last. */
  deed: string;
  readonly watcher: Watcher;
}

const REFUSALS = 3;
/** Connects for the first time. */
export async function createClient(herd: Herd, follower: Follower, random: () => number): Promise<Client> {
  const next = new Map<string, number>();
  const watcher: Watcher = {
    violated: (what) => void herd.violations.push(`${what}, of ${client.caller} after "${client.deed}"`),
    crossed: () => count(herd, "close crossed by a frame"),
  };
  const state = { tokens: [], refusals: 0, deed: "connect" };
  const client: Client = {
    ...follower,
    ...state,
    herd,
    random,
    next,
    watcher,
    wire: await openWire(herd.url, next, herd.spans, watcher),
  };
  return client;
}

/** Connects anew. */
export async function connect(client: Client): Promise<void> {
  count(client.herd, "reconnect");
  client.wire = await openWire(client.herd.url, client.next, client.herd.spans, client.watcher);
  client.tokens = [];
  client.refusals = 0;
  client.deed = "connect";
}

/** Gets a token for these and binds with it, in one of the two dialects. */
export async function renew(client: Client, ids: readonly string[], replays = client.random() < 0.8): Promise<void> {
  const token = await client.herd.calls.mint(client.caller, ids, client.random() < 0.5);
  if (token === undefined) return;
  const before = client.herd.newest.get(client.caller);
  if (before !== undefined && before.expiresAt < Date.now()) client.herd.expired = before;
  client.herd.newest.set(client.caller, token);
  await bind(client, token, replays);
}

/** Binds, and judges the answer. */
export async function bind(client: Client, token: Token, replays: boolean): Promise<void> {
  const { wire, herd: { spans }, next } = client;
  if (wire.code !== undefined) return;
  count(client.herd, replays ? "bind as JSON" : "bind as text");
  const sentAt = Date.now();
  const since = token.ids.flatMap((id) => next.has(id) ? [[id, String(next.get(id))]] : []);
  wire.ledger.asked(token, replays);
  if (client.refusals + 1 >= REFUSALS) wire.expectClose(1008);
  const frame = replays ? bindFrame(token.text, Object.fromEntries(since)) : `bind-with-token ${token.text}`;
  const issues = await wire.ask(frame);
  if (wire.code !== undefined) return;
  const isDead = token.ids.every((id) => endOf(token, id, spans) <= sentAt);
  if (issues.length > 0) {
    const isRevoked = token.ids.some((id) => mayBeRevoked(token, id, spans));
    const isExplained = issues.length === 1 &&
      (issues[0]?.code === "unknown" && isRevoked || issues[0]?.code === "expired" && token.expiresAt <= Date.now());
    if (!isExplained) client.watcher.violated(`a good bind was answered by ${issues.map(({ code }) => code)}`);
    wire.ledger.refused(token);
    client.refusals++;
    return;
  }
  // What has ended between the call and the bind, or at once after it, gets no handshake.
  const left = wire.ledger.pending.filter((id) => mayHaveEnded(token, id, spans));
  wire.ledger.refused(token, left);
  const isBound = token.ids.some((id) => wire.ledger.bound.includes(id) || wire.ledger.pending.includes(id));
  if (isDead && isBound) client.watcher.violated("a token bound that had expired or was revoked");
  client.refusals = isBound ? 0 : client.refusals + 1;
  client.tokens.push(token);
  await wire.until(() => wire.ledger.pending.length === 0, `the handshakes of ${wire.ledger.pending}`);
}

function mayHaveEnded(token: Token, id: string, spans: Spans): boolean {
  const now = Date.now();
  return token.expiresAt <= now || mayBeRevoked(token, id, spans) || wasOff(id, token.askedAt, spans);
}

export function count({ counts }: Herd, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

/** Sleeps, but not when everything ends. */
export function pause({ stopping }: Herd, milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    if (stopping.aborted) return resolve();
    const timer = setTimeout(done, milliseconds);
    stopping.addEventListener("abort", done);
    function done(): void {
      clearTimeout(timer);
      stopping.removeEventListener("abort", done);
      resolve();
    }
  });
}
