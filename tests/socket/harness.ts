import {
  type BindingEvent,
  type Caller,
  createJwtSigner,
  createNotifier,
  createOpaqueSigner,
  createSocketBinder,
  type Dialect,
  type EventLog,
  type FhirSubscription,
  type FhirVersion,
  type NotificationBus,
  type NotificationEvent,
  type RevokingNotifier,
  type SocketAdmission,
  type SocketBinder,
  type SocketBinderOptions,
  type SubscriptionStore,
  type TokenSigner,
  type TokenStore,
} from "@fhir-ws/binding";
import {
  createMemoryBus,
  createMemoryEventLog,
  createMemorySubscriptionStore,
  createMemoryTokenStore,
} from "@fhir-ws/binding/storage/memory";
import { assert, assertEquals } from "@std/assert";
import { assertAsked } from "./asked.ts";
import { FakeHost } from "./fake_host.ts";
import { FakeSocket, type FakeSocketOptions } from "./fake_socket.ts";
import { FakeTime } from "./fake_time.ts";
import { hookBus, hookHost, hookLog, hookSigner, hookSubscriptions } from "./hooks.ts";
import type { ServerFrame } from "./server_frame.ts";
import { makeSubscription, type SubscriptionWish } from "./subscriptions.ts";

export { type Callback, FakeHost, type Hold } from "./fake_host.ts";
export { FakeSocket } from "./fake_socket.ts";
export { FakeTime, START } from "./fake_time.ts";
export { inWords, type ReadNotification, type ServerFrame } from "./server_frame.ts";
export { FHIR_VERSIONS, makeSubscription, TOPIC } from "./subscriptions.ts";

export const ALICE: Caller = { id: "alice" };
export const BOB: Caller = { id: "bob" };
export const WEBSOCKET_URL = "wss://example.org/ws";
/** Seconds that a token lives unless a test says otherwise. */
export const LIFETIME = 3600;

/** An event with enough in it for every content level. */
export const EVENT: NotificationEvent = {
  interaction: "update",
  focus: "Encounter/e1",
  resource: { resourceType: "Encounter", id: "e1" },
};

/** The options of the binder, and how the world around it is made. */
export interface HarnessOptions extends Partial<SocketBinderOptions> {
  /** Default `opaque`; `stateless` is a JWT that cannot be revoked. */
  readonly signer?: "opaque" | "jwt" | "stateless";
  readonly singleUse?: boolean;
  /** Events that the log keeps per Subscription. */
  readonly maxEvents?: number;
  /** A bug of the library is part of the test. */
  readonly bugs?: boolean;
}

/** What all processes of a test have in common. */
interface World {
  readonly time: FakeTime;
  readonly subscriptions: Required<SubscriptionStore>;
  readonly tokenStore: TokenStore;
  readonly tokens: TokenSigner;
  readonly events: EventLog;
  readonly bus: NotificationBus;
  /** Every token ever minted: none may show up where it does not belong. */
  readonly secrets: Set<string>;
  readonly harnesses: Harness[];
  /** All that Subscriptions ever asked for, by id. */
  readonly wishes: Map<string, SubscriptionWish[]>;
}

/** One process: a binder and a notifier of one base, and a host whose every callback the test holds in its hand. */
export interface Harness {
  readonly base: string;
  readonly version: FhirVersion;
  readonly time: FakeTime;
  readonly host: FakeHost;
  readonly binder: SocketBinder;
  /** What the binder was made of. */
  readonly options: SocketBinderOptions;
  readonly notifier: RevokingNotifier;
  /** Unhooked: changes here reach the binder only when it looks. */
  readonly subscriptions: Required<SubscriptionStore>;
  readonly tokens: TokenSigner;
  readonly tokenStore: TokenStore;
  readonly log: EventLog;
  readonly bus: NotificationBus;
  /** What `onEvent` was told. */
  readonly told: BindingEvent[];
  readonly sockets: FakeSocket[];
  /** Stores a Subscription; nobody is told. */
  put(id: string, wish?: SubscriptionWish, owner?: Caller): Promise<FhirSubscription>;
  /** Stores a Subscription and says that it has changed. */
  change(id: string, wish: SubscriptionWish, owner?: Caller): Promise<void>;
  /** A token for some Subscriptions; `lifetime` in seconds. */
  mint(ids: readonly string[], caller?: Caller, more?: MintOptions): Promise<string>;
  admit(url?: string, headers?: Record<string, string>): Promise<SocketAdmission>;
  /** A socket that nobody has opened. */
  makeSocket(options?: FakeSocketOptions): FakeSocket;
  /** A socket that was admitted. */
  open(options?: OpenOptions): Promise<FakeSocket>;
  /** Binds and returns what was answered. */
  bind(socket: FakeSocket, token: string, dialect?: Dialect, since?: Record<string, unknown>): Promise<ServerFrame[]>;
  /** A socket of its own, bound, with its handshakes taken. */
  bound(ids: readonly string[], caller?: Caller, options?: BoundOptions): Promise<FakeSocket>;
  /** Raises an event and lets it arrive. */
  notify(ids: string | readonly string[], event?: Partial<NotificationEvent>, tenant?: string): Promise<void>;
  settle(): Promise<void>;
  /** Lets milliseconds pass. */
  advance(milliseconds: number): Promise<void>;
  /** Another process, or another base, in the same world. */
  sibling(options?: HarnessOptions): Harness;
  /** The events of one type, without their time. */
  toldOf<T extends BindingEvent["type"]>(type: T): Omit<Told<T>, "at">[];
}

