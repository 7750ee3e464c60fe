import { test } from "node:test";
import { BindingError, createJwtSigner, createOpaqueSigner, type FhirSubscription } from "@fhir-ws/binding";
import { createMemoryTokenStore } from "@fhir-ws/binding/storage/memory";
import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  assertRefused,
  baseOf,
  call,
  FHIR_VERSIONS,
  idParameters,
  makeHost,
  NOW,
  OPERATION,
  post,
  readAnswer,
  readFixture,
  readIssues,
  TOKEN,
  WEBSOCKET_URL,
  websocketSubscription,
} from "./fake_host.ts";

const SECOND = Math.floor(NOW / 1000);

function off(id: string): FhirSubscription {
  return websocketSubscription(id, "R5", { status: "off" });
}

function instant(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

// --- the answer ---

for (const version of FHIR_VERSIONS) {
  test(`handleGetWsBindingToken answers in ${version} by the published Parameters to the letter`, async () => {
    const sample = await readFixture("responses/parameters-two-subscriptions.json");
    const response = await call(makeHost({ fhirVersion: version }), `${OPERATION}?id=abc123&id=def456`);
    const expected = sample.replace("opaque-token", TOKEN).replace("2030-01-01T00:00:00Z", "2026-01-02T04:04:05.000Z");
    assertEquals(await response.text(), JSON.stringify(JSON.parse(expected)));
  });
}

test("handleGetWsBindingToken asks the signer for exactly what it answers", async () => {
  const caller = { id: "alice", tenant: "acme", claims: { scope: ["system/*.rs"] } };
  const host = makeHost({ authenticate: () => caller });
  const answer = await readAnswer(await call(host, `${OPERATION}?id=abc123&id=def456`));
  const [grant, ...more] = host.grants;
  assert(grant !== undefined && more.length === 0);
  assertMatch(grant.id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assertEquals({ ...grant, id: "" }, {
    id: "",
    audience: baseOf("R5"),
    caller,
    subscriptions: ["abc123", "def456"],
    issuedAt: SECOND,
    expiresAt: SECOND + 3600,
  });
  assertEquals(answer, {
    token: TOKEN,
    expiration: instant(grant.expiresAt * 1000),
    subscriptions: grant.subscriptions,
    websocketUrl: WEBSOCKET_URL,
  });
  assertEquals(host.reads, ["abc123", "def456"].map((id) => ({ id, caller })));
  assertEquals(host.events, [{
    at: NOW,
    type: "issued",
    caller: { id: "alice", tenant: "acme" },
    token: grant.id,
    subscriptions: ["abc123", "def456"],
    expiresAt: grant.expiresAt,
  }]);
});

test("handleGetWsBindingToken gives every grant an id of its own", async () => {
  const host = makeHost();
  for (let n = 0; n < 20; n++) await call(host);
  assertEquals(new Set(host.grants.map(({ id }) => id)).size, 20);
});

// --- all or nothing ---

test("handleGetWsBindingToken covers all that was asked for or nothing, with one issue per bad id", async () => {
  const host = makeHost({ known: [websocketSubscription("good"), off("off"), off("off2")] });
  const parameter = ["good", "off", "nobodys", "good", "off2", "nobodys", "nobodys2"]
    .map((id) => ({ name: "id", valueId: id }));
  const issues = await readIssues(await call(host, OPERATION, post({ resourceType: "Parameters", parameter })), 404);
  assertEquals(issues.map(({ code, diagnostics, expression }) => [code, diagnostics, expression?.[0]]), [
    ["business-rule", "Subscription/off", "Parameters.parameter[1]"],
    ["not-found", "Subscription/nobodys", "Parameters.parameter[2]"],
    ["business-rule", "Subscription/off2", "Parameters.parameter[4]"],
    ["not-found", "Subscription/nobodys2", "Parameters.parameter[6]"],
  ]);
  assertEquals(host.grants, []);
  assertEquals(host.events.map(({ type }) => type), ["refused"]);
});

test("handleGetWsBindingToken names bad ids of a query by http.id, and that of a path by nothing", async () => {
  const host = makeHost({ known: [off("off")] });
  const inQuery = await readIssues(await call(host, `${OPERATION}?id=off&id=nobodys`), 404);
  assertEquals(inQuery.map(({ expression }) => expression), [["http.id"], ["http.id"]]);
  const inPath = await readIssues(await call(host, "Subscription/off/$get-ws-binding-token"), 422);
  assertEquals(inPath.map(({ expression, diagnostics }) => [expression, diagnostics]), [
    [undefined, "Subscription/off"],
  ]);
});

const PRECEDENCE: readonly (readonly [ids: readonly string[], status: number])[] = [
  [["good", "off"], 422],
  [["off", "nobodys"], 404],
  [["nobodys", "off"], 404],
  [["off", "nobodys", "a_b"], 400],
  [["good", "a_b"], 400],
];
for (const [ids, status] of PRECEDENCE) {
  test(`handleGetWsBindingToken answers ids ${ids} by ${status}`, async () => {
    const host = makeHost({ known: [websocketSubscription("good"), off("off")] });
    await readIssues(await call(host, OPERATION, post(idParameters(...ids))), status);
    await readIssues(await call(host, `${OPERATION}?${ids.map((id) => `id=${id}`).join("&")}`), status);
  });
}

test("handleGetWsBindingToken tells a stranger's Subscription and none apart by nothing but its id", async () => {
  const { ctx } = makeHost({
    subscriptions: {
      read: (id, caller) => id === "bobs" && caller.id === "bob" ? websocketSubscription(id) : undefined,
    },
  });
  const [bobs, nobodys] = await Promise.all(["bobs", "nobodys"].map(async (id) => {
    const response = await call({ ctx }, `Subscription/${id}/$get-ws-binding-token`);
    return [response.status, [...response.headers], (await response.text()).replaceAll(id, "<id>")];
  }));
  assertEquals(bobs, nobodys);
});

test("handleGetWsBindingToken answers 503 when it could not read one of several, whatever the others are", async () => {
  const host = makeHost({
    subscriptions: {
      read(id) {
        if (id === "broken") throw new Error("disk");
        return id === "good" ? websocketSubscription(id) : undefined;
      },
    },
  });
  await assertRefused(await call(host, OPERATION, post(idParameters("good", "nobodys", "broken"))), 503, "no-store");
});

test("handleGetWsBindingToken answers 403 when the host forbids one of several", async () => {
  const host = makeHost({
    subscriptions: {
      read(id) {
        if (id === "secret") throw new BindingError("forbidden");
        return websocketSubscription(id);
      },
    },
  });
  await assertRefused(await call(host, OPERATION, post(idParameters("good", "secret"))), 403, "forbidden");
  assertEquals(host.grants, []);
});

// --- what a signer may give ---

for (const length of [1, 16384]) {
  test(`handleGetWsBindingToken gives a token of ${length} characters`, async () => {
    const tokens = { sign: () => "x".repeat(length), verify: () => Promise.reject(new Error("never")) };
    assertEquals((await readAnswer(await call(makeHost({ tokens })))).token.length, length);
  });
}

test("handleGetWsBindingToken answers 422 when the token would be longer than a frame can carry", async () => {
  const tokens = { sign: () => "x".repeat(16385), verify: () => Promise.reject(new Error("never")) };
  await assertRefused(await call(makeHost({ tokens })), 422, "too-costly");
  const claims = { groups: "x".repeat(20000) };
  const opaque = createOpaqueSigner({ store: createMemoryTokenStore() });
  const jwt = await createJwtSigner({ sign: { kid: "k1", key: crypto.getRandomValues(new Uint8Array(32)) } });
  const authenticate = () => ({ id: "alice", claims });
  await assertRefused(await call(makeHost({ tokens: jwt, authenticate })), 422, "too-costly");
  await readAnswer(await call(makeHost({ tokens: opaque, authenticate })));
});

for (const token of ["", "two words", "line\nbreak", "tökén", "a=b", '"quoted"', "x\0"]) {
  test(`handleGetWsBindingToken answers 500 for the token ${JSON.stringify(token)}, which no frame can carry`, async () => {
    const host = makeHost({ tokens: { sign: () => token, verify: () => Promise.reject(new Error("never")) } });
    await assertRefused(await call(host), 500, "exception", "Unexpected error");
    assertEquals(host.events.map(({ type }) => type), ["error", "refused"]);
    const [event] = host.events;
    assert(event?.type === "error" && event.cause instanceof TypeError && event.during === "internal");
    if (token !== "") assert(!String(event.cause).includes(token));
  });
}
