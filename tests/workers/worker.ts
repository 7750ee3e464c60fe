// What runs in workerd: the operation in the Worker, everything with a socket in the Durable Object. Whatever can be made
// at global scope is made there: workerd would refuse to start if that set a timer, drew a number or read something.

import {
  createNotifier,
  createOpaqueSigner,
  createSocketBinder,
  handleGetWsBindingToken,
  isBindingTokenRequest,
  type TokenStore,
} from "../../mod.ts";
import { createWorkerSockets } from "../../adapters/server/workers.ts";
import { createMemoryBus, createMemoryEventLog, createMemoryTokenStore } from "../../adapters/storage/memory.ts";

/** How a Worker calls its Durable Object. */
interface Environment {
  readonly SOCKETS: {
    idFromName(name: string): unknown;
    get(id: unknown): { fetch(request: Request): Promise<Response> };
  };
}

const base = "https://example.org/fhir/R5";
const websocketUrl = "wss://example.org/ws";
const subscription = {
  resourceType: "Subscription",
  id: "s1",
  status: "active",
  channelType: { code: "websocket" },
} as const;

const store = createMemoryTokenStore();
const shared = {
  base,
  fhirVersion: "R5",
  subscriptions: { read: (id: string) => (id === "s1" ? subscription : undefined) },
} as const;
const events = createMemoryEventLog();
const bus = createMemoryBus();
const atGlobalScope = {
  binder: createSocketBinder({ ...shared, tokens: createOpaqueSigner({ store }), websocketUrl, events, bus }),
  notifier: createNotifier({ base, events, bus, tokenStore: store }),
};
const sockets = createWorkerSockets(atGlobalScope.binder);

/** Tokens that the Worker mints are kept by the object. */
function storeOf(env: Environment): TokenStore {
  async function call(name: string, ...args: unknown[]): Promise<unknown> {
    const body = JSON.stringify(args);
    const answer = await objectOf(env).fetch(new Request(`https://object/store/${name}`, { method: "POST", body }));
    return answer.json();
  }
  return {
    put: async (...args) => void await call("put", ...args),
    get: async (digest) => (await call("get", digest) ?? undefined) as Awaited<ReturnType<TokenStore["get"]>>,
    redeem: async (...args) => await call("redeem", ...args) === true,
    revoke: async (subject) => void await call("revoke", subject),
    generations: async (subjects) => await call("generations", subjects) as number[],
  };
}

function objectOf(env: Environment): { fetch(request: Request): Promise<Response> } {
  return env.SOCKETS.get(env.SOCKETS.idFromName(base));
}

export default {
  fetch(request: Request, env: Environment): Promise<Response> {
    if (!isBindingTokenRequest(request)) return objectOf(env).fetch(request);
    const tokens = createOpaqueSigner({ store: storeOf(env) });
    const authenticate = () => ({ id: "alice" });
    return handleGetWsBindingToken(request, { ...shared, tokens, sockets: { websocketUrl }, authenticate });
  },
};

/** The Durable Object. */
export class Sockets {
  async fetch(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const [, first, second = ""] = pathname.split("/");
    if (first === "store") {
      const args = await request.json();
      const method = store[second as keyof TokenStore] as (...args: unknown[]) => unknown; // the Worker above calls it
      return Response.json(await method(...args) ?? null);
    }
    if (first === "notify") {
      return Response.json(await atGlobalScope.notifier.notify(["s1"], { interaction: "update", focus: "Patient/p1" }));
    }
    if (first === "stats") return Response.json(atGlobalScope.binder.stats());
    if (first === "close") {
      await atGlobalScope.binder.close();
      return new Response(null, { status: 204 });
    }
    return await sockets.upgrade(request);
  }
}
