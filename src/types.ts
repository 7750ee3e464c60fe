/**
 * Every interface that a host implements or receives.
 *
 * @module
 */

/** A value, or a promise of it: a host with a synchronous store pays for no promise. */
export type MaybePromise<T> = T | Promise<T>;

/** The FHIR release that a base speaks. */
export type FhirVersion = "R4" | "R4B" | "R5";

/** Any JSON value. */
export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [name: string]: Json };

/** As much of a FHIR resource as the library needs to know; the resources of `@types/fhir` fit. */
export interface FhirResource {
  /** The type's name. */
  readonly resourceType: string;
  /** Its logical id. */
  readonly id?: string | undefined;
}

/** A Subscription of any FHIR version; the library reads it defensively. */
export interface FhirSubscription extends FhirResource {
  /** Always that. */
  readonly resourceType: "Subscription";
}

/**
 * Who asks. It travels in the token, whose holder can read it: keep it to ids (user, tenant, login) and never put a
 * secret into it.
 */
export interface Caller {
  /** The user or client, unique within its tenant. */
  readonly id: string;
  /** Whose ids these are, where a host serves several organisations. */
  readonly tenant?: string;
  /** Whatever else the host's callbacks need to decide on access. */
  readonly claims?: { readonly [name: string]: Json };
}

/** What a binding token says. */
export interface BindingGrant {
  /** The token's own id (`jti`); it is no secret and may be logged. */
  readonly id: string;
  /** The FHIR base that issued it (`aud`). */
  readonly audience: string;
  /** Who asked for the token, and whom alone it binds. */
  readonly caller: Caller;
  /** Logical ids of Subscriptions, never empty. */
  readonly subscriptions: readonly string[];
  /** Seconds since the epoch. */
  readonly issuedAt: number;
  /** Whole seconds since the epoch: the token's `exp` and the answer's `expiration` are this one number. */
  readonly expiresAt: number;
  /**
   * How often the caller, then each Subscription, had been revoked before the Subscriptions were read. A signer that
   * cannot revoke leaves it out.
   */
  readonly generations?: readonly number[];
}

/** The part of a grant that is known before its Subscriptions are read. */
export type GrantDraft = Pick<BindingGrant, "audience" | "caller" | "subscriptions">;

/** One FHIR base. The same object serves the operation, the binder and `verifyBinding`. */
export interface FhirEndpoint {
  /** Absolute URL without a slash at its end: audience of the tokens, start of references, part of every key. */
  readonly base: string;
  /** How resources are read and notifications written. */
  readonly fhirVersion: FhirVersion;
  /** How its Subscriptions are found. */
  readonly subscriptions: SubscriptionLookup;
  /** How its tokens are made and verified. */
  readonly tokens: TokenSigner;
  /** Milliseconds that a host callback may take before it counts as down. Default 5000. */
  readonly storeTimeout?: number;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
  /** Audit and metrics. What it throws is dropped. */
  readonly onEvent?: (event: BindingEvent) => void;
  /** Seconds to wait when this caller does this too often, else `undefined`. */
  rateLimit?(caller: Caller, action: "issue" | "bind" | "query"): MaybePromise<number | undefined>;
}

/** How the library finds Subscriptions: the one thing that every host implements. */
export interface SubscriptionLookup {
  /**
   * The Subscription as it is now, or `undefined` when there is none or this caller may not see it. Called again at
   * every bind and before deliveries: never answer from a cache that outlives a change of access.
   */
  read(id: string, caller: Caller): MaybePromise<FhirSubscription | undefined>;
  /**
   * This caller's Subscriptions, at most `limit`: those on websocket channels that are not off, where the store can tell.
   * Absent: a call without ids is refused.
   */
  list?(caller: Caller, limit: number): MaybePromise<readonly FhirSubscription[]>;
  /** A `requested` websocket Subscription was bound: set its status to `active`. */
  activate?(id: string, caller: Caller): MaybePromise<void>;
}

/** A lookup that also stores, for hosts that have no store of their own. */
export interface SubscriptionStore extends SubscriptionLookup {
  /**
   * Creates or replaces a Subscription, which has an `id`.
   *
   * @throws {BindingError} `forbidden` when another caller owns that id.
   */
  put(subscription: FhirSubscription, owner: Caller): MaybePromise<void>;
  /** Whether there was one of this owner's. */
  delete(id: string, owner: Caller): MaybePromise<boolean>;
}

