// One bind on a socket: the token goes out, handshakes come back.

import { failure, type SubscribeError } from "./errors.ts";
import { LOST } from "./issues.ts";
import { type Link, until } from "./link.ts";
import type { Dialect } from "./settings.ts";
import type { Connection } from "./socket.ts";

/**
 * Binds, in the first dialect that the server answers.
 *
 * @throws {SubscribeError} `refused`, `no-handshake`, or why the socket ended.
 */
export async function bind(link: Link, connection: Connection, token: string): Promise<void> {
  const { tallies, dialects, timeout, current } = link;
  link.lost = undefined; // what was lost until now is wanted again, and asked for here
  connection.isBound = false;
  connection.refusal = failure("no-handshake", {}, "no handshake came in time");
  // Some servers close at once on what they do not understand.
  if (!current) link.dialects = dialects.toReversed();
  for (const dialect of dialects) {
    connection.missing = new Set(tallies.keys());
    connection.send(bindFrame(link, connection, dialect, token));
    const time = dialect === dialects.at(-1) ? timeout : timeout / 4;
    await until(link, time, () => connection.ended ?? connection.missing.size === 0);
    if (connection.isBound) {
      link.dialects = [dialect, ...dialects.filter((one) => one !== dialect)];
      link.boundAt = Math.min(link.boundAt, Date.now());
      return;
    }
    // Anything else may be no word on the token: the server does not understand the frame.
    if (connection.refusal.issues.some(({ code }) => LOST.test(code))) break;
  }
  throw connection.refusal;
}

/** One is bound. */
export function greet(connection: Connection, id: string): void {
  if (connection.missing.delete(id)) connection.isBound = true;
}

/** One will not be bound, or without an id none. */
export function refuse(connection: Connection, refusal: SubscribeError, id?: string): void {
  const { missing, isBound } = connection;
  if (id) missing.delete(id);
  else if (!isBound) missing.clear();
  if (missing.size === 0) connection.refusal = refusal;
}

/** The IG's frame, or the Medplum client's with what was missed; a renewal misses nothing. */
function bindFrame({ tallies, current }: Link, connection: Connection, dialect: Dialect, token: string): string {
  if (dialect === "text") return `bind-with-token ${token}`;
  let eventsSinceNumber: Record<string, string> | undefined;
  for (const [id, tally] of connection === current ? [] : tallies) {
    const next = tally.next();
    if (next) eventsSinceNumber = { ...eventsSinceNumber, [id]: String(next) };
  }
  return JSON.stringify({ type: "bind-with-token", payload: { token, eventsSinceNumber } });
}