/** The member of the union that may have this type. */
type Told<T> = BindingEvent extends infer E ? E extends BindingEvent ? T extends E["type"] ? E : never : never : never;

export interface MintOptions {
  readonly lifetime?: number;
  readonly audience?: string;
  /** Grant id, jti. */
  readonly id?: string;
}

export interface OpenOptions extends FakeSocketOptions {
  readonly url?: string;
  readonly headers?: Record<string, string>;
}

export interface BoundOptions extends OpenOptions, MintOptions {
  readonly dialect?: Dialect;
}

/** Makes a test of what happens in a harness; what must hold at the end of each is checked in here. */
export function inHarness(run: (harness: Harness) => Promise<void> | void): () => Promise<void>;
export function inHarness(
  options: HarnessOptions,
  run: (harness: Harness) => Promise<void> | void,
): () => Promise<void>;
export function inHarness(
  first: HarnessOptions | ((harness: Harness) => Promise<void> | void),
  second?: (harness: Harness) => Promise<void> | void,
): () => Promise<void> {
  const [options, run] = typeof first === "function" ? [{}, first] : [first, second];
  return async () => {
    assert(run !== undefined);
    const harness = await createHarness(options);
    const leave = harness.time.install();
    try {
      await run(harness);
      await finish(harness, options);
    } finally {
      leave();
    }
  };
}

/** Without fake timers: `inHarness` adds them, and the checks at the end. */
export async function createHarness(options: HarnessOptions = {}): Promise<Harness> {
  const time = new FakeTime();
  const tokenStore = createMemoryTokenStore({ now: time.now });
  const { maxEvents } = options;
  return createProcess({
    time,
    tokenStore,
    tokens: await createSigner(options, tokenStore),
    subscriptions: createMemorySubscriptionStore(),
    events: createMemoryEventLog({ now: time.now, ...(maxEvents !== undefined && { maxEvents }) }),
    bus: createMemoryBus(),
    secrets: new Set(),
    harnesses: [],
    wishes: new Map(),
  }, options);
}

async function createSigner(
  { signer = "opaque", singleUse = false }: HarnessOptions,
  store: TokenStore,
): Promise<TokenSigner> {
  if (signer === "opaque") return createOpaqueSigner({ store, singleUse });
  const sign = { kid: "test", key: new Uint8Array(32).fill(7) };
  return signer === "jwt" ? await createJwtSigner({ sign, store, singleUse }) : await createJwtSigner({ sign });
}

