// One FHIR base: the library, plugged into a server's own store.

import type { DatabaseSync } from "node:sqlite";
import {
  type BindingEvent,
  type BindingTokenContext,
  createNotifier,
  createSocketBinder,
  type EventLog,
  type FhirEndpoint,
  type FhirVersion,
  handleGetWsBindingToken,
  handleSubscriptionEvents,
  handleSubscriptionStatus,
  isBindingTokenRequest,
  isSubscriptionEventsRequest,
  isSubscriptionStatusRequest,
  type NotificationBus,
  type RevokingNotifier,
  type SocketBinder,
  type SocketBinderOptions,
  type SubscriptionEventsContext,
  type TokenSigner,
  type TokenStore,
} from "@fhir-ws/binding";
import { isLoopback } from "./hosts.ts";
import { answerDefinition, answerMetadata, definedOperation } from "./metadata.ts";
import type { OAuth } from "./oauth.ts";
import { createResourceStore } from "./resources.ts";
import { answerRest } from "./rest.ts";
import { createSubscriptions } from "./subscriptions.ts";

/** The Medplum client names no content level, and wants the resource. */
const DEFAULT_CONTENT = "full-resource";

/** What all bases share. */
export interface SharedParts {
  /** What clients put before `/fhir/R4`, without a slash at its end. */
  readonly origin: string;
  readonly db: DatabaseSync;
  readonly oauth: OAuth;
  readonly tokens: TokenSigner;
  readonly tokenStore: TokenStore;
  readonly events: EventLog;
  readonly bus: NotificationBus;
  /** Seconds. */
  readonly tokenLifetime: number;
  /** Seconds. */
  readonly bindDeadline: number;
  readonly now: () => number;
  readonly onError: (cause: unknown) => void;
}

/** A base and its sockets. */
export interface Base {
  /** The URL of the base, which its tokens name. */
  readonly base: string;
  readonly notifier: RevokingNotifier;
  /** Where the sockets arrive: `/ws/subscriptions-r4`. */
  readonly socketPath: string;
  readonly binder: SocketBinder;
  /** `segments` are those of the path below the base. */
  fetch(request: Request, segments: readonly string[]): Promise<Response>;
}

/** Builds the base of one FHIR version. */
export function createBase(fhirVersion: FhirVersion, shared: SharedParts): Base {
  const { origin, db, oauth, events, bus, now, onError } = shared;
  const base = `${origin}/fhir/${fhirVersion}`;
  const socketPath = `/ws/subscriptions-${fhirVersion.toLowerCase()}`;
  const resources = createResourceStore(db, fhirVersion, now);
  const subscriptions = createSubscriptions(db, fhirVersion, resources, now);
  const onEvent = (event: BindingEvent): void => {
    subscriptions.onEvent(event);
    if (event.type === "error") onError(event.cause);
  };
  const lookup = subscriptions.lookup;
  const endpoint = { base, fhirVersion, subscriptions: lookup, tokens: shared.tokens, now, onEvent };
  const configuredUrl = origin.replace(/^http/, "ws") + socketPath;
  const websocketUrl = (request: Request): string => loopbackUrl(request, socketPath) ?? configuredUrl;
  const binder = createBinder({ ...endpoint, websocketUrl, path: socketPath }, shared);
  const authenticateCaller: BindingTokenContext["authenticate"] = async (request) => {
    const user = await oauth.user(request);
    return user && { id: user.id };
  };
  const operations = createOperations(
    { ...endpoint, sockets: binder, tokenLifetime: shared.tokenLifetime, authenticate: authenticateCaller },
    {
      ...endpoint,
      subscriptions: subscriptions.everything,
      events,
      defaultContent: DEFAULT_CONTENT,
      authenticate: authenticateCaller,
    },
  );
  const notifier = createNotifier({ base, events, bus, tokenStore: shared.tokenStore, onEvent });
  const authenticate = oauth.requireUser;
  const rest = { base, version: fhirVersion, db, resources, subscriptions, notifier, now, onError, authenticate };
  const about = { version: fhirVersion, base, tokenUrl: `${origin}/oauth2/token`, since: new Date(now()) };

  return {
    base,
    notifier,
    socketPath,
    binder,
    async fetch(request, segments) {
      if (segments.length === 1 && segments[0] === "metadata") {
        return answerMetadata(request, { ...about, websocketUrl: websocketUrl(request) });
      }
      const defined = definedOperation(segments);
      if (defined !== undefined) return await answerDefinition(request, defined, rest);
      // The library matches the end of a path; here nothing may stand before it.
      const isOperation = segments[0] === "Subscription" && segments.length <= 3;
      return await (isOperation ? operations(request) : undefined) ?? await answerRest(rest, request, segments);
    },
  };
}

/** What answers the operations of Subscriptions, and nothing else. */
function createOperations(
  issuing: BindingTokenContext,
  asking: SubscriptionEventsContext,
): (request: Request) => Promise<Response> | undefined {
  return (request) => {
    if (isBindingTokenRequest(request)) return handleGetWsBindingToken(request, issuing);
    if (isSubscriptionStatusRequest(request)) return handleSubscriptionStatus(request, asking);
    if (isSubscriptionEventsRequest(request)) return handleSubscriptionEvents(request, asking);
    return undefined;
  };
}

function createBinder(
  endpoint: FhirEndpoint & Pick<SocketBinderOptions, "websocketUrl" | "path">,
  { events, bus, bindDeadline }: SharedParts,
): SocketBinder {
  return createSocketBinder({
    ...endpoint,
    allowInsecure: true,
    events,
    bus,
    tokenInUrl: true,
    defaultContent: DEFAULT_CONTENT,
    limits: { bindDeadline },
  });
}

/** A client that came over loopback finds the sockets there, whatever the server calls itself. */
function loopbackUrl(request: Request, socketPath: string): string | undefined {
  const { protocol, hostname, host } = new URL(request.url);
  return isLoopback(hostname) ? `${protocol.replace("http", "ws")}//${host}${socketPath}` : undefined;
}
