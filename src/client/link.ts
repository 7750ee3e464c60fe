// The life of some Subscriptions that share a token and a socket.

import { bind } from "./bind.ts";
import { failure, SubscribeError } from "./errors.ts";
import { hear, type Hearer, letGo } from "./hear.ts";
import type { Client, Dialect } from "./settings.ts";
import { connect, type Connection } from "./socket.ts";
import { defer, firstOf } from "./timing.ts";
import { askForToken, type Grant, type Way, WAYS } from "./token.ts";

interface Link extends Hearer {
  /** The ways to ask for a token that may still work, the best first. */
  ways: readonly Way[];
  /** The dialects to try, the best first. */
  dialects: readonly Dialect[];
  /** Whether the server bears no second bind on a socket. */
  bindsOnce: boolean;
  /** Whether the server has shown that it speaks this protocol. */
  everBound: boolean;
  /** When it was bound after the last failure; milliseconds. */
  boundAt: number;
}

/** Milliseconds between a new socket's handshake and the old one's end: what is on its way there still arrives. */
const LINGER = 1000;
/** Milliseconds until a renewal where no sensible expiration is known. */
const BLIND_RENEWAL = 600_000;
/** Milliseconds. */
const SHORTEST_RENEWAL = 1000;
const LONGEST_RENEWAL = 86_400_000;
/** What no retry will change. */
const FINAL: ReadonlySet<string> = new Set(["unauthorized", "forbidden", "not-found", "rejected", "insecure"]);
/** What another way to ask, or asking for each alone, may change. */
const ELSEWHERE: ReadonlySet<string> = new Set(["not-found", "rejected"]);

/**
 * Keeps Subscriptions bound, and returns why none is left.
 *
 * @throws the signal's reason when the client ends it.
 */
export async function keep(client: Client, ids: readonly string[], ways = WAYS): Promise<SubscribeError> {
  const link: Link = {
    ...{ client, ids, ways, dialects: client.dialects, lost: defer() },
    ...{ bindsOnce: false, everBound: false, boundAt: Infinity },
  };
  try {
    await undefined; // callbacks may use what `subscribe` returns
    for (let failures = 0;;) {
      const error = await live(link);
      const gone = letGo(link, error);
      if (link.ids.length === 0) return error;
      if (gone) continue;
      if (link.ids.length > 1 && ELSEWHERE.has(error.code)) return await split(link);
      failures = Date.now() - link.boundAt > client.backoff.longest ? 1 : failures + 1;
      link.boundAt = Infinity;
      if (isFinal(link, error) || failures > client.retries) return giveUp(link, error);
      await pause(link, failures, error);
    }
  } finally {
    link.current?.close();
  }
}

/** Binds and renews until something fails. */
async function live(link: Link): Promise<SubscribeError> {
  try {
    for (;;) {
      const grant = await getGrant(link);
      const { ended } = await bindWith(link, grant);
      const error = await firstOf(renewalDelay(link, grant), link.client.signal, ended, link.lost.promise);
      if (error !== undefined) return error;
    }
  } catch (error) {
    if (error instanceof SubscribeError) return error;
    throw error;
  }
}

/** What worked is what is asked from then on. Several ids can be asked for at the type level alone. */
async function getGrant(link: Link): Promise<Grant> {
  const { client, ids, ways } = link;
  let refusal: SubscribeError | undefined;
  for (const way of ids.length > 1 ? WAYS.filter(({ level }) => level === "type") : ways) {
    try {
      const grant = await askForToken(client, ids, way);
      if (ids.length === 1) link.ways = [way];
      return grant;
    } catch (error) {
      if (!(error instanceof SubscribeError) || !ELSEWHERE.has(error.code)) throw error;
      // The one that says more is worth more.
      if (!refusal?.issues.length) refusal = error;
    }
  }
  throw refusal;
}

/** Binds on the socket that is there while the URL is the same; else the old one ends after the new handshake. */
async function bindWith(link: Link, grant: Grant): Promise<Connection> {
  const { client, current: old } = link;
  if (old?.isOpen() && old.url === grant.url && !link.bindsOnce) {
    try {
      return await bindOn(link, old, grant);
    } catch (error) {
      // Closed for what has ended on it, it says nothing of second binds.
      if (old.isOpen() || !old.spent) {
        link.bindsOnce = !old.isOpen();
        throw error;
      }
    }
  }
  const connection = await connect(client, grant.url, (connection, data) => hear(link, connection, data));
  try {
    await bindOn(link, connection, grant);
    link.current = connection;
    if (old?.isOpen()) await firstOf(LINGER, client.signal, old.ended);
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  } finally {
    if (link.current === connection) old?.close();
  }
}

async function bindOn(link: Link, connection: Connection, { token }: Grant): Promise<Connection> {
  const { client, ids, dialects } = link;
  if (ids.length > 0) link.lost = defer(); // what was lost until now is wanted again, and asked for here
  try {
    const dialect = await bind(client, connection, { token, ids, dialects }, (attempt) => {
      link.bind = { connection, attempt };
    });
    const others = client.dialects.filter((one) => one !== dialect);
    Object.assign(link, {
      dialects: [dialect, ...others],
      everBound: true,
      boundAt: Math.min(link.boundAt, Date.now()),
    });
    connection.watch(dialect);
    return connection;
  } catch (error) {
    // Some servers close at once on what they do not understand.
    link.dialects = link.everBound ? dialects : dialects.toReversed();
    throw error;
  } finally {
    link.bind = undefined;
  }
}

/** After about four fifths of the token's life. Both signs of the server's clock can only be late. */
function renewalDelay(link: Link, grant: Grant): number {
  const signs = [grant.ahead, link.ahead ?? NaN].filter((one) => !Number.isNaN(one));
  const left = grant.expiration - Date.now() - (signs.length > 0 ? Math.max(...signs) : 0);
  if (!(left > 0)) return BLIND_RENEWAL;
  return Math.min(Math.max(left * (0.75 + Math.random() / 10), SHORTEST_RENEWAL), LONGEST_RENEWAL);
}

/** One server has the operation at the instance level alone, another refuses all for one: each goes on by itself. */
async function split({ client, ids, current }: Link): Promise<SubscribeError> {
  current?.close();
  const ways = [...WAYS].sort((one, other) => one.level.localeCompare(other.level));
  const errors = await Promise.all(ids.map((id) => keep(client, [id], ways)));
  return errors[0] ?? failure("unexpected", "there is no id");
}

function isFinal({ everBound }: Link, { code }: SubscribeError): boolean {
  // Once it has worked, nonsense is some proxy's that stands between.
  return FINAL.has(code) || (code === "malformed" && !everBound);
}

function giveUp({ client, ids }: Link, error: SubscribeError): SubscribeError {
  for (const subscription of ids) client.emit({ type: "ended", subscription, final: true, error });
  return error;
}

async function pause({ client, ids }: Link, failures: number, error: SubscribeError): Promise<void> {
  const { first, longest } = client.backoff;
  const wait = Math.min(longest, first * 2 ** (failures - 1)) * (0.5 + Math.random() / 2);
  const milliseconds = Math.max(wait, (error.retryAfter ?? 0) * 1000);
  client.emit({ type: "retry", subscriptions: ids, after: milliseconds / 1000, error });
  await firstOf(milliseconds, client.signal);
}
