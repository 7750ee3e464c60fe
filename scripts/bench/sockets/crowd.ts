// A binder with sockets that are not there: what is left is the library's own cost.

import {
  type BindingSocket,
  createJwtSigner,
  createNotifier,
  createSocketBinder,
  type EventLog,
  handleGetWsBindingToken,
  type Notifier,
  type SocketBinder,
  type SocketBinderOptions,
  type SocketSession,
} from "@fhir-ws/binding";
import { createMemoryBus, createMemoryEventLog } from "@fhir-ws/binding/storage/memory";
import { ALICE, BASE, makeSecret, SUBSCRIPTION } from "../samples.ts";

/** A host whose store answers at once, and ways to fill it. */
export interface Crowd {
  readonly binder: SocketBinder;
  readonly notifier: Notifier;
  readonly events: EventLog;
  /** How often a Subscription was read. */
  reads(): number;
  mint(ids: readonly string[]): Promise<string>;
  /** Opens a socket, sends it a frame, and waits for as many frames as are to come of it. */
  bind(frame: string, answers: number, socket?: Sink): Promise<SocketSession>;
}

const REQUEST = new Request("https://example.org/ws", { headers: { upgrade: "websocket" } });

/** Subscriptions ask for a heartbeat if a period (seconds) is given. */
export async function createCrowd(
  heartbeatPeriod?: number,
  options: Partial<SocketBinderOptions> = {},
): Promise<Crowd> {
  let reads = 0;
  const { events = createMemoryEventLog({ maxEvents: 20000 }), bus = createMemoryBus() } = options;
  const endpoint = {
    base: BASE,
    fhirVersion: "R5" as const,
    tokens: await createJwtSigner({ sign: { kid: "k1", key: makeSecret() } }),
    subscriptions: {
      read(id: string) {
        reads++;
        return { ...SUBSCRIPTION, id, content: "full-resource", ...(heartbeatPeriod && { heartbeatPeriod }) };
      },
    },
  };
  const binder = createSocketBinder({
    ...endpoint,
    websocketUrl: "wss://example.org/ws",
    events,
    bus,
    ...options,
    limits: { sockets: 1e6, socketsPerCaller: 1e6, unboundSockets: 1e6, maxReplay: 20000, ...options.limits },
  });
  const context = { ...endpoint, sockets: binder, authenticate: () => ALICE };
  return {
    binder,
    notifier: createNotifier({ base: BASE, events, bus }),
    events,
    reads: () => reads,
    async mint(ids) {
      const query = ids.map((id) => `id=${id}`).join("&");
      const request = new Request(`${BASE}/Subscription/$get-ws-binding-token?${query}`);
      const { parameter } = await (await handleGetWsBindingToken(request, context)).json();
      return parameter[0].valueString;
    },
    async bind(frame, answers, socket = new Sink()) {
      const admission = await binder.admit(REQUEST);
      if (admission.refused) throw new Error(`Cannot measure: the binder answers ${admission.refused.status}`);
      const session = admission.open(socket);
      socket.session = session;
      await socket.take(answers, () => session.receive(frame));
      return session;
    },
  };
}

/** A socket whose peer throws away what comes. */
export class Sink implements BindingSocket {
  session: SocketSession | undefined;
  #left = 0;
  #taken: (() => void) | undefined;

  /** Resolves when as many frames have come of something. */
  take(frames: number, begin: () => void): Promise<void> {
    return new Promise((resolve) => {
      this.#left = frames;
      this.#taken = resolve;
      begin();
    });
  }

  send(_text: string): void {
    this.#left -= 1;
    if (this.#left !== 0) return;
    this.#taken?.();
    this.#taken = undefined;
  }

  close(): void {
    queueMicrotask(() => this.session?.closed());
  }
}
