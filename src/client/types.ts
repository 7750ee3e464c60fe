// What a client says and hears.

import type { FhirResource } from "../types.ts";
import type { SubscribeError } from "./errors.ts";

/** What `subscribe` wants to know. Only `url`, `ids` and `onNotification` are required. */
export interface SubscribeOptions {
  /** The FHIR base: `https://example.org/fhir/R5`. */
  readonly url: string | URL;
  /** Logical ids of Subscriptions on that base. */
  readonly ids: readonly string[];
  /**
   * Told of each event-notification, once per event number and in order. It is called synchronously; what it throws is
   * an uncaught exception, as in any event listener.
   */
  readonly onNotification: (notification: ReceivedNotification) => void;
  /** Told of everything else: what is bound, gaps, refusals, endings, retries. */
  readonly onEvent?: (event: SubscribeEvent) => void;
  /**
   * Sends a request for a binding token; here a fresh access token is added, for HTTP 401 ends it all. Default: the
   * global `fetch`.
   */
  readonly fetch?: (request: Request) => Promise<Response>;
  /** Ends everything when it is aborted. */
  readonly signal?: AbortSignal;
  /** The first event number that is wanted, by Subscription id: one more than the last that was handled before. */
  readonly since?: Readonly<Record<string, number>>;
  /**
   * How to write to the server. `text` is the IG's, `json` the Medplum client's, which can also ask for missed events.
   * `auto` finds out: JSON first, then text. Default `auto`. In the JSON dialect a Bundle of R4 may hold R4B's
   * SubscriptionStatus.
   */
  readonly dialect?: "auto" | "json" | "text";
  /** The constructor of sockets. Default: the global `WebSocket`. */
  readonly WebSocket?: new (url: string) => ClientSocket;
  /** Seconds for an HTTP answer, for a socket to open, and for the handshakes. Default 10. */
  readonly timeout?: number;
  /**
   * Seconds of silence after which a socket is taken for dead. In the JSON dialect the server is pinged at half of it,
   * default 60. In the text dialect nothing can be asked: none by default, else longer than `heartbeatPeriod`.
   */
  readonly idleTimeout?: number;
  /** Failures in a row after which it gives up. Default: never. */
  readonly retries?: number;
  /** Seconds before the first retry and the longest wait; each is shortened by chance to half. Default 1 and 60. */
  readonly backoff?: { readonly first?: number; readonly longest?: number };
}

/** The little of a WebSocket that is used; the Web's fits, and npm `ws`. */
export interface ClientSocket {
  /** As the Web's. */
  addEventListener(type: "open" | "message" | "close" | "error", listener: (event: SocketEvent) => void): void;
  /** As the Web's. */
  send(text: string): void;
  /** As the Web's. */
  close(code?: number): void;
}

/** An event of a socket. */
export interface SocketEvent {
  /** The event's name. */
  readonly type: string;
  /** Of a message. */
  readonly data?: unknown;
  /** Of a close. */
  readonly code?: number;
}

/** Events of one Subscription, of whichever FHIR version. */
export interface ReceivedNotification {
  /** The Subscription's id. */
  readonly subscription: string;
  /** Those that had not come before, by number. */
  readonly events: readonly ReceivedEvent[];
  /** The Bundle as it came, with the resources; it may also hold events that came before. */
  readonly bundle: FhirResource;
}

/** One event. */
export interface ReceivedEvent {
  /** Its number since the Subscription began; none where the server does not count. */
  readonly number?: number | undefined;
  /** When it happened. */
  readonly timestamp?: string | undefined;
  /** A reference as the server wrote it, absolute or relative; none in an empty notification. */
  readonly focus?: string | undefined;
}

/** One issue of an OperationOutcome. */
export interface ReceivedIssue {
  /** `fatal`, `error`, `warning`, `information`. */
  readonly severity: string;
  /** https://hl7.org/fhir/valueset-issue-type.html */
  readonly code: string;
  /** For people. */
  readonly text?: string | undefined;
  /** The Subscription that it names, where it names one. */
  readonly subscription?: string | undefined;
}

/** What happened beside event-notifications. */
export type SubscribeEvent =
  /** A handshake came: it is bound, or the binding is renewed. `head` is the number of the latest event. */
  | { readonly type: "bound"; readonly subscription: string; readonly head?: number | undefined }
  | { readonly type: "heartbeat"; readonly subscription: string; readonly head?: number | undefined }
  /** Events `from` to `to` did not come: read their state over REST, or ask `$events`. They may still come late. */
  | { readonly type: "gap"; readonly subscription: string; readonly from: number; readonly to: number }
  /** The server counts from the beginning again, as for a Subscription that was deleted and made anew. */
  | { readonly type: "restarted"; readonly subscription: string }
  /** An OperationOutcome on the socket that ends nothing. */
  | { readonly type: "outcome"; readonly issues: readonly ReceivedIssue[] }
  /** A Subscription is not bound any more; unless that is `final` it will be bound again. */
  | {
    readonly type: "ended";
    readonly subscription: string;
    readonly final: boolean;
    readonly error: SubscribeError;
  }
  /** Something failed; the next try is in `after` seconds. */
  | {
    readonly type: "retry";
    readonly subscriptions: readonly string[];
    readonly after: number;
    readonly error: SubscribeError;
  }
  /** A frame that is neither a notification nor an OperationOutcome. */
  | { readonly type: "unreadable" };

/** Why it is over: it was closed or aborted, or no Subscription was left to try. */
export type SubscribeEnd =
  | { readonly reason: "closed" }
  | { readonly reason: "failed"; readonly error: SubscribeError };

/** What runs until it is closed. */
export interface RunningSubscription {
  /** Resolves when all is over and no callback comes any more. It never rejects. */
  readonly closed: Promise<SubscribeEnd>;
  /** Closes the sockets and ends everything at once. */
  close(): void;
}
