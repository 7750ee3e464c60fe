// From notify() to the last send: events of 1 KiB to thousands of sockets, whose other ends are in a second process.

import {
  type BindingSocket,
  createJwtSigner,
  createNotifier,
  createSocketBinder,
  type FhirResource,
  handleGetWsBindingToken,
  notificationBundle,
  type NotificationEvent,
  type Notifier,
  type SocketAdmission,
  type SocketBinder,
} from "@fhir-ws/binding";
import { createMemoryBus, createMemoryEventLog } from "@fhir-ws/binding/storage/memory";
import type { BenchCase, BenchSetup } from "../bench_case.ts";
import { ALICE, BASE, makeSecret, SUBSCRIPTION } from "../samples.ts";
import { serve } from "../sockets/serve.ts";
import { startClients } from "../sockets/start_clients.ts";

export const cases: readonly BenchCase[] = [
  fanOut("fan-out-one", "one event to 2,000 sockets of one Subscription", 1, 2000, 0.7),
  fanOut("fan-out-many", "one event to 2,000 Subscriptions with one socket each", 2000, 2000, 0.4),
  fanOut("fan-out-one-more", "one event to 5,000 sockets of one Subscription", 1, 5000, 0.75),
  fanOut("fan-out-many-more", "one event to 5,000 Subscriptions with one socket each", 5000, 5000, 0.5),
];

function fanOut(name: string, title: string, subscriptions: number, sockets: number, speedAtLeast: number): BenchCase {
  return { name, title, setup: () => setup(subscriptions, sockets, speedAtLeast) };
}

/** A resource whose JSON is as long as a small real one. */
const RESOURCE: FhirResource & { readonly note: string } = {
  resourceType: "Patient",
  id: "p1",
  note: "x".repeat(960),
};
const EVENT: NotificationEvent = { interaction: "update", focus: "Patient/p1", resource: RESOURCE };

async function setup(subscriptions: number, sockets: number, speedAtLeast: number): Promise<BenchSetup> {
  const ids = Array.from({ length: subscriptions }, (_, n) => `s${n}`);
  const host = await createHost();
  const server = await serve(host.binder);
  const clients = openClients();
  const tokens = await Promise.all(ids.map(host.mint));
  const frames = Array.from({ length: sockets }, (_, n) => `bind-with-token ${tokens[n % tokens.length]}`);
  await clients.open(`ws://127.0.0.1:${server.port}/ws`, sockets, frames);
  await clients.open(`ws://127.0.0.1:${server.port}/bare`, sockets, []);
  const text = "x".repeat(frameLength());
  let sent = sockets; // the handshakes
  return {
    variants: {
      async ours() {
        sent += sockets;
        await host.notifier.notify(ids, EVENT);
        await emptied(host.sockets);
      },
      async bare() {
        sent += sockets;
        for (const socket of server.bare) socket.send(text);
        await emptied(server.bare);
      },
    },
    comparisons: [{ against: "bare", speedAtLeast }],
    async teardown() {
      const received = await clients.received(sent);
      clients.stop();
      await host.binder.close();
      server.stop();
      if (received !== sent) throw new Error(`Cannot trust the figures: ${sent} frames were sent, ${received} came`);
    },
  };
}

interface Host {
  readonly binder: SocketBinder;
  /** The sockets behind the binder, to look at their buffers. */
  readonly sockets: readonly Pick<BindingSocket, "bufferedAmount">[];
  readonly notifier: Notifier;
  mint(id: string): Promise<string>;
}

async function createHost(): Promise<Host> {
  const sockets: BindingSocket[] = [];
  const [events, bus] = [createMemoryEventLog(), createMemoryBus()];
  const endpoint = {
    base: BASE,
    fhirVersion: "R5" as const,
    tokens: await createJwtSigner({ sign: { kid: "k1", key: makeSecret() } }),
    subscriptions: { read: (id: string) => ({ ...SUBSCRIPTION, id, content: "full-resource" }) },
  };
  const limits = { sockets: 20000, socketsPerCaller: 20000 };
  const binder = createSocketBinder({ ...endpoint, websocketUrl: "ws://127.0.0.1/ws", events, bus, limits });
  const context = { ...endpoint, sockets: binder, authenticate: () => ALICE };
  return {
    binder: { ...binder, admit: async (request) => note(await binder.admit(request), sockets) },
    sockets,
    notifier: createNotifier({ base: BASE, events, bus }),
    async mint(id) {
      const request = new Request(`${BASE}/Subscription/${id}/$get-ws-binding-token`);
      const { parameter } = await (await handleGetWsBindingToken(request, context)).json();
      return parameter[0].valueString;
    },
  };
}

function note(admission: SocketAdmission, sockets: BindingSocket[]): SocketAdmission {
  if (admission.refused) return admission;
  return {
    open(socket) {
      sockets.push(socket);
      return admission.open(socket);
    },
  };
}

/** How long the text of one notification is. */
function frameLength(): number {
  const subscription = { ...SUBSCRIPTION, content: "full-resource" };
  const content = { type: "event-notification", events: [{ ...EVENT, number: 1000 }] } as const;
  return JSON.stringify(notificationBundle({ base: BASE, fhirVersion: "R5" }, subscription, content)).length;
}

async function emptied(sockets: readonly { readonly bufferedAmount?: number }[]): Promise<void> {
  for (const socket of sockets) {
    while ((socket.bufferedAmount ?? 0) > 0) await new Promise((resume) => setTimeout(resume));
  }
}

interface Clients {
  open(url: string, count: number, frames: readonly string[]): Promise<void>;
  /** How many frames have come, after waiting for as many as are expected while any come. */
  received(expected: number): Promise<number>;
  stop(): void;
}

function openClients(): Clients {
  const { ask, stop } = startClients();

  async function count(): Promise<number> {
    return await ask({ count: 0, frames: [] });
  }

  return {
    open: async (url, count, frames) => void await ask({ url, count, frames }),
    async received(expected) {
      let received = await count();
      // The other process may be far behind: it is waited for as long as it moves.
      for (let before = -1; received > before && received < expected;) {
        before = received;
        await new Promise((resume) => setTimeout(resume, 1000));
        received = await count();
      }
      return received;
    },
    stop,
  };
}
