// The life of some Subscriptions that share a token and a socket.

import { bind } from "./bind.ts";
import { failure, SubscribeError } from "./errors.ts";
import { lose } from "./hear.ts";
import { GONE } from "./issues.ts";
import { type Link, until } from "./link.ts";
import type { Client } from "./settings.ts";
import { connect, type Connection, unreachable } from "./socket.ts";
import type { Tally } from "./tally.ts";
import { askForToken, type Grant, type Way } from "./token.ts";

/** What another way to ask, or asking for each alone, may change. */
const ELSEWHERE = /not-found|rejected/;
/** What no retry will change. */
const FINAL = /unauthorized|forbidden|insecure/;

/**
 * Keeps groups of Subscriptions bound, each on its own socket, and returns why none is left of the first.
 *
 * @param ways In order of preference: servers SHALL take POST at the type, but Medplum's and Helios have nothing but
 * GET at the instance.
 * @throws the signal's reason when the client ends it.
 */
export async function keep(
  client: Client,
  groups: readonly (readonly [id: string, tally: Tally])[][],
  ways: readonly Way[] = ["type", "GET", "POST"],
): Promise<SubscribeError> {
  const errors = await Promise.all(groups.map((group) => keepGroup(client, new Map(group), ways)));
  return errors[0] as SubscribeError; // there is no `subscribe` without a group
}

async function keepGroup(
  client: Client,
  tallies: Map<string, Tally>,
  ways: readonly Way[],
): Promise<SubscribeError> {
  const isSeveral = tallies.size > 1;
  const link: Link = {
    ...client,
    tallies,
    ways: isSeveral ? ["type"] : [...ways], // several can be asked for at the type level alone
    boundAt: Infinity,
    ahead: NaN,
  };
  link.signal.addEventListener("abort", () => link.wake?.());
  const error = await live(link);
  // One server has the operation at the instance level alone, another refuses all for one: each goes on by itself.
  if (tallies.size > 1 && ELSEWHERE.test(error.code)) {
    return keep(client, [...tallies].map((one) => [one]), ["GET", "POST", "type"]);
  }
  for (const subscription of tallies.keys()) link.emit({ type: "ended", subscription, final: true, error });
  return error;
}

/** Binds and renews until nothing is left to bind or to try. */
async function live(link: Link): Promise<SubscribeError> {
  const { tallies, ways, retries, longest } = link;
  let failures = 0;
  let refusal: SubscribeError | undefined;
  try {
    await undefined; // callbacks may use what `subscribe` returns
    for (;;) {
      try {
        await renew(link);
      } catch (error) {
        if (!(error instanceof SubscribeError)) throw error;
        const { code, issues } = error;
        const isGone = lose(link, issues, GONE);
        if (tallies.size === 0) return error;
        if (isGone) continue;
        if (ELSEWHERE.test(code)) {
          // The one that says more is worth more.
          if (!refusal?.issues.length || link.current) refusal = error;
          if (ways.length > 1 && ways.shift()) continue;
          return refusal;
        }
        failures = Date.now() - link.boundAt > longest * 1000 ? 1 : failures + 1;
        link.boundAt = Infinity;
        // Once it has worked, nonsense is some proxy's that stands between.
        if (failures > retries || FINAL.test(code) || (code === "malformed" && !link.current)) return error;
        await pause(link, failures, error);
      }
    }
  } finally {
    link.current?.end();
  }
}

async function pause(link: Link, failures: number, error: SubscribeError): Promise<void> {
  const { first, longest, tallies } = link;
  const wait = Math.min(longest, first * 2 ** (failures - 1)) * (0.5 + Math.random() / 2);
  const after = Math.max(wait, error.retryAfter ?? 0);
  link.emit({ type: "retry", subscriptions: [...tallies.keys()], after, error });
  await until(link, after, () => undefined);
}

/** Binds by a new token, and waits until that has to be renewed. */
async function renew(link: Link): Promise<void> {
  const grant = await askForToken(link);
  link.ways.splice(1); // what worked is what is asked from then on
  const connection = await bindWith(link, grant);
  const { idle, dialects: [dialect = "text"] } = link;
  const pulse = idle[dialect] / 2;
  const due = Date.now() + renewalDelay(link, grant) * 1000;
  for (;;) {
    const left = (due - Date.now()) / 1000;
    await until(link, Math.min(left, pulse), () => link.lost ?? connection.ended);
    if (left <= pulse) return;
    // Silence is a sign of death.
    if (++connection.quiet > 2) connection.end(failure("silent", {}, "the socket says nothing"));
    else if (dialect === "json") connection.send('{"type":"ping"}');
  }
}

/** Binds on the socket that is there while the URL is the same; else the old one ends after the new handshake. */
async function bindWith(link: Link, grant: Grant): Promise<Connection> {
  const { current: old, lost } = link;
  const { url, token } = grant;
  const isRenewal = old?.url === url && !old.ended && !link.bindsOnce;
  const connection = isRenewal ? old : connect(link, url);
  link.newest = connection;
  try {
    if (!await until(link, link.timeout, () => connection.ended ?? connection.isOpen)) throw unreachable();
    await bind(link, connection, token);
    link.current = connection;
    // What is on its way on the old one still arrives.
    if (!isRenewal && old && !old.ended) await until(link, 1, () => undefined);
    return connection;
  } catch (error) {
    if (!isRenewal || !old.ended) throw error;
    // Closed for what has ended on it, it says nothing of second binds.
    link.bindsOnce = !lost;
    return await bindWith(link, grant);
  } finally {
    link.newest = link.current;
    if (!isRenewal) (connection === link.current ? old : connection)?.end();
  }
}

/** Seconds: about four fifths of the token's life, or ten minutes where it says nothing sensible. */
function renewalDelay({ ahead }: Link, { expiration }: Grant): number {
  const left = (expiration - Date.now() - (ahead || 0)) / 1000;
  return left > 0 ? Math.max(left * (0.75 + Math.random() / 10), 1) : 600;
}
