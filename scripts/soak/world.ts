// The server under test: a binder behind the Deno adapter, the operation beside it, and stores in memory.

import {
  type BindingTokenContext,
  type Caller,
  createJwtSigner,
  createNotifier,
  createSocketBinder,
  type EventLog,
  type FhirSubscription,
  handleGetWsBindingToken,
  isBindingTokenRequest,
  type RevokingNotifier,
  type SocketBinder,
} from "@fhir-ws/binding";
import { createDenoSockets } from "@fhir-ws/binding/server/deno";
import {
  createMemoryBus,
  createMemoryEventLog,
  createMemorySubscriptionStore,
  createMemoryTokenStore,
} from "@fhir-ws/binding/storage/memory";
import { LIMITS } from "./limits.ts";
import type { Plan } from "./plan.ts";

/** A running server. */
export interface World {
  readonly port: number;
  readonly binder: SocketBinder;
  readonly notifier: RevokingNotifier;
  /** What the endpoint's `onEvent` was told, by type and reason. */
  readonly counts: ReadonlyMap<string, number>;
  /** What it should not have been told. */
  readonly errors: readonly string[];
  /** The number of the last event, by Subscription. */
  heads(): Promise<ReadonlyMap<string, number>>;
  /** Forgets all events: what a soak has written is no leak. */
  forget(): Promise<void>;
  stop(): Promise<void>;
}

/** Serves on a free port of 127.0.0.1. `wrapLog` stands between the library and its log. */
export async function createWorld(
  plan: Plan,
  random: () => number,
  wrapLog: (log: EventLog) => EventLog = (log) => log,
): Promise<World> {
  const counts = new Map<string, number>();
  const errors: string[] = [];
  const handler = Promise.withResolvers<(request: Request) => Promise<Response>>();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async (request) => await (await handler.promise)(request),
  );
  const origin = `127.0.0.1:${server.addr.port}`;
  const base = `http://${origin}/fhir/R5`;
  const [store, bus, tokenStore] = [createMemorySubscriptionStore(), createMemoryBus(), createMemoryTokenStore()];
  const events = wrapLog(createMemoryEventLog({ maxEvents: 2000 }));
  const tokens = await createJwtSigner({
    sign: { kid: "soak", key: crypto.getRandomValues(new Uint8Array(32)) },
    store: tokenStore,
  });
  const endpoint = {
    base,
    fhirVersion: "R5" as const,
    tokens,
    subscriptions: store,
    storeTimeout: 30_000, // a machine that is overwhelmed is late, which proves nothing against the library
    onEvent(event: { readonly type: string; readonly reason?: string; readonly code?: string | number }): void {
      const name = [event.type, event.reason ?? event.code].filter((part) => part !== undefined).join(" ");
      counts.set(name, (counts.get(name) ?? 0) + 1);
      if (event.type === "error") errors.push(Deno.inspect(event));
    },
  };
  const binder = createSocketBinder({
    ...endpoint,
    websocketUrl: `ws://${origin}/ws`,
    events,
    bus,
    limits: { ...LIMITS, sockets: 2 * plan.sockets + 100, unboundSockets: plan.sockets + 100, maxReplay: 2000 },
  });
  const context: BindingTokenContext = {
    ...endpoint,
    sockets: binder,
    authenticate: (request) => callerOf(request),
  };
  const notifier = createNotifier({ base, events, bus, tokenStore });
  const sockets = createDenoSockets(binder);
  for (const { id, caller, isHeavy } of plan.subscriptions) await store.put(subscription(id, isHeavy), { id: caller });

  /** Makes a change that a client asks for, and answers when it is done. */
  async function change(request: Request): Promise<Response> {
    const { status, id, caller, revoke } = await request.json();
    if (revoke !== undefined) await notifier.revoke(revoke);
    else {
      const known = await store.read(id, { id: caller });
      if (known !== undefined) await store.put({ ...known, status } as FhirSubscription, { id: caller });
      await notifier.changed(id);
    }
    return new Response(null, { status: 204 });
  }

  handler.resolve(async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/ws") return await sockets.upgrade(request);
    if (pathname === "/change") return await change(request);
    if (!isBindingTokenRequest(request)) return new Response(null, { status: 404 });
    const { shortest, longest } = plan.lifetime;
    const tokenLifetime = shortest + Math.floor(random() * (longest - shortest + 1));
    return await handleGetWsBindingToken(request, { ...context, tokenLifetime });
  });

  return {
    port: server.addr.port,
    binder,
    notifier,
    counts,
    errors,
    async heads() {
      const ids = plan.subscriptions.map(({ id }) => id);
      const heads = await events.heads(ids.map((id) => JSON.stringify([base, null, id])));
      return new Map(ids.map((id, n) => [id, heads[n] ?? 0]));
    },
    async forget() {
      for (const { id } of plan.subscriptions) await events.drop(JSON.stringify([base, null, id]));
    },
    async stop() {
      await binder.close();
      await server.shutdown();
    },
  };
}

function callerOf(request: Request): Caller | undefined {
  const id = request.headers.get("authorization")?.replace(/^Bearer /, "");
  return id === undefined ? undefined : { id };
}

function subscription(id: string, isHeavy: boolean): FhirSubscription {
  return {
    resourceType: "Subscription",
    id,
    status: "active",
    topic: "http://example.org/SubscriptionTopic/Patient",
    channelType: { code: "websocket" },
    content: isHeavy ? "full-resource" : "id-only",
  } as FhirSubscription; // a Subscription of R5, of which the library's own type knows less
}
