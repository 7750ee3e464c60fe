// What clients do to a server, good and bad. A deed ends when the server has answered it as it should.

import { bind, type Client, pause, renew } from "./client.ts";
import { bindFrame, HOSTILE_FRAMES } from "./hostile.ts";
import { LIMITS } from "./limits.ts";
import { type Spans, wasOff } from "./spans.ts";
import { mayBeRevoked, type Token } from "./token.ts";

/** How often it is done, relative to the others; slow readers have a mind of their own. */
export interface Deed {
  readonly name: string;
  readonly weight: number;
  readonly slowWeight?: number;
  run(client: Client): Promise<void>;
}

/** Milliseconds after a pause within which the server may still close a slow reader. */
const SLOW_ECHO = 15_000;
/** Seconds' worth of frames in a flood; the binder forgives ten of them. */
const FLOOD = 15;

export const DEEDS: readonly Deed[] = [
  { name: "renew", weight: 40, run: (client) => renew(client, client.ids) },
  { name: "renew some", weight: 10, run: (client) => renew(client, [any(client, client.ids)]) },
  { name: "let it expire", weight: 15, run: expire },
  { name: "unbind", weight: 6, run: unbind },
  { name: "cut", weight: 8, run: ({ wire }) => gone(wire.cut, wire.closed) },
  { name: "close", weight: 4, run: ({ wire }) => gone(wire.close, wire.closed) },
  { name: "read slowly", weight: 4, slowWeight: 100, run: readSlowly },
  { name: "hostile frame", weight: 15, run: sendHostile },
  { name: "guess tokens", weight: 1, run: guess },
  { name: "flood", weight: 1, run: flood },
  { name: "binary frame", weight: 1, run: ({ wire }) => provoke(wire, 1003, new Uint8Array(10)) },
  { name: "large frame", weight: 1, run: ({ wire }) => provoke(wire, 1009, "x".repeat(40_000)) },
  { name: "revoke a token", weight: 2, slowWeight: 0, run: revokeToken },
  { name: "revoke a caller", weight: 0.2, slowWeight: 0, run: revokeCaller },
  { name: "revoke a Subscription", weight: 0.2, slowWeight: 0, run: revokeSubscription },
  { name: "turn a Subscription off", weight: 0.3, slowWeight: 0, run: turnOff },
  { name: "put a Subscription in error", weight: 0.5, run: hold },
];

async function gone(leave: () => void, closed: Promise<number>): Promise<void> {
  leave();
  await closed;
}

/** The close is the server's to do. */
async function expire({ herd, wire }: Client): Promise<void> {
  const isStopping = new Promise<void>((resolve) => herd.stopping.addEventListener("abort", () => resolve()));
  await Promise.race([wire.closed, isStopping]);
}

async function unbind(client: Client): Promise<void> {
  const { wire, random, herd } = client;
  // Which one a server takes for the newest is unknown when a revocation may have struck some of them.
  if (client.tokens.some((one) => one.ids.some((id) => mayBeRevoked(one, id, herd.spans)))) return;
  const token = client.tokens.pop();
  if (token === undefined) return;
  const payload = { token: token.text };
  await wire.ask(JSON.stringify({ type: "unbind-from-token", payload }));
  wire.ledger.unbound(token);
  if (wire.ledger.bound.length === 0 && random() < 0.5) await closing(client.wire, "a socket without a binding");
}

/** Stops to read for longer or shorter than a server has patience. */
async function readSlowly({ herd, wire, random }: Client): Promise<void> {
  wire.ledger.stalled(60_000);
  wire.expectClose(1013, Date.now() + 60_000);
  wire.pause();
  await pause(herd, 500 + random() * LIMITS.drainDeadline * 5500);
  wire.ledger.stalled(SLOW_ECHO);
  wire.expectClose(1013, Date.now() + SLOW_ECHO);
  wire.resume();
}

