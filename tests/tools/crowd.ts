import {
  type BindingSocket,
  type Caller,
  createNotifier,
  createSocketBinder,
  type Notifier,
  type SocketBinder,
  type SocketBinderOptions,
  type SocketSession,
  type TokenSigner,
} from "@fhir-ws/binding";
import { createMemoryBus, createMemoryEventLog } from "@fhir-ws/binding/storage/memory";
import { assert } from "@std/assert";
import { FakeTime } from "../socket/fake_time.ts";
import { makeSubscription } from "../socket/subscriptions.ts";
import { produced } from "./produced.ts";

export const BASE = "https://example.org/fhir/R5";

/** A socket that keeps nothing but a place in the sequence, so that there can be millions of frames. */
export interface Counter {
  /** Takes what is sent into its buffer, and nothing out of there. */
  stalled: boolean;
  bufferedAmount: number;
  readonly session: SocketSession;
  /** Handshakes so far. */
  readonly handshakes: number;
  /** The number of the last event, or of the handshake before the first. */
  readonly last: number;
  /** Events so far. */
  readonly events: number;
  /** The first thing that was wrong: a gap, a repetition, an event before the handshake, a refusal. */
  readonly wrong: string | undefined;
}

/** A binder and a notifier in a fake time, with a signer whose tokens are JSON and cost nothing. */
export interface Crowd {
  readonly time: FakeTime;
  readonly binder: SocketBinder;
  readonly notifier: Notifier;
  open(): Promise<Counter>;
  bind(counter: Counter, token: string): Promise<void>;
}

/** A token is its grant in base64. */
export const PLAIN_SIGNER: TokenSigner = {
  sign: (grant) => btoa(JSON.stringify(grant)),
  verify: (token) => JSON.parse(atob(token)),
};

export async function mintPlain(time: FakeTime, subscriptions: readonly string[], caller: Caller): Promise<string> {
  const issuedAt = time.now() / 1000;
  return await PLAIN_SIGNER.sign({
    id: `jti-${Math.random()}`,
    audience: BASE,
    caller,
    subscriptions,
    issuedAt,
    expiresAt: issuedAt + 86_400,
  });
}

/** All Subscriptions are there, active and everybody's. */
export function createCrowd(
  options: Partial<SocketBinderOptions> & { readonly time?: FakeTime } = {},
): Crowd {
  const { time = new FakeTime(), events = createMemoryEventLog(), bus = createMemoryBus(), ...given } = options;
  const binder = createSocketBinder({
    base: BASE,
    fhirVersion: "R5",
    websocketUrl: "wss://example.org/ws",
    tokens: PLAIN_SIGNER,
    subscriptions: { read: (id) => makeSubscription(id, "R5") },
    events,
    bus,
    now: time.now,
    limits: { framesPerSecond: 1e9, socketsPerCaller: 1000 },
    ...given,
  });
  return {
    time,
    binder,
    notifier: createNotifier({ base: BASE, events, bus }),
    async open() {
      const request = new Request("https://example.org/ws", { headers: { upgrade: "websocket" } });
      const admission = await binder.admit(request);
      assert(admission.refused === undefined);
      return count((socket) => admission.open(socket));
    },
    async bind({ session }, token) {
      session.receive(`bind-with-token ${token}`);
      await time.settle();
    },
  };
}

function count(open: (socket: BindingSocket) => SocketSession): Counter {
  const wrong = undefined as string | undefined;
  const counter = { stalled: false, bufferedAmount: 0, handshakes: 0, last: 0, events: 0, wrong };
  const session = open({
    reportsDrain: true,
    get bufferedAmount() {
      return counter.bufferedAmount;
    },
    send(text) {
      produced(text);
      if (counter.stalled) counter.bufferedAmount += text.length;
      const handshake = /"type":"handshake","eventsSinceSubscriptionStart":"(\d+)"/.exec(text);
      if (handshake !== null) {
        counter.handshakes += 1;
        counter.last = Number(handshake[1]);
        return;
      }
      const before = counter.last;
      for (const [, number] of text.matchAll(/"eventNumber":"(\d+)"/g)) {
        if (Number(number) !== counter.last + 1) counter.wrong ??= `${number} after ${counter.last}`;
        counter.last = Number(number);
        counter.events += 1;
      }
      if (counter.handshakes === 0 || counter.last === before) counter.wrong ??= text;
    },
    close() {
      counter.wrong ??= "closed";
      queueMicrotask(() => session.closed());
    },
  });
  return Object.assign(counter, { session });
}
