// One bind on a socket: the token goes out, handshakes come back.

import { failure, type SubscribeError } from "./errors.ts";
import { type Link, until } from "./link.ts";
import type { Dialect } from "./settings.ts";
import type { Connection } from "./socket.ts";

/** A bind whose handshakes are awaited. */
export interface Bind {
  readonly connection: Connection;
  /** Those that have not answered. */
  missing: Set<string>;
  /** Whether a handshake has come, perhaps not yet from all. */
  bound?: boolean;
  /** Why none will be bound. */
  error: SubscribeError;
}

/** What OperationOutcomes say of a frame that the server does not understand, which is no word on the token. */
const NOT_UNDERSTOOD = /^(?:structure|not-supported|invalid|value|required|code-invalid|processing|exception)?$/;

/**
 * Binds, in the first dialect that the server answers.
 *
 * @throws {SubscribeError} `refused`, `no-handshake`, or why the socket ended.
 */
export async function bind(link: Link, connection: Connection, token: string): Promise<void> {
  const { tallies, dialects, timeout } = link;
  const attempt: Bind = { connection, missing: new Set(), error: failure("no-handshake", "no handshake came in time") };
  link.bind = attempt;
  link.lost = undefined; // what was lost until now is wanted again, and asked for here
  try {
    for (const dialect of dialects) {
      const others = dialects.filter((one) => one !== dialect);
      // Some servers close at once on what they do not understand.
      if (!link.everBound) link.dialects = [...others, dialect];
      attempt.missing = new Set(tallies.keys());
      connection.send(bindFrame(link, connection, dialect, token));
      const time = dialect === dialects.at(-1) ? timeout : timeout / 4;
      await until(link, time, () => connection.ended ?? (attempt.missing.size > 0 ? undefined : true));
      if (attempt.bound) {
        Object.assign(link, {
          dialects: [dialect, ...others],
          everBound: true,
          boundAt: Math.min(link.boundAt, Date.now()),
        });
        return connection.watch(dialect);
      }
      if (!attempt.error.issues.every(({ code }) => NOT_UNDERSTOOD.test(code))) break;
    }
    throw attempt.error;
  } finally {
    link.bind = undefined;
  }
}

/** One is bound. */
export function greet(bind: Bind | undefined, id: string): void {
  if (bind) bind.bound = bind.missing.delete(id) || bind.bound || false;
}

/** One will not be bound, or without an id none. */
export function refuse(bind: Bind | undefined, error: SubscribeError, id?: string): void {
  if (!bind) return;
  if (id) bind.missing.delete(id);
  else if (!bind.bound) bind.missing.clear();
  if (bind.missing.size === 0) bind.error = error;
}

/** The IG's frame, or the Medplum client's with what was missed; a renewal misses nothing. */
function bindFrame({ tallies, current }: Link, connection: Connection, dialect: Dialect, token: string): string {
  if (dialect === "text") return `bind-with-token ${token}`;
  const since = connection === current ? [] : [...tallies].flatMap(([id, tally]) => {
    const next = tally.next();
    return next === undefined ? [] : [[id, String(next)] as const];
  });
  const eventsSinceNumber = since.length > 0 ? Object.fromEntries(since) : undefined;
  return JSON.stringify({ type: "bind-with-token", payload: { token, eventsSinceNumber } });
}
