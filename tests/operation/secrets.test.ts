import { test } from "node:test";
import { createJwtSigner, createOpaqueSigner, type TokenSigner } from "@fhir-ws/binding";
import { createMemoryTokenStore } from "@fhir-ws/binding/storage/memory";
import { assertEquals, assertFalse, assertGreater } from "@std/assert";
import { call, type HostOptions, makeHost, OPERATION, readAnswer, readIssues } from "./fake_host.ts";

const KEY = crypto.getRandomValues(new Uint8Array(32));
const SIGNERS: Readonly<Record<string, () => Promise<TokenSigner>>> = {
  JWT: () => createJwtSigner({ sign: { kid: "k1", key: KEY } }),
  opaque: () => Promise.resolve(createOpaqueSigner({ store: createMemoryTokenStore() })),
  "single-use": () => Promise.resolve(createOpaqueSigner({ store: createMemoryTokenStore(), singleUse: true })),
};

/** All that can be read of a value, messages, causes and stacks of errors included. */
function everythingIn(value: unknown, seen = new Set<unknown>()): string {
  if (typeof value !== "object" || value === null) return String(value);
  if (seen.has(value)) return "";
  seen.add(value);
  return Object.getOwnPropertyNames(value).map((name) => `${name} ${everythingIn(Reflect.get(value, name), seen)}`)
    .join("\n");
}

for (const [kind, makeSigner] of Object.entries(SIGNERS)) {
  test(`handleGetWsBindingToken puts the ${kind} token into the body and nowhere else (T36)`, async (t) => {
    const written: unknown[] = [];
    const mocks = (["log", "info", "warn", "error", "debug", "trace"] as const).map((name) =>
      t.mock.method(console, name, (...args: unknown[]) => void written.push(args))
    );
    try {
      const host = makeHost({ tokens: await makeSigner(), now: Date.now });
      const response = await call(host);
      const headers = JSON.stringify([...response.headers]);
      const text = await response.clone().text();
      const { token, websocketUrl } = await readAnswer(response);
      assertGreater(token.length, 40);
      assertEquals(text.split(token).length, 2);
      const parts = token.split(".").filter((part) => part.length > 20);
      for (const elsewhere of [headers, websocketUrl, everythingIn(host.events), everythingIn(written)]) {
        for (const part of parts) assertFalse(elsewhere.includes(part));
      }
      assertEquals(host.events.map(({ type }) => type), ["issued"]);
      assertEquals(written, []);
    } finally {
      for (const { mock } of mocks) mock.restore();
    }
  });
}

const CREDENTIALS = "hunter2-access-token";

/** Every way to be refused that knows credentials or a token. */
const REFUSALS: Readonly<Record<string, HostOptions>> = {
  "wrong credentials": { authenticate: () => undefined },
  "a limiter": { rateLimit: () => 1 },
  "a store that is down": { subscriptions: { read: () => Promise.reject(new Error("down")) } },
  "an unknown Subscription": { known: [] },
  "a signer that is down": {
    tokens: { sign: () => Promise.reject(new Error("down")), verify: () => Promise.reject(new Error("never")) },
  },
  "a token of two words": {
    tokens: { sign: () => `hunter2 ${CREDENTIALS}`, verify: () => Promise.reject(new Error("never")) },
  },
  "a token that is too long": {
    tokens: { sign: () => CREDENTIALS.repeat(1000), verify: () => Promise.reject(new Error("never")) },
  },
};
for (const [name, options] of Object.entries(REFUSALS)) {
  test(`handleGetWsBindingToken repeats no credentials and no token after ${name} (T36)`, async () => {
    const host = makeHost(options);
    const response = await call(host, undefined, { headers: { authorization: `Bearer ${CREDENTIALS}` } });
    assertGreater(response.status, 399);
    const told = [JSON.stringify([...response.headers]), await response.clone().text(), everythingIn(host.events)];
    for (const text of told) assertFalse(text.includes("hunter2"));
    await readIssues(response, response.status);
  });
}

test("handleGetWsBindingToken reports callers without their claims", async () => {
  const caller = { id: "alice", tenant: "acme", claims: { ssn: "hunter2" } };
  const host = makeHost({ authenticate: () => caller });
  await call(host);
  await call(host, `${OPERATION}?id=nobodys`);
  assertEquals(host.events.map((event) => event.caller), [
    { id: "alice", tenant: "acme" },
    { id: "alice", tenant: "acme" },
  ]);
  assertFalse(everythingIn(host.events).includes("hunter2"));
});
