// Calls of the operation while its store holds more and more Subscriptions, and calls for more and more of them.

import { type BindingTokenContext, createJwtSigner, handleGetWsBindingToken } from "@fhir-ws/binding";
import { createMemorySubscriptionStore } from "@fhir-ws/binding/storage/memory";
import { ALICE, BASE, makeSecret, SUBSCRIPTION } from "../samples.ts";
import type { Point } from "./point.ts";
import { timePerUnit } from "./timing.ts";

/** The most that one token covers. */
const MOST_IDS = 100;

export async function measureCalls(size: number): Promise<Point> {
  const subscriptions = createMemorySubscriptionStore();
  for (let n = 0; n < size; n++) await subscriptions.put({ ...SUBSCRIPTION, id: `s${n}` }, ALICE);
  const context: BindingTokenContext = {
    base: BASE,
    fhirVersion: "R5",
    subscriptions,
    tokens: await createJwtSigner({ sign: { kid: "k1", key: makeSecret() } }),
    sockets: { websocketUrl: "wss://example.org/ws" },
    authenticate: () => ALICE,
  };
  let next = 0;

  async function call(ids: number): Promise<number> {
    const query = Array.from({ length: ids }, () => `id=s${(next = (next + 7919) % size)}`).join("&");
    const request = new Request(`${BASE}/Subscription/$get-ws-binding-token?${query}`);
    const { status } = await handleGetWsBindingToken(request, context);
    if (status !== 200) throw new Error(`Cannot measure: the operation answers ${status}`);
    return 1;
  }

  return { call: await timePerUnit(() => call(1)), wideCall: await timePerUnit(() => call(MOST_IDS)) / MOST_IDS };
}
