import { test } from "node:test";
import {
  type BindingGrant,
  type Caller,
  createJwtSigner,
  createOpaqueSigner,
  type FhirSubscription,
  type GrantDraft,
  type SubscriptionLookup,
  type TokenSigner,
  type TokenStore,
} from "@fhir-ws/binding";
import { createMemorySubscriptionStore, createMemoryTokenStore } from "@fhir-ws/binding/storage/memory";
import { assertEquals } from "@std/assert";
import {
  ALICE,
  assertRefused,
  baseOf,
  call,
  FHIR_VERSIONS,
  idParameters,
  makeHost,
  OPERATION,
  post,
  readAnswer,
  websocketSubscription,
} from "./fake_host.ts";

/** A lookup that lists and records how it was asked. */
function makeList(list: () => readonly FhirSubscription[]) {
  const asked: { readonly caller: Caller; readonly limit: number }[] = [];
  const subscriptions = {
    read: (id: string) => list().find((one) => one.id === id),
    list(caller: Caller, limit: number) {
      asked.push({ caller, limit });
      return list();
    },
  };
  return { asked, subscriptions };
}

for (const version of FHIR_VERSIONS) {
  test(`handleGetWsBindingToken covers all eligible Subscriptions of the caller without ids in ${version}`, async () => {
    const { asked, subscriptions } = makeList(() => [
      websocketSubscription("b", version),
      websocketSubscription("off", version, { status: "off" }),
      websocketSubscription("mail", version, { channel: { type: "email" }, channelType: { code: "email" } }),
      websocketSubscription("ended", version, { end: "2026-01-01T00:00:00Z" }),
      websocketSubscription("a", version, { end: "2026-01-02T03:30:00Z" }),
    ]);
    for (
      const [target, init] of [
        [OPERATION, undefined],
        [OPERATION, { method: "POST" }],
        [OPERATION, post({ resourceType: "Parameters" })],
        [OPERATION, post({ resourceType: "Parameters", parameter: [] })],
        [OPERATION, post({ resourceType: "Parameters", parameter: [{ name: "ids", valueString: "off" }] })],
      ] as const
    ) {
      const host = makeHost({ fhirVersion: version, subscriptions });
      const answer = await readAnswer(await call(host, target, init));
      assertEquals(answer.subscriptions, ["b", "a"]);
      assertEquals(answer.expiration, "2026-01-02T03:30:00.000Z");
      assertEquals(host.grants[0]?.subscriptions, ["b", "a"]);
      assertEquals(asked.splice(0), [{ caller: ALICE, limit: 100 }]);
    }
  });
}

test("handleGetWsBindingToken asks for at most maxIds and covers no more, whatever list gives", async () => {
  const many = Array.from({ length: 150 }, (_, n) => websocketSubscription(`s${n}`));
  for (const [maxIds, count] of [[undefined, 100], [3, 3]] as const) {
    const { asked, subscriptions } = makeList(() => many);
    const host = makeHost({ subscriptions, ...(maxIds !== undefined && { maxIds }) });
    const answer = await readAnswer(await call(host, OPERATION));
    assertEquals(answer.subscriptions, many.slice(0, count).map(({ id }) => id ?? ""));
    assertEquals(asked.map(({ limit }) => limit), [count]);
  }
});

test("handleGetWsBindingToken covers a Subscription once that is listed twice", async () => {
  const { subscriptions } = makeList(() => ["a", "b", "a"].map((id) => websocketSubscription(id)));
  assertEquals((await readAnswer(await call(makeHost({ subscriptions }), OPERATION))).subscriptions, ["a", "b"]);
});

const NOTHING: Readonly<Record<string, unknown>> = {
  "no Subscription": [],
  "nothing at all": undefined,
  "only ineligible ones": [websocketSubscription("off", "R5", { status: "off" })],
  "only nonsense": [null, undefined, 1, "s1", [], {}, { id: 7 }, { id: "a_b" }, { resourceType: "Subscription" }],
  "only Subscriptions without a usable id": [{ ...websocketSubscription("x"), id: "a_b" }],
};
for (const [name, listed] of Object.entries(NOTHING)) {
  test(`handleGetWsBindingToken answers 422 when list gives ${name}`, async () => {
    const list = (): readonly FhirSubscription[] => listed as readonly FhirSubscription[]; // as a careless host would
    const host = makeHost({ subscriptions: { read: () => undefined, list } });
    const issue = await assertRefused(await call(host, OPERATION), 422, "business-rule");
    assertEquals(issue.details.text, "There is no websocket Subscription to bind");
    assertEquals(host.grants, []);
  });
}

test("handleGetWsBindingToken does not list when ids are given, nor at instance level", async () => {
  const { asked, subscriptions } = makeList(() => [websocketSubscription("a")]);
  const host = makeHost({ subscriptions });
  await readAnswer(await call(host, `${OPERATION}?id=a`));
  await readAnswer(await call(host, OPERATION, post(idParameters("a"))));
  await readAnswer(await call(host, "Subscription/a/$get-ws-binding-token"));
  await assertRefused(await call(host, `${OPERATION}?id=`), 400, "value");
  assertEquals(asked, []);
});

