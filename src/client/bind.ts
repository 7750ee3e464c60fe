// One bind on a socket: the token goes out, handshakes come back.

import { failure, type SubscribeError } from "./errors.ts";
import type { Client, Dialect } from "./settings.ts";
import type { Connection } from "./socket.ts";
import { defer, firstOf } from "./timing.ts";

/** A bind whose handshakes are awaited. */
export interface Bind {
  /** Whether a handshake has come, perhaps not yet from all. */
  isBound(): boolean;
  /** Resolves when each has answered, or with why none will. */
  readonly answered: Promise<"bound" | SubscribeError>;
  /** One is bound. */
  greet(id: string): void;
  /** One will not be bound, or without an id none. */
  refuse(error: SubscribeError, id?: string): void;
}

/** What OperationOutcomes say of a frame that the server does not understand, which is no word on the token. */
const NOT_UNDERSTOOD = /^(?:structure|not-supported|invalid|value|required|code-invalid|processing|exception)?$/;

/**
 * Binds, in the first dialect that the server answers.
 *
 * @param begin Is given each bind before its frame is sent.
 * @returns the dialect that was answered.
 * @throws {SubscribeError} `refused`, `no-handshake`, or why the socket ended.
 */
export async function bind(
  client: Client,
  connection: Connection,
  { token, ids, dialects }: {
    readonly token: string;
    readonly ids: readonly string[];
    readonly dialects: readonly Dialect[];
  },
  begin: (bind: Bind) => void,
): Promise<Dialect> {
  let why = failure("no-handshake", "no handshake came in time");
  for (const [n, dialect] of dialects.entries()) {
    const attempt = createBind(ids);
    begin(attempt);
    connection.send(bindFrame(client, dialect, token, connection.greeted.size > 0 ? [] : ids));
    const time = n < dialects.length - 1 ? client.timeout / 4 : client.timeout;
    const answer = await firstOf(time, client.signal, attempt.answered, connection.ended);
    if (answer === "bound" || (answer === undefined && attempt.isBound())) return dialect;
    why = answer ?? why;
    if (!connection.isOpen() || (answer && !answer.issues.every(({ code }) => NOT_UNDERSTOOD.test(code)))) break;
  }
  throw why;
}

function createBind(ids: readonly string[]): Bind {
  const { promise, resolve } = defer<"bound" | SubscribeError>();
  const missing = new Set(ids);
  let bound = false;
  return {
    isBound: () => bound,
    answered: promise,
    greet(id) {
      bound = missing.delete(id) || bound;
      if (missing.size === 0) resolve("bound");
    },
    refuse(error, id) {
      if (id !== undefined) missing.delete(id);
      if (missing.size === 0 && bound) resolve("bound");
      else if (missing.size === 0 || (id === undefined && !bound)) resolve(error);
    },
  };
}

/** The IG's frame, or the Medplum client's with what was missed; a renewal misses nothing. */
function bindFrame({ tallies }: Client, dialect: Dialect, token: string, ids: readonly string[]): string {
  if (dialect === "text") return `bind-with-token ${token}`;
  const since = ids.flatMap((id) => {
    const last = tallies.get(id)?.last;
    return last === undefined ? [] : [[id, String(last + 1)] as const];
  });
  const eventsSinceNumber = since.length > 0 && { eventsSinceNumber: Object.fromEntries(since) };
  return JSON.stringify({ type: "bind-with-token", payload: { token, ...eventsSinceNumber } });
}