function createProcess(world: World, options: HarnessOptions): Harness {
  const { time, subscriptions, tokenStore, secrets } = world;
  const version = options.fhirVersion ?? "R5";
  const base = options.base ?? `https://example.org/fhir/${version}`;
  const host = new FakeHost(time);
  const told: BindingEvent[] = [];
  const onEvent = (event: BindingEvent) => {
    told.push(event);
    options.onEvent?.(event);
  };
  const tokens = options.tokens ?? world.tokens;
  const log = hookLog(host, options.events ?? world.events);
  const bus = hookBus(host, options.bus ?? world.bus);
  const { signer: _signer, singleUse: _singleUse, maxEvents: _maxEvents, bugs: _bugs, ...given } = options;
  const binderOptions: SocketBinderOptions = {
    websocketUrl: WEBSOCKET_URL,
    now: time.now,
    ...hookHost(host, given),
    base,
    fhirVersion: version,
    subscriptions: hookSubscriptions(host, options.subscriptions ?? subscriptions),
    tokens: hookSigner(host, tokens),
    events: log,
    bus,
    onEvent,
  };
  const binder = createSocketBinder(binderOptions);
  const notifier = createNotifier({ base, events: log, bus, tokenStore, onEvent });
  const sockets: FakeSocket[] = [];

  const harness: Harness = {
    base,
    version,
    time,
    host,
    binder,
    options: binderOptions,
    notifier,
    subscriptions,
    tokens,
    tokenStore,
    log,
    bus,
    told,
    sockets,
    settle: () => time.settle(),
    advance: (milliseconds) => time.advance(milliseconds),
    sibling: (more = {}) => createProcess(world, more),

    async put(id, wish = {}, owner = ALICE) {
      const subscription = makeSubscription(id, version, wish);
      world.wishes.set(id, [...world.wishes.get(id) ?? [], wish]);
      await subscriptions.put(subscription, owner);
      return subscription;
    },
    async change(id, wish, owner = ALICE) {
      await harness.put(id, wish, owner);
      await notifier.changed(id, owner.tenant);
      await time.settle();
    },
    async mint(ids, caller = ALICE, { lifetime = LIFETIME, audience = base, id = crypto.randomUUID() } = {}) {
      const issuedAt = Math.floor(time.now() / 1000);
      const grant = { id, audience, caller, subscriptions: ids, issuedAt, expiresAt: issuedAt + lifetime };
      const token = await tokens.sign(grant);
      secrets.add(token);
      return token;
    },
    async admit(url = WEBSOCKET_URL, headers = {}) {
      const request = new Request(url.replace(/^ws/, "http"), { headers: { upgrade: "websocket", ...headers } });
      return await binder.admit(request);
    },
    makeSocket(socketOptions) {
      const socket = new FakeSocket(time, socketOptions);
      sockets.push(socket);
      return socket;
    },
    async open({ url, headers, ...socketOptions } = {}) {
      const admission = await harness.admit(url, headers);
      assert(admission.refused === undefined, "the socket is admitted");
      const socket = harness.makeSocket(socketOptions);
      socket.opened(admission.open(socket));
      await time.settle();
      return socket;
    },
    async bind(socket, token, dialect = "text", eventsSinceNumber) {
      const payload = { token, ...(eventsSinceNumber && { eventsSinceNumber }) };
      await socket.say(dialect === "text" ? `bind-with-token ${token}` : { type: "bind-with-token", payload });
      return socket.take();
    },
    async bound(ids, caller = ALICE, { dialect, ...more } = {}) {
      const socket = await harness.open(more);
      const frames = await harness.bind(socket, await harness.mint(ids, caller, more), dialect);
      assertEquals(frames.map(({ kind }) => kind), ids.map(() => "notification"), "each has its handshake");
      return socket;
    },
    async notify(ids, event = {}, tenant) {
      await notifier.notify(typeof ids === "string" ? [ids] : ids, { ...EVENT, ...event }, tenant);
      await time.settle();
    },
    toldOf<T extends BindingEvent["type"]>(type: T) {
      return told.filter((event): event is Told<T> => event.type === type).map(({ at: _at, ...event }) => event);
    },
  };
  world.harnesses.push(harness);
  worlds.set(harness, world);
  return harness;
}

const worlds = new WeakMap<Harness, World>();

/** After all sockets have gone nothing is left, and no secret was ever told. */
async function finish(harness: Harness, { bugs = false }: HarnessOptions): Promise<void> {
  const world = worlds.get(harness);
  assert(world !== undefined);
  const { harnesses, secrets, time } = world;
  for (const { host, sockets } of harnesses) {
    for (const socket of sockets) socket.disconnect();
    host.healAll();
  }
  // Calls that hang are given up in this time.
  await time.advance(5000);
  for (const { binder, told, sockets, options } of harnesses) {
    for (const frame of sockets.flatMap(({ frames }) => frames)) {
      assertAsked(frame, world.wishes, options.defaultContent);
    }
    assertEquals(binder.stats(), { sockets: 0, bindings: 0, subscriptions: 0 }, "nothing is left");
    const found = told.filter((event) => event.type === "error" && event.during === "internal");
    assertEquals(found.length > 0, bugs, `bugs: ${found.map(describe)}`);
    const said = sockets.flatMap(({ frames, closing }) => [...frames.map(({ text }) => text), closing?.reason ?? ""]);
    const public_ = [...said, ...told.map(describe)].join("\n");
    for (const secret of secrets) assert(!public_.includes(secret), "no token is ever told");
    await binder.close();
  }
  assertEquals(time.armed, 0, "no timer is left");
}

/** An event with everything in it, the cause of an error too. */
function describe(event: BindingEvent): string {
  const { cause } = event.type === "error" ? event : { cause: undefined };
  return JSON.stringify(event) + (cause instanceof Error ? `${cause.stack} ${cause.message} ${cause.cause}` : "");
}