test("handleGetWsBindingToken lists only what a store gives to this caller", async () => {
  const store = createMemorySubscriptionStore();
  await store.put(websocketSubscription("a"), ALICE);
  await store.put(websocketSubscription("b"), { id: "bob" });
  await store.put(websocketSubscription("c"), { ...ALICE, tenant: "other" });
  assertEquals((await readAnswer(await call(makeHost({ subscriptions: store }), OPERATION))).subscriptions, ["a"]);
});

// --- generations: read before the Subscriptions are ---

test("handleGetWsBindingToken puts the generations of exactly the covered Subscriptions into the grant", async () => {
  const drafts: GrantDraft[] = [];
  const grants: BindingGrant[] = [];
  const tokens: TokenSigner = {
    generations(draft) {
      drafts.push(draft);
      return [7, ...draft.subscriptions.map((id) => Number(id.slice(1)))];
    },
    sign: (grant) => (grants.push(grant), "token"),
    verify: () => Promise.reject(new Error("never")),
  };
  const { subscriptions } = makeList(() => [
    websocketSubscription("s1"),
    websocketSubscription("s2", "R5", { status: "off" }),
    websocketSubscription("s3"),
  ]);
  await readAnswer(await call(makeHost({ tokens, subscriptions }), OPERATION));
  assertEquals(drafts, [{ audience: baseOf("R5"), caller: ALICE, subscriptions: ["s1", "s2", "s3"] }]);
  assertEquals(grants.map(({ subscriptions, generations }) => [subscriptions, generations]), [
    [["s1", "s3"], [7, 1, 3]],
  ]);
});

type MakeSigner = (store: TokenStore) => Promise<TokenSigner>;

const SIGNERS: Readonly<Record<string, MakeSigner>> = {
  opaque: (store) => Promise.resolve(createOpaqueSigner({ store })),
  JWT: (store) => createJwtSigner({ sign: { kid: "k1", key: crypto.getRandomValues(new Uint8Array(32)) }, store }),
};

/** A call in which `revoked` is deleted and revoked before or after the nth look at the Subscriptions. */
interface Race {
  readonly target: string;
  readonly at: "before" | "after";
  readonly look: number;
}

async function run({ target, at, look }: Race, makeSigner: MakeSigner) {
  const store = createMemoryTokenStore();
  const tokens = await makeSigner(store);
  const live = new Map(["kept", "revoked"].map((id) => [id, websocketSubscription(id)]));
  let looks = 0;

  async function revoke(): Promise<void> {
    live.delete("revoked");
    await store.revoke(`sub:${JSON.stringify([baseOf("R5"), null, "revoked"])}`);
  }

  async function during<T>(answer: () => T): Promise<T> {
    const isNow = ++looks === look;
    if (isNow && at === "before") await revoke();
    const result = answer();
    if (isNow && at === "after") await revoke();
    return result;
  }

  const subscriptions: SubscriptionLookup = {
    read: (id) => during(() => live.get(id)),
    list: () => during(() => [...live.values()]),
  };
  return { response: await call(makeHost({ tokens, subscriptions, now: Date.now }), target), tokens };
}

for (const [kind, makeSigner] of Object.entries(SIGNERS)) {
  test(`handleGetWsBindingToken covers nothing that was revoked between list and generations, ${kind}`, async () => {
    const { response, tokens } = await run({ target: OPERATION, at: "after", look: 1 }, makeSigner);
    const { token, subscriptions } = await readAnswer(response);
    assertEquals(subscriptions, ["kept"]);
    assertEquals((await tokens.verify(token)).subscriptions, ["kept"]);
  });

  test(`handleGetWsBindingToken gives a token dead for what was revoked after it was listed, ${kind}`, async () => {
    const { response, tokens } = await run({ target: OPERATION, at: "after", look: 2 }, makeSigner);
    const { token, subscriptions } = await readAnswer(response);
    assertEquals(subscriptions, ["kept", "revoked"]);
    assertEquals((await tokens.verify(token)).subscriptions, ["kept"]);
  });

  test(`handleGetWsBindingToken gives a token dead for what was revoked after it was read, ${kind}`, async () => {
    const { response, tokens } = await run(
      { target: `${OPERATION}?id=revoked&id=kept`, at: "after", look: 1 },
      makeSigner,
    );
    const { token, subscriptions } = await readAnswer(response);
    assertEquals(subscriptions, ["revoked", "kept"]);
    assertEquals((await tokens.verify(token)).subscriptions, ["kept"]);
  });

  test(`handleGetWsBindingToken gives no token for what was revoked before it was read, ${kind}`, async () => {
    const { response } = await run({ target: `${OPERATION}?id=revoked`, at: "before", look: 1 }, makeSigner);
    await assertRefused(response, 404, "not-found");
  });
}

test("handleGetWsBindingToken lists once for a signer without generations, and reads them before all else", async () => {
  const order: string[] = [];
  const subscriptions = {
    read: () => undefined,
    list: () => (order.push("list"), [websocketSubscription("a")]),
  };
  const plain: TokenSigner = { sign: () => (order.push("sign"), "token"), verify: () => Promise.reject(new Error()) };
  await readAnswer(await call(makeHost({ subscriptions, tokens: plain }), OPERATION));
  assertEquals(order.splice(0), ["list", "sign"]);
  const tokens = { ...plain, generations: () => (order.push("generations"), [0, 0]) };
  await readAnswer(await call(makeHost({ subscriptions, tokens }), OPERATION));
  assertEquals(order, ["list", "generations", "list", "sign"]);
});
