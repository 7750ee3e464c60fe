/**
 * The other end: a client for browsers and servers that stays bound. It asks for binding tokens, binds, renews them in
 * time, reconnects and says what it missed, with any server that follows the specification.
 *
 * Notifications come once per event number and in order. `onEvent` tells of all else: what is bound, refused or ended,
 * when it tries again, and of a `gap`, after which the state is to be read over REST.
 *
 * @module
 */
import { failure } from "./errors.ts";
import { keep } from "./keep.ts";
import { readOptions } from "./settings.ts";
import { createTally } from "./tally.ts";
import type { RunningSubscription, SubscribeEnd, SubscribeOptions } from "./types.ts";

export type { FhirResource } from "../types.ts";
export { SubscribeError, type SubscribeErrorCode, type SubscribeErrorDetails } from "./errors.ts";
export type {
  ClientSocket,
  ReceivedEvent,
  ReceivedIssue,
  ReceivedNotification,
  RunningSubscription,
  SocketEvent,
  SubscribeEnd,
  SubscribeEvent,
  SubscribeOptions,
} from "./types.ts";

/** Servers limit the ids of one token. */
const IDS_PER_TOKEN = 100;

/**
 * Binds Subscriptions and keeps them bound until it is closed or aborted, or the server says for each that it is gone.
 *
 * Tokens are renewed after about four fifths of their life, on the same socket while the websocket-url stays the same.
 * After a failure it comes back with exponential backoff and jitter, not before a `Retry-After`, and asks for the
 * events that it has not seen. Their numbers drop duplicates and show gaps; an event that the server withholds from
 * this caller is a gap as well.
 *
 * @throws {TypeError} when an id is none, there are no ids, or `url` is no http or https URL.
 * @throws {RangeError} when a time is not above 0.
 * @see https://hl7.org/fhir/uv/subscriptions-backport/channels.html#websockets
 *
 * @example
 * ```ts
 * import { subscribe } from "@fhir-ws/binding/client";
 *
 * const subscription = subscribe({
 *   url: "http://127.0.0.1:9/fhir/R5",
 *   ids: ["s1"],
 *   fetch: (request) => {
 *     request.headers.set("authorization", "Bearer …");
 *     return fetch(request);
 *   },
 *   onNotification: ({ events }) => console.log(events),
 *   onEvent: (event) => console.log(event.type), // "retry": nobody listens on that port
 * });
 *
 * subscription.close();
 * const end = await subscription.closed;
 * if (end.reason !== "closed") throw end.error;
 * ```
 */
export function subscribe(options: SubscribeOptions): RunningSubscription {
  const stop = new AbortController();
  const { signal } = stop;
  const client = readOptions(options, signal);
  const close = (): void => stop.abort();
  options.signal?.addEventListener("abort", close, { signal });
  if (options.signal?.aborted) close();
  const tallies = new Map(options.ids.map((id) => [id, createTally(client, id, options.since?.[id])]));
  const groups = [];
  for (let n = 0; n < tallies.size; n += IDS_PER_TOKEN) groups.push([...tallies].slice(n, n + IDS_PER_TOKEN));
  const closed = keep(client, groups)
    .catch((cause) => failure("unexpected", { cause }, "see the cause"))
    .then((error): SubscribeEnd => {
      const { aborted } = signal;
      close();
      return aborted ? { reason: "closed" } : { reason: "failed", error };
    });
  return { close, closed };
}