/** Turns grants into tokens and back. `createJwtSigner` and `createOpaqueSigner` make one. */
export interface TokenSigner {
  /** The token. When `grant.generations` is absent the signer reads them itself. */
  sign(grant: BindingGrant): MaybePromise<string>;
  /**
   * What a token says, after its signature, type, expiry and revocation have been checked; it never redeems.
   * Subscriptions that were revoked are left out. `now` is in milliseconds, default `Date.now()`.
   *
   * @throws {BindingError} `token-unknown` or `token-expired`.
   */
  verify(token: string, now?: number): MaybePromise<BindingGrant>;
  /**
   * The last step of a bind, idempotent per attempt. Absent: tokens are reusable until they expire.
   *
   * @throws {BindingError} `token-unknown` when another attempt was first.
   */
  redeem?(grant: BindingGrant, attempt: string): MaybePromise<void>;
  /** What to put into `grant.generations`, read before the Subscriptions are. Absent: nothing can be revoked. */
  generations?(draft: GrantDraft): MaybePromise<readonly number[]>;
  /** For each of some verified grants, its Subscriptions that have not been revoked since. */
  surviving?(grants: readonly BindingGrant[]): MaybePromise<readonly (readonly string[])[]>;
  /** A number that grows with every revocation: while it stands still no live binding needs another look. */
  revocations?(): MaybePromise<number>;
  /** Seconds that a token may live at most. Absent: the signer sets no limit. */
  readonly maxLifetime?: number;
  /** True when `sign` and `verify` wait for nothing but this machine's processor: no `storeTimeout` is set for them. */
  readonly local?: boolean;
}

/** What opaque tokens, single use and revocation keep. Only signers and the notifier know it. */
export interface TokenStore {
  /** Keeps a grant under the SHA-256 of its token. */
  put(digest: string, grant: BindingGrant): MaybePromise<void>;
  /** The grant, also after it was redeemed, until it has expired. */
  get(digest: string): MaybePromise<BindingGrant | undefined>;
  /**
   * True once over all processes, and again for the same attempt. `id` is the grant's, `expiresAt` (seconds) tells
   * until when the answer must be remembered.
   */
  redeem(id: string, attempt: string, expiresAt: number): MaybePromise<boolean>;
  /**
   * Adds one to the subject's generation; it is never forgotten. A host that calls this by itself, without a notifier,
   * revokes `"all"` after the subject: binders look again at live bindings when that generation has moved.
   */
  revoke(subject: string): MaybePromise<void>;
  /** The generation of each subject, in their order; 0 for one that was never revoked. */
  generations(subjects: readonly string[]): MaybePromise<readonly number[]>;
}

/**
 * A key with its id. `alg` comes from the key: a `CryptoKey` says it, a JWK by its `alg` or curve, a raw secret is
 * HS256. A private key that cannot be exported needs its public half beside it: give the pair.
 */
export interface SigningKey {
  /** Names the key in the header of each token (RFC 7515 §4.1.4). */
  readonly kid: string;
  /** What signs or verifies. */
  readonly key: WebCryptoKey | WebCryptoKeyPair | JsonWebKeyLike | Uint8Array;
}

/** A `CryptoKey`, from whichever types the host has it: those of the DOM, of Node, Bun, Deno or Workers. */
export type WebCryptoKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

/** Its halves: what `crypto.subtle.generateKey` makes of an asymmetric algorithm. */
export interface WebCryptoKeyPair {
  /** What verifies. */
  publicKey: WebCryptoKey;
  /** What signs. */
  privateKey: WebCryptoKey;
}

/** A JWK (RFC 7517) of any kind, as WebCrypto knows it; the types of Node have no name for it everywhere. */
export interface JsonWebKeyLike {
  /** The kind of key: `oct`, `RSA`, `EC` or `OKP`. */
  kty?: string;
  /** What it is for: `sig`. */
  use?: string;
  /** What it may do: `sign`, `verify`. */
  key_ops?: string[];
  /** The algorithm that it was made for. */
  alg?: string;
  /** Whether it may be exported. */
  ext?: boolean;
  /** A secret. */
  k?: string;
  /** The curve. */
  crv?: string;
  /** A point of the curve. */
  x?: string;
  /** A point of the curve. */
  y?: string;
  /** The modulus of RSA. */
  n?: string;
  /** The public exponent of RSA. */
  e?: string;
  /** What is private of `EC`, `OKP` and `RSA`. */
  d?: string;
  /** A prime of RSA. */
  p?: string;
  /** A prime of RSA. */
  q?: string;
  /** An exponent of RSA. */
  dp?: string;
  /** An exponent of RSA. */
  dq?: string;
  /** The coefficient of RSA. */
  qi?: string;
}

