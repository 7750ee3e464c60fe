// What every example mounts: one base with one Subscription, of a caller who logs in by name.

import { type BindingTokenContext, createJwtSigner, createNotifier, createSocketBinder } from "@fhir-ws/binding";
import { createMemoryBus, createMemoryEventLog, createMemorySubscriptionStore } from "@fhir-ws/binding/storage/memory";
import { endWithParent } from "../server/parent.ts";

endWithParent();

const base = "https://example.org/fhir/R5";
const subscriptions = createMemorySubscriptionStore();
const [events, bus] = [createMemoryEventLog(), createMemoryBus()];
const endpoint = {
  base,
  fhirVersion: "R5",
  subscriptions,
  tokens: await createJwtSigner({ sign: { kid: "1", key: crypto.getRandomValues(new Uint8Array(32)) } }),
} as const;
const s1 = { resourceType: "Subscription", id: "s1", status: "active", channelType: { code: "websocket" } } as const;
await subscriptions.put(s1, { id: "alice" });

export const binder = createSocketBinder({ ...endpoint, websocketUrl: "wss://example.org/ws", events, bus });

export const context: BindingTokenContext = {
  ...endpoint,
  sockets: binder,
  authenticate: (request) => {
    const [, id] = /^Bearer (\w+)$/.exec(request.headers.get("authorization") ?? "") ?? [];
    return id === undefined ? undefined : { id };
  },
};

const notifier = createNotifier({ base, events, bus });

/** A write of the host's. */
export async function writePatient(id: string): Promise<{ readonly resourceType: "Patient"; readonly id: string }> {
  await notifier.notify(["s1"], { interaction: "update", focus: `Patient/${id}` });
  return { resourceType: "Patient", id };
}

/** Tells the test where the example listens. */
export function listening(port: number): void {
  console.log(`Listening on http://127.0.0.1:${port}`);
}
