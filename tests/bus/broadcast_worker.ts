// Another thread on the same bus: it says that it is ready, and answers each revocation with an event.

import { createBroadcastBus } from "@fhir-ws/binding/bus/broadcast";
import { workerData } from "node:worker_threads";

const bus = createBroadcastBus(workerData);
await bus.listen((message) => {
  if (message.type !== "revoked") return;
  const event = { interaction: "create", focus: "Patient/p1" } as const;
  void bus.publish({ type: "event", keys: [message.subject], numbers: [1], event });
});
await bus.publish({ type: "changed", key: "ready" });