/** Options of `createJwtSigner`. */
export interface JwtSignerOptions {
  /** The key that signs new tokens, and verifies its own. */
  readonly sign: SigningKey;
  /** Further keys whose tokens still bind. */
  readonly verify?: readonly SigningKey[];
  /** `iss`. Default: the base that issues. */
  readonly issuer?: string;
  /** Where revocations and used tokens are kept. Without it tokens live until they expire. */
  readonly store?: TokenStore;
  /** Each token binds once. Needs `store`. */
  readonly singleUse?: boolean;
  /** Seconds between `iat` and `exp` beyond which no token is signed or accepted. Default 86400. */
  readonly maxLifetime?: number;
  /** Seconds by which `iat` and `nbf` may lie in the future; `exp` knows no skew. Default 5. */
  readonly clockSkew?: number;
}

/** Options of `createOpaqueSigner`. */
export interface OpaqueSignerOptions {
  /** Where the grants are. */
  readonly store: TokenStore;
  /** Each token binds once. */
  readonly singleUse?: boolean;
}

// --- HTTP ---

/** All that the operation knows of sockets. */
export interface SocketEndpoint {
  /**
   * The `wss:` URL that clients connect to, or how to find it from a request. Never derived from the `Host` header by
   * the library.
   */
  readonly websocketUrl: string | ((request: Request, caller: Caller) => string);
  /** Allows a `ws:` URL on another host than loopback: only where something in front adds TLS. Default false. */
  readonly allowInsecure?: boolean;
}

/** What `handleGetWsBindingToken` needs. */
export interface BindingTokenContext extends FhirEndpoint {
  /** Who sent the request, or `undefined` when it does not say, or says it wrongly. It must not read the body. */
  authenticate(request: Request): MaybePromise<Caller | undefined>;
  /** Where clients connect; a binder is one. */
  readonly sockets: SocketEndpoint;
  /** Whether this caller's tenant has websocket Subscriptions at all. */
  isEnabled?(caller: Caller): MaybePromise<boolean>;
  /** The `WWW-Authenticate` challenge. Default `Bearer`. */
  readonly challenge?: string;
  /** Seconds, at most a year and no more than the signer allows. Default 3600. */
  readonly tokenLifetime?: number;
  /** Ids that one token may cover. Default 100, which is also the most. */
  readonly maxIds?: number;
  /** Bytes of a request body. Default 65536. */
  readonly maxBodySize?: number;
}

// --- events: written by a notifier, read by binders ---

/** A change that a Subscription was waiting for. */
export interface NotificationEvent {
  /** What happened to the resource. */
  readonly interaction: "create" | "update" | "delete";
  /** The resource, relative to the base: `Patient/p1`. */
  readonly focus: string;
  /** Its state after the event; none after a delete. */
  readonly resource?: FhirResource;
  /** FHIR instant. */
  readonly timestamp?: string;
  /** What a reader may want beside it. */
  readonly additionalContext?: readonly { readonly reference: string; readonly resource?: FhirResource }[];
}

/** An event with its place in the sequence of one Subscription. */
export interface LoggedEvent extends NotificationEvent {
  /** 1 for the first event of a Subscription. */
  readonly number: number;
}

/** Some of one Subscription's events, oldest first. */
export interface EventPage {
  /** Numbers without gaps, beginning after the one that was asked for or at the oldest. */
  readonly events: readonly LoggedEvent[];
  /** The lowest number that the log still holds; `head + 1` when it holds none. */
  readonly oldest: number;
  /** The highest number given so far; 0 when there was none. */
  readonly head: number;
}

/** The events of every Subscription. Keys are opaque here; numbers per key run 1, 2, 3 … without gaps. */
export interface EventLog {
  /** Appends one event to many keys, all or none, and returns its number under each. */
  append(keys: readonly string[], event: NotificationEvent): MaybePromise<readonly number[]>;
  /** Events with a number above `after`, at most `limit`. `oldest > after + 1` tells that some were pruned. */
  read(key: string, after: number, limit: number): MaybePromise<EventPage>;
  /** The highest number of each key, in their order. */
  heads(keys: readonly string[]): MaybePromise<readonly number[]>;
  /** Forgets a key: the next event has number 1. */
  drop(key: string): MaybePromise<void>;
}

