import { test } from "node:test";
import type { FhirVersion } from "@fhir-ws/binding";
import { assertEquals } from "@std/assert";
import {
  assertRefused,
  call,
  FHIR_VERSIONS,
  idParameters,
  makeHost,
  OPERATION,
  post,
  readAnswer,
  readFixture,
  readIssues,
  websocketSubscription,
} from "./fake_host.ts";

const INSTANCE = "Subscription/abc123/$get-ws-binding-token";

function query(...ids: readonly string[]): string {
  return `${OPERATION}?${ids.map((id) => `id=${encodeURIComponent(id)}`).join("&")}`;
}

async function subscriptionsOf(target: string, init?: RequestInit, version: FhirVersion = "R5") {
  return (await readAnswer(await call(makeHost({ fhirVersion: version }), target, init))).subscriptions;
}

for (const version of FHIR_VERSIONS) {
  test(`handleGetWsBindingToken reads repeated ids of the published Parameters in ${version}`, async () => {
    const body = await readFixture("requests/parameters-two-ids.json");
    assertEquals(await subscriptionsOf(OPERATION, post(body), version), ["abc123", "def456"]);
  });
}

test("handleGetWsBindingToken tolerates valueString as older drafts have it", async () => {
  const body = await readFixture("requests/parameters-tolerated-valueString.json");
  assertEquals(await subscriptionsOf(OPERATION, post(body)), ["abc123"]);
});

test("handleGetWsBindingToken finds no id in a Parameters of another name", async () => {
  for (const name of ["parameters-empty", "parameters-legacy-ids-comma"]) {
    await assertRefused(
      await call(makeHost(), OPERATION, post(await readFixture(`requests/${name}.json`))),
      400,
      "required",
    );
  }
});

test("handleGetWsBindingToken keeps the order in which ids were asked for", async () => {
  assertEquals(await subscriptionsOf(query("def456", "abc123")), ["def456", "abc123"]);
  assertEquals(await subscriptionsOf(OPERATION, post(idParameters("def456", "abc123"))), ["def456", "abc123"]);
});

test("handleGetWsBindingToken reads and covers an id once that is asked for twice", async () => {
  for (
    const [target, init] of [
      [query("abc123", "def456", "abc123"), undefined],
      [OPERATION, post(idParameters("abc123", "def456", "abc123"))],
    ] as const
  ) {
    const host = makeHost();
    assertEquals((await readAnswer(await call(host, target, init))).subscriptions, ["abc123", "def456"]);
    assertEquals(host.reads.map(({ id }) => id), ["abc123", "def456"]);
    assertEquals(host.grants[0]?.subscriptions, ["abc123", "def456"]);
  }
});

test("handleGetWsBindingToken counts ids after repetitions are gone", async () => {
  const twice = Array.from({ length: 200 }, (_, n) => `s${n % 100}`);
  const known = twice.slice(0, 100).map((id) => websocketSubscription(id));
  for (
    const [target, init] of [[query(...twice), undefined], [OPERATION, post(idParameters(...twice))]] as const
  ) {
    assertEquals((await readAnswer(await call(makeHost({ known }), target, init))).subscriptions.length, 100);
  }
  const more = [...twice, "s100"];
  const host = makeHost({ known });
  await assertRefused(await call(host, query(...more)), 422, "too-costly");
  await assertRefused(await call(host, OPERATION, post(idParameters(...more))), 422, "too-costly");
  assertEquals(host.reads, []);
});

test("handleGetWsBindingToken lets the ids of a body win over those of the query", async () => {
  assertEquals(await subscriptionsOf(query("def456"), post(idParameters("abc123"))), ["abc123"]);
  assertEquals(await subscriptionsOf(query("a_b"), post(idParameters("abc123"))), ["abc123"]);
});

test("handleGetWsBindingToken reads the query of a POST whose body is empty", async () => {
  assertEquals(await subscriptionsOf(query("def456"), { method: "POST" }), ["def456"]);
  assertEquals(await subscriptionsOf(query("def456"), post("", { "content-type": "text/plain" })), ["def456"]);
});

test("handleGetWsBindingToken ignores other parameters of query and body", async () => {
  assertEquals(await subscriptionsOf(`${query("abc123")}&_pretty=true&ids=x,y&Id=a_b`), ["abc123"]);
  const parameter = [
    { name: "ids", valueString: "x,y" },
    { name: "id", valueId: "abc123", id: "p1", extension: [], _valueId: { id: "x" } },
    { name: "other", part: [{ name: "id", valueId: "a_b" }] },
  ];
  assertEquals(await subscriptionsOf(OPERATION, post({ resourceType: "Parameters", parameter })), ["abc123"]);
});

const LEGAL_IDS = ["a", "A-1.b", "0", "-", ".", "..", "x".repeat(64), "toString"];
for (const id of LEGAL_IDS) {
  test(`handleGetWsBindingToken takes "${id}" for a FHIR id`, async () => {
    const host = makeHost({ known: [websocketSubscription(id)] });
    assertEquals((await readAnswer(await call(host, query(id)))).subscriptions, [id]);
    assertEquals((await readAnswer(await call(host, OPERATION, post(idParameters(id))))).subscriptions, [id]);
    if (/^\.+$/.test(id)) return; // a URL parser takes these out of a path
    const target = `Subscription/${id}/$get-ws-binding-token`;
    assertEquals((await readAnswer(await call(host, target))).subscriptions, [id]);
  });
}

