// The life of some Subscriptions that share a token and a socket.

import { bind } from "./bind.ts";
import { SubscribeError } from "./errors.ts";
import { GONE, loseNamed } from "./hear.ts";
import { type Link, until } from "./link.ts";
import type { Client } from "./settings.ts";
import { connect, type Connection, unreachable } from "./socket.ts";
import type { Tally } from "./tally.ts";
import { askForToken, type Grant, type Way } from "./token.ts";

/** Seconds between a new socket's handshake and the old one's end: what is on its way there still arrives. */
const LINGER = 1;
/** Seconds until a renewal where no sensible expiration is known. */
const BLIND_RENEWAL = 600;
const SHORTEST_RENEWAL = 1;
const LONGEST_RENEWAL = 86_400;
/** What no retry will change. */
const FINAL = /unauthorized|forbidden|not-found|rejected|insecure/;
/** What another way to ask, or asking for each alone, may change. */
const ELSEWHERE = /not-found|rejected/;

/**
 * Keeps groups of Subscriptions bound, each on its own socket, and returns why none is left of the first.
 *
 * @param ways In order of preference: servers SHALL take POST at the type, but Medplum's and Helios have nothing but GET
 * at the instance.
 * @throws the signal's reason when the client ends it.
 */
export async function keep(
  client: Client,
  groups: readonly (readonly [id: string, tally: Tally])[][],
  ways: readonly Way[] = ["type", "GET", "POST"],
): Promise<SubscribeError | undefined> {
  const [error] = await Promise.all(groups.map((group) => keepGroup(client, new Map(group), ways)));
  return error;
}

async function keepGroup(
  client: Client,
  tallies: Map<string, Tally>,
  ways: readonly Way[],
): Promise<SubscribeError | undefined> {
  const link: Link = {
    ...client,
    tallies,
    ways: tallies.size > 1 ? ["type"] : [...ways], // several can be asked for at the type level alone
    boundAt: Infinity,
    ahead: NaN,
    wake: () => {},
  };
  client.signal.addEventListener("abort", () => link.wake());
  const error = await live(link);
  // One server has the operation at the instance level alone, another refuses all for one: each goes on by itself.
  if (tallies.size > 1 && ELSEWHERE.test(error.code)) {
    return keep(client, [...tallies].map((one) => [one]), ["GET", "POST", "type"]);
  }
  for (const subscription of tallies.keys()) client.emit({ type: "ended", subscription, final: true, error });
  return error;
}

/** Binds and renews until nothing is left to bind or to try. */
async function live(link: Link): Promise<SubscribeError> {
  let failures = 0;
  let refusal: SubscribeError | undefined;
  try {
    await undefined; // callbacks may use what `subscribe` returns
    for (;;) {
      const error = await bound(link);
      const gone = loseNamed(link, error.issues, GONE);
      if (link.tallies.size === 0) return error;
      if (gone) continue;
      if (ELSEWHERE.test(error.code)) {
        // The one that says more is worth more.
        if (!refusal?.issues.length || link.everBound) refusal = error;
        link.ways.shift();
        if (link.ways.length > 0) continue;
        return refusal;
      }
      failures = Date.now() - link.boundAt > link.longest * 1000 ? 1 : failures + 1;
      link.boundAt = Infinity;
      // Once it has worked, nonsense is some proxy's that stands between.
      if (FINAL.test(error.code) || (error.code === "malformed" && !link.everBound) || failures > link.retries) {
        return error;
      }
      await pause(link, failures, error);
    }
  } finally {
    link.current?.end();
  }
}

async function pause(link: Link, failures: number, error: SubscribeError): Promise<void> {
  const { first, longest, tallies, emit } = link;
  const wait = Math.min(longest, first * 2 ** (failures - 1)) * (0.5 + Math.random() / 2);
  const after = Math.max(wait, error.retryAfter ?? 0);
  emit({ type: "retry", subscriptions: [...tallies.keys()], after, error });
  await until(link, after, () => undefined);
}

/** Binds and renews until something fails. */
async function bound(link: Link): Promise<SubscribeError> {
  try {
    for (;;) {
      const grant = await askForToken(link);
      link.ways.splice(1); // what worked is what is asked from then on
      const connection = await bindWith(link, grant);
      await until(link, renewalDelay(link, grant), () => link.lost ?? connection.ended);
    }
  } catch (error) {
    if (error instanceof SubscribeError) return error;
    throw error;
  }
}

/** Binds on the socket that is there while the URL is the same; else the old one ends after the new handshake. */
async function bindWith(link: Link, { token, url }: Grant): Promise<Connection> {
  const { current: old, lost } = link;
  if (old && !old.ended && old.url === url && !link.bindsOnce) {
    try {
      await bind(link, old, token);
      return old;
    } catch (error) {
      if (!old.ended) throw error;
      // Closed for what has ended on it, it says nothing of second binds.
      link.bindsOnce = !lost;
    }
  }
  const connection = connect(link, url);
  try {
    if (!await until(link, link.timeout, () => connection.ended ?? connection.isOpen)) throw unreachable();
    await bind(link, connection, token);
    link.current = connection;
    if (old && !old.ended) await until(link, LINGER, () => undefined);
    return connection;
  } finally {
    (link.current === connection ? old : connection)?.end();
  }
}

/** After about four fifths of the token's life. */
function renewalDelay({ ahead }: Link, { expiration }: Grant): number {
  const left = (expiration - Date.now() - (ahead || 0)) / 1000;
  if (!(left > 0)) return BLIND_RENEWAL;
  return Math.min(Math.max(left * (0.75 + Math.random() / 10), SHORTEST_RENEWAL), LONGEST_RENEWAL);
}