/** What travels between processes. Hints: they may be lost, late or doubled; the log and the stores are the truth. */
export type BusMessage =
  | {
    readonly type: "event";
    readonly keys: readonly string[];
    readonly numbers: readonly number[];
    readonly event?: NotificationEvent;
  }
  | { readonly type: "changed"; readonly key: string }
  | { readonly type: "revoked"; readonly subject: string }
  /** The bus may have lost messages: compare with the log. */
  | { readonly type: "resync" };

/** Carries messages from every notifier to every binder, those of the same process included. */
export interface NotificationBus {
  /** Resolves when the message is on its way. */
  publish(message: BusMessage): MaybePromise<void>;
  /**
   * Whether messages are part of a transaction of the host's. One that fails has aborted that, so a notifier throws at the
   * host what it would else leave to `reconcile`. Default false.
   */
  readonly isTransactional?: boolean;
  /** Returns how to stop listening. */
  listen(listener: (message: BusMessage) => void): MaybePromise<() => void>;
}

/** Whose tokens die. */
export type Revocation =
  | { readonly token: string /* the grant's id, jti */ }
  | { readonly subscription: string; readonly tenant?: string }
  | { readonly caller: string; readonly tenant?: string };

/** Options of `createNotifier`. */
export interface NotifierOptions {
  /** The base whose Subscriptions these are. */
  readonly base: string;
  /** The log that binders read. */
  readonly events: EventLog;
  /** The bus that binders listen to. */
  readonly bus: NotificationBus;
  /** The store of the signer; without it the notifier cannot revoke. */
  readonly tokenStore?: TokenStore;
  /** Told when the bus failed after the log had the event: delivery then waits for the binders' `reconcile`. */
  readonly onEvent?: (event: BindingEvent) => void;
}

/** The writing side: no state, no socket, no timer. Any process may hold one. */
export interface Notifier {
  /** Logs an event for these Subscriptions and wakes their bindings; returns its number in each. */
  notify(subscriptions: readonly string[], event: NotificationEvent, tenant?: string): Promise<readonly number[]>;
  /** The Subscription, or who may see it, has changed: bindings read it again now. */
  changed(subscription: string, tenant?: string): Promise<void>;
  /** The Subscription was deleted: its bindings end, its log is dropped, its tokens die where a store is given. */
  deleted(subscription: string, tenant?: string): Promise<void>;
}

/** A notifier that knows the token store. */
export interface RevokingNotifier extends Notifier {
  /** Once it has resolved, no token minted before binds on any process, and live bindings end. */
  revoke(what: Revocation): Promise<void>;
}

// --- sockets ---

/** How much of an event a notification holds. */
export type ContentLevel = "empty" | "id-only" | "full-resource";

/** The limits of a binder, each with a safe default. */
export interface SocketLimits {
  /** Seconds that a socket may stay without a binding. Default 30. */
  readonly bindDeadline: number;
  /** Seconds that a slow reader may leave its send buffer full. Default 30. */
  readonly drainDeadline: number;
  /** Bytes of one frame from a client. Default 32768. */
  readonly frameSize: number;
  /** Bytes that may wait in a socket's send buffer before delivery pauses. Default 1048576. */
  readonly sendBuffer: number;
  /** Open sockets. Default 10000. */
  readonly sockets: number;
  /** Open sockets without a binding; the oldest gives way. Default 1000. */
  readonly unboundSockets: number;
  /** Bound sockets of one caller. Default 100. */
  readonly socketsPerCaller: number;
  /** Subscriptions bound on one socket. Default 1000. */
  readonly bindingsPerSocket: number;
  /** Refused binds, without a good one between, after which the socket closes. Default 3. */
  readonly refusedBinds: number;
  /** Frames per second from one client, averaged over ten seconds. Default 20. */
  readonly framesPerSecond: number;
  /** Events replayed to one binding. Default 1000. */
  readonly maxReplay: number;
}

