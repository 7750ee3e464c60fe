// A worker with a binder of its own, over a log and a bus that it shares with other threads: `workerData` is a
// `WorkerServer`. It binds one socket and posts each frame that this is sent.

import { createJwtSigner, createSocketBinder, type SocketSession } from "@fhir-ws/binding";
import { createBroadcastBus } from "@fhir-ws/binding/bus/broadcast";
import { createSqliteEventLog, createSqliteTokenStore } from "@fhir-ws/binding/storage/sqlite";
import { parentPort, workerData } from "node:worker_threads";
import { drivers } from "../storage/drivers.ts";

/** What such a worker is told. */
export interface WorkerServer {
  readonly base: string;
  readonly driver: string;
  readonly file: string;
  readonly bus: string;
  readonly key: Uint8Array<ArrayBuffer>;
  readonly token: string;
}

const { base, driver, file, bus, key, token }: WorkerServer = workerData;
const db = drivers.find(({ name }) => name === driver)!.open(file);
const binder = createSocketBinder({
  base,
  fhirVersion: "R5",
  tokens: await createJwtSigner({ sign: { kid: "k1", key }, store: createSqliteTokenStore(db) }),
  subscriptions: {
    read: (id) => ({ resourceType: "Subscription", id, status: "active", channelType: { code: "websocket" } }),
  },
  websocketUrl: "wss://example.org/ws",
  events: createSqliteEventLog(db),
  bus: createBroadcastBus(bus),
  reconcile: 3600, // what comes is brought by the bus and by nothing else
});
const admission = await binder.admit(new Request("https://example.org/ws", { headers: { upgrade: "websocket" } }));
if (admission.refused) throw new Error(`refused with ${admission.refused.status}`);
const session: SocketSession = admission.open({
  send: (text) => parentPort!.postMessage(text),
  close: () => queueMicrotask(() => session.closed()),
});
session.receive(`bind-with-token ${token}`);
