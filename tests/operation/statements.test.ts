import { test } from "node:test";
import type { FhirVersion } from "@fhir-ws/binding";
import { assertEquals, assertFalse, assertMatch } from "@std/assert";
import {
  assertRefused,
  call,
  type FakeHost,
  FHIR_VERSIONS,
  type HostOptions,
  idParameters,
  makeHost,
  MIME_VERSION,
  OPERATION,
  post,
  readAnswer,
  TOKEN,
  websocketSubscription,
} from "./fake_host.ts";

const TYPE = `${OPERATION}?id=abc123`;
const INSTANCE = "Subscription/abc123/$get-ws-binding-token";

/** What each statement is proven with, in each FHIR version. */
interface Bench {
  readonly version: FhirVersion;
  host(options?: HostOptions): FakeHost;
}

async function subscriptionsOf(host: FakeHost, target: string, init?: RequestInit): Promise<readonly string[]> {
  return (await readAnswer(await call(host, target, init))).subscriptions;
}

/** Statements about the issuing of tokens, by the numbers of the reference that the tests follow. */
const STATEMENTS: Readonly<Record<string, (bench: Bench) => Promise<void>>> = {
  async "T1: POST works at type and instance level"({ host }) {
    assertEquals(await subscriptionsOf(host(), OPERATION, post(idParameters("abc123"))), ["abc123"]);
    assertEquals(await subscriptionsOf(host(), INSTANCE, { method: "POST" }), ["abc123"]);
  },
  async "T2, T3: GET works at both levels"({ host }) {
    assertEquals(await subscriptionsOf(host(), TYPE), ["abc123"]);
    assertEquals(await subscriptionsOf(host(), INSTANCE), ["abc123"]);
  },
  async "T4: a repeated id in the query is read as several ids"({ host }) {
    assertEquals(await subscriptionsOf(host(), `${OPERATION}?id=abc123&id=def456`), ["abc123", "def456"]);
    await assertRefused(await call(host(), `${OPERATION}?id=abc123,def456`), 400, "value");
  },
  async "T5: the instance level ignores id"({ host }) {
    assertEquals(await subscriptionsOf(host(), `${INSTANCE}?id=def456`), ["abc123"]);
    assertEquals(await subscriptionsOf(host(), INSTANCE, post(idParameters("nobodys", "a_b", 7))), ["abc123"]);
  },
  async "T6: no ids at type level give a token for all, or a failure"({ host, version }) {
    const list = () => ["abc123", "def456"].map((id) => websocketSubscription(id, version));
    const listing = host({ subscriptions: { read: () => undefined, list } });
    assertEquals(await subscriptionsOf(listing, OPERATION), ["abc123", "def456"]);
    await assertRefused(await call(host(), OPERATION), 400, "required");
  },
  async "T7: the answer is Parameters with token, expiration and websocket-url exactly once"({ host }) {
    const body = await (await call(host(), `${OPERATION}?id=abc123&id=def456`)).json();
    const parameters: { readonly name: string }[] = body.parameter;
    assertEquals(Object.keys(body), ["resourceType", "parameter"]);
    assertEquals(body.resourceType, "Parameters");
    assertEquals(parameters.map(Object.keys), [
      ["name", "valueString"],
      ["name", "valueDateTime"],
      ["name", "valueString"],
      ["name", "valueString"],
      ["name", "valueUrl"],
    ]);
    assertEquals(parameters.map(({ name }) => name), [
      "token",
      "expiration",
      "subscription",
      "subscription",
      "websocket-url",
    ]);
    assertMatch(body.parameter[1].valueDateTime, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  },
  async "T8: subscription repeats once per covered Subscription"({ host }) {
    const ids = ["def456", "abc123", "def456"];
    assertEquals(await subscriptionsOf(host(), OPERATION, post(idParameters(...ids))), ["def456", "abc123"]);
  },
  async "T9: errors carry an OperationOutcome"({ host }) {
    await assertRefused(await call(host(), "nowhere"), 404, "not-found");
    await assertRefused(await call(host(), TYPE, { method: "DELETE" }), 405, "not-supported");
    await assertRefused(await call(host({ authenticate: () => undefined })), 401, "login");
    await assertRefused(await call(host({ authenticate: () => Promise.reject(new Error()) })), 503, "no-store");
    await assertRefused(await call(host({ now: () => NaN })), 500, "exception");
  },
  async "T10: errors have the most applicable code, and their text in details.text"({ host, version }) {
    const unknown = await assertRefused(await call(host(), `${OPERATION}?id=nobodys`), 404, "not-found");
    assertEquals(unknown.details.text, "Error reading subscription: Not found");
    const known = [websocketSubscription("abc123", version, { status: "off" })];
    const off = await assertRefused(await call(host({ known }), TYPE), 422, "business-rule");
    assertEquals(off.details.text, 'Cannot bind Subscription "abc123": its status is "off"');
  },
  async "T11: an unsupported Accept gives 406, an unsupported body type 415"({ host }) {
    const headers = { accept: "application/fhir+xml" };
    await assertRefused(await call(host(), TYPE, { headers }), 406, "not-supported");
    const xml = post("<Parameters/>", { "content-type": "application/fhir+xml" });
    await assertRefused(await call(host(), OPERATION, xml), 415, "not-supported");
  },
  async "T12: _format takes the synonyms of json and xml, and wins over Accept"({ host }) {
    const xml = { headers: { accept: "application/fhir+xml" } };
    const json = { headers: { accept: "application/fhir+json" } };
    for (const format of ["json", "application/json", "application/fhir%2Bjson", "application/fhir+json"]) {
      assertEquals((await call(host(), `${TYPE}&_format=${format}`, xml)).status, 200, format);
    }
    for (const format of ["xml", "text/xml", "application/xml", "application/fhir%2Bxml", "ttl", "html"]) {
      await assertRefused(await call(host(), `${TYPE}&_format=${format}`, json), 406, "not-supported");
    }
  },
  async "T13: a generic application/json Accept is served"({ host }) {
    const response = await call(host(), TYPE, { headers: { accept: "application/json" } });
    assertEquals(response.headers.get("content-type"), "application/json; charset=utf-8");
    await readAnswer(response);
  },
  async "T14: conflicting fhirVersion in Accept and Content-Type is an error"({ host, version }) {
    const own = `application/fhir+json; fhirVersion=${MIME_VERSION[version]}`;
    for (const other of FHIR_VERSIONS.filter((one) => one !== version)) {
      const foreign = `application/fhir+json; fhirVersion=${MIME_VERSION[other]}`;
      const body = idParameters("abc123");
      const sent = await call(host(), OPERATION, post(body, { accept: own, "content-type": foreign }));
      await assertRefused(sent, 415, "not-supported");
      const wanted = await call(host(), OPERATION, post(body, { accept: foreign, "content-type": own }));
      await assertRefused(wanted, 406, "not-supported");
      await readAnswer(await call(host(), OPERATION, post(body, { accept: own, "content-type": own })));
    }
  },
  async "T33: authorization is enforced where a token is issued"({ host, version }) {
    const read = (id: string, caller: { readonly id: string }) =>
      id === `${caller.id}s` ? websocketSubscription(id, version) : undefined;
    for (const name of ["alice", "bob"]) {
      const own = host({ authenticate: () => ({ id: name }), subscriptions: { read } });
      assertEquals(await subscriptionsOf(own, `${OPERATION}?id=${name}s`), [`${name}s`]);
      await assertRefused(await call(own, `${OPERATION}?id=carols`), 404, "not-found");
      await assertRefused(await call(own, "Subscription/carols/$get-ws-binding-token"), 404, "not-found");
      assertEquals(own.grants.map(({ caller, subscriptions }) => [caller.id, subscriptions]), [[name, [`${name}s`]]]);
    }
    const stranger = host({ authenticate: () => undefined, subscriptions: { read } });
    await assertRefused(await call(stranger, `${OPERATION}?id=alices`), 401, "login");
  },
  async "T36: the token is in no URL, event or header"({ host }) {
    const one = host();
    const response = await call(one, TYPE);
    const { token, websocketUrl } = await readAnswer(response.clone());
    assertEquals(token, TOKEN);
    assertFalse(websocketUrl.includes(TOKEN));
    assertFalse(JSON.stringify([one.events, [...response.headers]]).includes(TOKEN));
  },
  async "T37: answers are Cache-Control: no-store"({ host }) {
    const calls: readonly (readonly [string, RequestInit?])[] = [
      [TYPE],
      [INSTANCE, { method: "HEAD" }],
      [OPERATION, post(idParameters("abc123"))],
      [OPERATION, post("{")],
      ["nowhere"],
      [TYPE, { method: "PUT" }],
      [TYPE, { headers: { accept: "text/html" } }],
    ];
    for (const [target, init] of calls) {
      assertEquals((await call(host(), target, init)).headers.get("cache-control"), "no-store");
    }
  },
};

for (const [statement, prove] of Object.entries(STATEMENTS)) {
  for (const version of FHIR_VERSIONS) {
    test(`handleGetWsBindingToken keeps ${statement} (${version})`, async () => {
      await prove({ version, host: (options) => makeHost({ fhirVersion: version, ...options }) });
    });
  }
}