/** Options of `createSocketBinder`. */
export interface SocketBinderOptions extends FhirEndpoint, SocketEndpoint {
  /** The log that notifiers write. */
  readonly events: EventLog;
  /** The bus that notifiers publish on. */
  readonly bus: NotificationBus;
  /**
   * What a first bind receives of the past when the client does not ask by number: nothing, what it missed since this
   * process last sent to it (remembered ten minutes), or the last few. Default `none`.
   */
  readonly replay?: "none" | "missed" | { readonly last: number };
  /** For Subscriptions that name no content level. Default `empty`. */
  readonly defaultContent?: ContentLevel;
  /** Withholds one event from one caller; the sequence goes on without it. */
  mayReceive?(event: LoggedEvent, subscription: FhirSubscription, caller: Caller): MaybePromise<boolean>;
  /** Seconds for which an access decision may be used again. Default 5. */
  readonly recheck?: number;
  /** Seconds between comparisons with the log. Default 5. */
  readonly reconcile?: number;
  /** Accepts `?token=` on the socket's URL as a bind at open. URLs end up in logs: default false. */
  readonly tokenInUrl?: boolean;
  /** Accepts R4's `bind <id>` from sockets whose upgrade request authenticates. Needs `origins`. */
  readonly legacy?: {
    authenticate(request: Request): MaybePromise<Caller | undefined>;
    /** Seconds that such a binding lives. Default 3600. */
    readonly lifetime?: number;
  };
  /** The origins that a browser may connect from. Default: any, since the token and no cookie authorises. */
  readonly origins?: readonly string[] | ((origin: string) => boolean);
  /** The path that upgrades arrive at, when a proxy changes it. Default: the path of `websocketUrl`. */
  readonly path?: string;
  /** Limits that differ from the defaults. */
  readonly limits?: Partial<SocketLimits>;
}

/** All sockets of one base in one process. */
export interface SocketBinder extends SocketEndpoint {
  /** Whether an upgrade may go on; ask before upgrading. */
  admit(request: Request): MaybePromise<SocketAdmission>;
  /** What is open at this moment. */
  stats(): { readonly sockets: number; readonly bindings: number; readonly subscriptions: number };
  /** Refuses new sockets, closes all with 1001, spread over `drain` seconds (default 0), and stops listening. */
  close(options?: { readonly drain?: number }): Promise<void>;
}

/** An upgrade refused by an answer, or a session waiting for its socket. */
export type SocketAdmission =
  | { readonly refused: Response }
  | { readonly refused?: never; open(socket: BindingSocket): SocketSession };

/** What the library needs of a runtime's socket. */
export interface BindingSocket {
  /** `false`: it was not taken and has to be sent again. */
  send(text: string): boolean | void;
  /** Starts the closing handshake (RFC 6455 §7.1.2). */
  close(code?: number, reason?: string): void;
  /** Bytes not yet written to the network. */
  readonly bufferedAmount?: number;
  /** True when the adapter calls `drained()` by itself; otherwise a full buffer is looked at four times a second. */
  readonly reportsDrain?: boolean;
  /** Sends a protocol ping; the adapter answers by `alive()`. */
  ping?(): void;
  /** Cuts the connection without a closing handshake. */
  terminate?(): void;
}

/** One socket, as its adapter sees it. None of these throws; frames are handled in order. */
export interface SocketSession {
  /** A message came; anything but text is refused. */
  receive(data: string | ArrayBuffer | ArrayBufferView): void;
  /** The socket has closed, by whomever. */
  closed(): void;
  /** The send buffer has room again. */
  drained(): void;
  /** A protocol pong came. */
  alive(): void;
}

/** Why a binding ended. */
export type EndReason =
  | "expired"
  | "revoked"
  | "access-lost"
  | "subscription-off"
  | "unbound"
  | "closed"
  | "slow"
  | "store";

/** Which host callback or part of the library an error came from. */
export type HostCall =
  | "authenticate"
  | "enabled"
  | "rate-limit"
  | "read"
  | "list"
  | "activate"
  | "sign"
  | "verify"
  | "redeem"
  | "url"
  | "may-receive"
  | "log"
  | "bus"
  | "send"
  | "internal";

/** Audit and metrics. It never holds a token. `at` is in milliseconds since the epoch. */
export type BindingEvent =
  & { readonly at: number; readonly caller?: Pick<Caller, "id" | "tenant"> }
  & (
    | {
      readonly type: "issued";
      /** The grant's id, jti. */
      readonly token: string;
      readonly subscriptions: readonly string[];
      readonly expiresAt: number;
    }
    | {
      readonly type: "refused" | "bind-refused";
      readonly code: string;
      readonly subscriptions?: readonly string[];
    }
    | { readonly type: "bound"; readonly token: string; readonly subscription: string; readonly renewed: boolean }
    | { readonly type: "delivered"; readonly subscription: string; readonly first: number; readonly last: number }
    | {
      readonly type: "ended";
      readonly subscription: string;
      readonly reason: EndReason;
      /** No binding to this Subscription is left in this process: a host may collect it. */
      readonly lastOfSubscription: boolean;
    }
    | { readonly type: "dropped"; readonly code: 1003 | 1008 | 1009 | 1011 | 1013 }
    | { readonly type: "error"; readonly during: HostCall; readonly cause: unknown }
  );