const ILLEGAL_IDS = [
  "",
  " ",
  "a b",
  "a_b",
  "a,b",
  "a/b",
  "Subscription/a",
  "x".repeat(65),
  "ä",
  "a\n",
  "a\0",
  "__proto__",
  "*",
  "💥",
  "<script>",
  "'; drop table",
];
for (const id of ILLEGAL_IDS) {
  test(`handleGetWsBindingToken refuses ${JSON.stringify(id)} as no FHIR id, and reads nothing`, async () => {
    const host = makeHost({ subscriptions: { read: (asked) => websocketSubscription(asked) } });
    const inQuery = await assertRefused(await call(host, query(id)), 400, "value");
    assertEquals(inQuery.expression, ["http.id"]);
    const inBody = await assertRefused(await call(host, OPERATION, post(idParameters(id))), 400, "value");
    assertEquals(inBody.expression, ["Parameters.parameter[0]"]);
    if (id !== "") {
      const target = `Subscription/${encodeURIComponent(id)}/$get-ws-binding-token`;
      const inPath = await assertRefused(await call(host, target), 400, "value");
      assertEquals(inPath.expression, undefined);
    }
    assertEquals(host.grants, []);
  });
}

test("handleGetWsBindingToken decodes the id of a path", async () => {
  assertEquals(await subscriptionsOf("Subscription/%61bc%3123/%24get-ws-binding-token"), ["abc123"]);
});

test("handleGetWsBindingToken refuses a path segment that is not UTF-8 as no FHIR id", async () => {
  for (const segment of ["%ff", "%", "%zz", "a%c3"]) {
    await assertRefused(await call(makeHost(), `Subscription/${segment}/$get-ws-binding-token`), 400, "value");
  }
});

test("handleGetWsBindingToken names every illegal id by where it stands, and does not quote it", async () => {
  const parameter = [
    { name: "id", valueId: "abc123" },
    { name: "id", valueId: "a_b" },
    { name: "other", valueBoolean: true },
    { name: "id", valueId: "c_d" },
  ];
  const inBody = await readIssues(
    await call(makeHost(), OPERATION, post({ resourceType: "Parameters", parameter })),
    400,
  );
  assertEquals(inBody.map(({ code, expression }) => [code, expression?.[0]]), [
    ["value", "Parameters.parameter[1]"],
    ["value", "Parameters.parameter[3]"],
  ]);
  assertEquals(/a_b|c_d/.test(JSON.stringify(inBody)), false);
  const inQuery = await readIssues(await call(makeHost(), query("abc123", "a_b", "c_d")), 400);
  assertEquals(inQuery.map(({ expression }) => expression?.[0]), ["http.id", "http.id"]);
});

/** Parameters called `id` whose value is none. */
const WRONG_VALUES: Readonly<Record<string, object>> = {
  "no value": {},
  "only _valueId": { _valueId: { extension: [{ url: "http://example.org", valueCode: "x" }] } },
  "valueUri": { valueUri: "abc123" },
  "valueCode": { valueCode: "abc123" },
  "two values": { valueId: "abc123", valueString: "abc123" },
  "a value and a part": { valueId: "abc123", part: [] },
  "a value and a resource": { valueId: "abc123", resource: { resourceType: "Basic" } },
  "a part": { part: [{ name: "id", valueId: "abc123" }] },
  "a resource": { resource: { resourceType: "Subscription", id: "abc123" } },
  "a reference": { valueReference: { reference: "Subscription/abc123" } },
  "a number": { valueId: 123 },
  "null": { valueId: null },
  "an array": { valueId: ["abc123"] },
  "an object": { valueId: { toString: "abc123" } },
  "true": { valueString: true },
};
for (const [name, value] of Object.entries(WRONG_VALUES)) {
  const body = { resourceType: "Parameters", parameter: [{ name: "id", ...value }] };

  test(`handleGetWsBindingToken refuses ${name} in an id parameter`, async () => {
    const issue = await assertRefused(await call(makeHost(), OPERATION, post(body)), 400, "value");
    assertEquals(issue.expression, ["Parameters.parameter[0]"]);
  });

  test(`handleGetWsBindingToken ignores ${name} in an id parameter at instance level`, async () => {
    assertEquals(await subscriptionsOf(INSTANCE, post(body)), ["abc123"]);
  });
}

test("handleGetWsBindingToken ignores every id at instance level", async () => {
  const many = Array.from({ length: 101 }, (_, n) => `s${n}`);
  for (const ids of [["def456"], ["nobodys"], ["a_b", ""], many]) {
    const search = ids.map((id) => `id=${id}`).join("&");
    assertEquals(await subscriptionsOf(`${INSTANCE}?${search}`), ["abc123"]);
    assertEquals(await subscriptionsOf(INSTANCE, post(idParameters(...ids))), ["abc123"]);
    assertEquals(await subscriptionsOf(`${INSTANCE}?${search}`, post(idParameters(...ids))), ["abc123"]);
  }
});
