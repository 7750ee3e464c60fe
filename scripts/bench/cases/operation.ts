import { type BindingTokenContext, createJwtSigner, handleGetWsBindingToken } from "@fhir-ws/binding";
import { createMemorySubscriptionStore } from "@fhir-ws/binding/storage/memory";
import type { BenchCase, BenchSetup } from "../bench_case.ts";
import { ALICE, BASE, hmacKey, makeSecret, SUBSCRIPTION } from "../samples.ts";

export const cases: readonly BenchCase[] = [{
  name: "operation",
  title: "one GET Subscription/[id]/$get-ws-binding-token, memory lookup, HS256",
  setup: setupOperation,
}];

async function setupOperation(): Promise<BenchSetup> {
  const secret = makeSecret();
  const subscriptions = createMemorySubscriptionStore();
  await subscriptions.put(SUBSCRIPTION, ALICE);
  const context: BindingTokenContext = {
    base: BASE,
    fhirVersion: "R5",
    subscriptions,
    tokens: await createJwtSigner({ sign: { kid: "k1", key: secret } }),
    sockets: { websocketUrl: "wss://example.org/ws" },
    authenticate: () => ALICE,
  };
  const request = new Request(`${BASE}/Subscription/${SUBSCRIPTION.id}/$get-ws-binding-token`, {
    headers: { accept: "application/fhir+json", authorization: "Bearer xyz" },
  });
  const answer = await handleGetWsBindingToken(request.clone(), context);
  if (answer.status !== 200) throw new Error(`Cannot measure: the operation answers ${answer.status}`);
  return {
    variants: {
      ours: () => handleGetWsBindingToken(request, context),
      floor: await makeFloor(request.url, secret, await answer.json()),
    },
    comparisons: [{ against: "floor", costAtMost: 2 }],
  };
}

interface Answer {
  readonly parameter: readonly { readonly name: string; readonly valueString?: string }[];
}

/** The least that any implementation does: parse the URL, sign as many bytes, answer with as many. */
async function makeFloor(
  url: string,
  secret: Uint8Array<ArrayBuffer>,
  answer: Answer,
): Promise<() => Promise<Response>> {
  const key = await hmacKey(secret);
  const token = answer.parameter.find(({ name }) => name === "token")?.valueString ?? "";
  const input = new TextEncoder().encode(token.slice(0, token.lastIndexOf(".")));
  return async () => {
    new URL(url);
    await crypto.subtle.sign("HMAC", key, input);
    return Response.json(answer);
  };
}