async function sendHostile(client: Client): Promise<void> {
  const { wire, herd, tokens } = client;
  const token = tokens.at(-1);
  if (token === undefined) return;
  const hostile = any(client, HOSTILE_FRAMES);
  const foreign = foreignTo(client);
  const frame = hostile.make({ token, expired: herd.expired, foreign });
  if (frame === undefined) return;
  if (++client.refusals >= LIMITS.refusedBinds) wire.expectClose(1008);
  const issues = await wire.ask(frame);
  const isAsPromised = issues.length === 1 && issues[0]?.code === hostile.code;
  const isElse = foreign !== undefined && frame === bindFrame(foreign.text) && mayHaveEnded(foreign, herd.spans);
  if (isAsPromised || isElse || wire.code !== undefined) return;
  client.watcher.violated(`the hostile frame "${hostile.name}" is answered by ${JSON.stringify(issues)}`);
}

/** What has become of a token, or of all its Subscriptions, is told before whose it is. */
function mayHaveEnded(token: Token, spans: Spans): boolean {
  const isOver = token.expiresAt <= Date.now();
  return isOver || token.ids.every((id) => mayBeRevoked(token, id, spans) || wasOff(id, token.askedAt, spans));
}

/** Before its first bind a socket belongs to nobody, and the token would be none of another caller. */
function foreignTo({ herd, caller, wire }: Client): Token | undefined {
  if (wire.ledger.counts.handshakes === 0) return undefined;
  for (const token of herd.newest.values()) {
    if (token.caller !== caller && token.expiresAt > Date.now() + 3000) return token;
  }
  return undefined;
}

async function guess({ wire, random }: Client): Promise<void> {
  wire.expectClose(1008);
  for (let n = 0; n < LIMITS.refusedBinds; n++) await wire.ask(`bind-with-token ${random().toString(36).slice(2)}`);
  await closing(wire, "three guesses");
}

async function flood({ wire }: Client): Promise<void> {
  wire.expectClose(1008);
  wire.ignoreAnswers();
  for (let n = 0; n < FLOOD * LIMITS.framesPerSecond; n++) wire.send('{"type":"ping"}');
  await closing(wire, "a flood");
}

async function provoke(wire: Client["wire"], code: number, frame: string | Uint8Array): Promise<void> {
  wire.expectClose(code);
  wire.send(frame);
  await closing(wire, `a frame that deserves ${code}`);
}

async function closing(wire: Client["wire"], reason: string): Promise<void> {
  await wire.until(() => false, `the close after ${reason}`);
}

async function revokeToken(client: Client): Promise<void> {
  const token = client.tokens.at(-1);
  if (token === undefined) return;
  await revoke(client, `token ${token.jti}`, { token: token.jti });
  await bind(client, token, client.random() < 0.5);
}

async function revokeCaller(client: Client): Promise<void> {
  await revoke(client, `caller ${client.caller}`, { caller: client.caller });
}

async function revokeSubscription(client: Client): Promise<void> {
  const id = any(client, client.ids);
  await revoke(client, `revoked ${id}`, { subscription: id });
}

async function revoke({ herd }: Client, subject: string, what: object): Promise<void> {
  const done = herd.spans.begin(subject);
  await herd.calls.change({ revoke: what });
  done();
}

async function turnOff(client: Client): Promise<void> {
  const { herd, caller } = client;
  const id = any(client, client.ids);
  const done = herd.spans.begin(`off ${id}`);
  await herd.calls.change({ id, caller, status: "off" });
  await pause(herd, 500);
  await herd.calls.change({ id, caller, status: "active" });
  done();
}

async function hold(client: Client): Promise<void> {
  const { herd, caller } = client;
  const id = any(client, client.ids);
  await herd.calls.change({ id, caller, status: "error" });
  await pause(herd, 1500);
  await herd.calls.change({ id, caller, status: "active" });
}

function any<T>({ random }: Client, all: readonly T[]): T {
  const one = all[Math.floor(random() * all.length)];
  if (one === undefined) throw new Error("Cannot choose: there is nothing");
  return one;
}
