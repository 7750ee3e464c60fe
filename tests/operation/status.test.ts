import { describe, it, test } from "node:test";
import {
  BindingError,
  type FhirSubscription,
  isSubscriptionStatusRequest,
  type SubscriptionStatusContext,
} from "@fhir-ws/binding";
import { createMemoryEventLog } from "@fhir-ws/binding/storage/memory";
import { assert, assertEquals, assertFalse, assertRejects } from "@std/assert";
import { type AskedOptions, askStatus, makeAskedHost, readBundle } from "./asking.ts";
import { assertRefused, baseOf, FHIR_VERSIONS, post, readIssues, websocketSubscription } from "./fake_host.ts";

const INSTANCE = "Subscription/abc123/$status";
const TYPE = "Subscription/$status";

/** Subscriptions of every kind. */
const KNOWN: readonly FhirSubscription[] = [
  websocketSubscription("abc123"),
  websocketSubscription("off", "R5", { status: "off" }),
  websocketSubscription("hook", "R5", { channelType: { code: "rest-hook" }, status: "error" }),
  websocketSubscription("xml", "R5", { contentType: "application/fhir+xml", topic: "http://example.org/t" }),
  websocketSubscription("ended", "R5", { end: "2001-01-01T00:00:00Z", status: "active" }),
];
const LISTING: AskedOptions = {
  subscriptions: { read: (id) => KNOWN.find((one) => one.id === id), list: (_, limit) => KNOWN.slice(0, limit) },
};

async function idsOf(response: Response): Promise<readonly unknown[]> {
  return (await readBundle(response)).statuses.map(({ subscription }) => subscription.split("/").at(-1));
}

for (const version of FHIR_VERSIONS) {
  test(`handleSubscriptionStatus answers in the shape of ${version}`, async () => {
    const topic = "http://example.org/t";
    const more = version === "R5" ? { topic } : { criteria: topic };
    const host = makeAskedHost({ fhirVersion: version, known: [websocketSubscription("abc123", version, more)] });
    await host.happen("abc123", 3);
    const response = await askStatus(host, INSTANCE);
    assertEquals(response.headers.get("content-type"), "application/fhir+json; charset=utf-8");
    const bundle = await readBundle(response);
    assertEquals([bundle.type, bundle.total], ["searchset", 1]);
    assertEquals(bundle.link, [{ relation: "self", url: `${baseOf(version)}/${INSTANCE}` }]);
    assertEquals(bundle.statuses, [{
      subscription: `${baseOf(version)}/Subscription/abc123`,
      type: "query-status",
      status: "active",
      head: "3",
      topic,
      error: undefined,
      events: [],
    }]);
    assertEquals(bundle.others, []);
    const body = await (await askStatus(host, INSTANCE)).json();
    assertEquals(body.entry[0].resource.resourceType, version === "R4" ? "Parameters" : "SubscriptionStatus");
    assertEquals(Object.keys(body.entry[0]), ["fullUrl", "resource", "search"]);
  });
}

test("handleSubscriptionStatus answers by GET, HEAD and POST, with $ and %24", async () => {
  const host = makeAskedHost();
  for (const target of [INSTANCE, "Subscription/abc123/%24status", `${TYPE}?id=abc123`]) {
    assert(isSubscriptionStatusRequest(new Request(`${host.ctx.base}/${target}`)));
    const get = await askStatus(host, target);
    assertEquals(await idsOf(await askStatus(host, target, { method: "POST" })), ["abc123"]);
    const head = await askStatus(host, target, { method: "HEAD" });
    assertEquals([head.status, await head.text()], [200, ""]);
    assertEquals([...head.headers], [...get.headers]);
    assertEquals(await idsOf(get), ["abc123"]);
  }
});

for (
  const path of [
    "Subscription/$status/",
    "Subscription/status",
    "Subscription/a/b/$status",
    "Patient/$status",
    "$status",
  ]
) {
  test(`handleSubscriptionStatus answers 404 at "${path}", where isSubscriptionStatusRequest is false`, async () => {
    const host = makeAskedHost();
    assertFalse(isSubscriptionStatusRequest(new Request(`${host.ctx.base}/${path}`)));
    await assertRefused(await askStatus(host, path), 404, "not-found", "Not found");
  });
}

describe("handleSubscriptionStatus on an instance", () => {
  for (const { id = "" } of KNOWN) {
    it(`tells of "${id}", whatever its channel and status`, async () => {
      assertEquals(await idsOf(await askStatus(makeAskedHost({ known: KNOWN }), `Subscription/${id}/$status`)), [id]);
    });
  }

  it("ignores id and status, but not a body that cannot be read", async () => {
    const host = makeAskedHost();
    const parameter = [{ name: "id", valueId: "a_b" }, { name: "status", valueCode: "busy" }];
    assertEquals(await idsOf(await askStatus(host, `${INSTANCE}?id=off&status=off`)), ["abc123"]);
    const init = post({ resourceType: "Parameters", parameter });
    assertEquals(await idsOf(await askStatus(host, INSTANCE, init)), ["abc123"]);
    await assertRefused(await askStatus(host, INSTANCE, post({ resourceType: "Patient" })), 400, "structure");
  });

  it("answers 404 for what is not there or not visible, 400 for what is no id", async () => {
    const host = makeAskedHost();
    const text = "Error reading subscription: Not found";
    await assertRefused(await askStatus(host, "Subscription/nobodys/$status"), 404, "not-found", text);
    await assertRefused(await askStatus(host, "Subscription/a_b/$status"), 400, "value");
  });

  it("tells why a Subscription is in error", async () => {
    const known = [websocketSubscription("abc123", "R4", { status: "error", error: "The topic has gone" })];
    const { statuses } = await readBundle(await askStatus(makeAskedHost({ fhirVersion: "R4", known }), INSTANCE));
    assertEquals([statuses[0]?.status, statuses[0]?.error], ["error", "The topic has gone"]);
  });
});

describe("handleSubscriptionStatus on the type", () => {
  for (
    const [query, ids] of [
      ["", ["abc123", "off", "hook", "xml", "ended"]],
      ["?id=xml&id=off&id=xml", ["xml", "off"]],
      ["?id=xml&id=nobodys", ["xml"]],
      ["?id=nobodys", []],
      ["?status=active", ["abc123", "xml", "ended"]],
      ["?status=off&status=error", ["off", "hook"]],
      ["?status=entered-in-error", []],
      ["?id=abc123&id=off&status=off", ["off"]],
    ] as const
  ) {
    it(`tells of ${ids.join(", ") || "nothing"} when it is asked for "${query}"`, async () => {
      const host = makeAskedHost(LISTING);
      const bundle = await readBundle(await askStatus(host, TYPE + query));
      assertEquals(bundle.statuses.map(({ subscription }) => subscription.split("/").at(-1)), [...ids]);
      assertEquals([bundle.type, bundle.total], ["searchset", ids.length]);
      const self = `${host.ctx.base}/${TYPE}${query.replace("&id=xml", "")}`;
      assertEquals(bundle.link, [{ relation: "self", url: self }]);
      const body = await (await askStatus(host, TYPE + query)).json();
      assertEquals("entry" in body, ids.length > 0, "FHIR has no empty arrays");
    });
  }

  it("reads id and status from a body before the query", async () => {
    const parameter = [{ name: "id", valueId: "off" }, { name: "status", valueCode: "off" }, { name: "x", part: [] }];
    const init = post({ resourceType: "Parameters", parameter });
    assertEquals(await idsOf(await askStatus(makeAskedHost(LISTING), `${TYPE}?id=abc123`, init)), ["off"]);
  });

  it("answers 400 without a list and ids, for a bad id and for a bad status", async () => {
    await assertRefused(await askStatus(makeAskedHost(), TYPE), 400, "required");
    const host = makeAskedHost(LISTING);
    await assertRefused(await askStatus(host, `${TYPE}?id=a,b`), 400, "value");
    const issues = await readIssues(await askStatus(host, `${TYPE}?status=off&status=busy&status=`), 400);
    assertEquals(issues.map(({ code, expression }) => [code, expression]), [
      ["value", ["http.status"]],
      ["value", ["http.status"]],
    ]);
    const parameter = [{ name: "status", valueCode: "off" }, { name: "status", valueInteger: 1 }];
    const issue = await assertRefused(
      await askStatus(host, TYPE, post({ resourceType: "Parameters", parameter })),
      400,
      "value",
    );
    assertEquals(issue.expression, ["Parameters.parameter[1]"]);
  });

  it("answers 422 beyond maxStatuses instead of leaving some out", async () => {
    const host = makeAskedHost({ ...LISTING, maxStatuses: 4 });
    await assertRefused(await askStatus(host, TYPE), 422, "too-costly");
    await assertRefused(await askStatus(host, `${TYPE}?id=a&id=b&id=c&id=d&id=e`), 422, "too-costly");
    assertEquals((await idsOf(await askStatus(makeAskedHost({ ...LISTING, maxStatuses: 5 }), TYPE))).length, 5);
  });

  it("tells of each by its own number of events, with one look into the log", async () => {
    const host = makeAskedHost(LISTING);
    await host.happen("off", 2);
    await host.happen("xml", 1);
    let looks = 0;
    const events = { ...host.ctx.events, heads: (keys: readonly string[]) => (looks++, host.ctx.events.heads(keys)) };
    const { statuses } = await readBundle(await askStatus({ ctx: { ...host.ctx, events } }, TYPE));
    assertEquals([statuses.map(({ head }) => head), looks], [["0", "2", "0", "1", "0"], 1]);
  });
});

/** design: the order of refusals. Each call would be refused for all that follows it, too. */
test("handleSubscriptionStatus refuses in the order of the token operation", async () => {
  const NOBODY: AskedOptions = { authenticate: () => undefined };
  const xml = { accept: "application/fhir+xml", "content-type": "application/fhir+xml" };
  const bad = { method: "POST", body: "<", headers: xml };
  const accepted = { ...bad, headers: { "content-type": "application/fhir+xml" } };
  const limited: AskedOptions = { rateLimit: (_, action) => action === "query" ? 3 : undefined };
  const rows: readonly (readonly [number, AskedOptions, RequestInit])[] = [
    [405, NOBODY, { ...bad, method: "PUT" }],
    [406, NOBODY, bad],
    [401, { ...NOBODY, ...limited }, accepted],
    [429, limited, accepted],
    [415, { maxBodySize: 1 }, { ...accepted, body: "<<" }],
    [413, { maxBodySize: 1 }, post("{{")],
    [400, {}, post("{")],
  ];
  for (const [status, options, init] of rows) {
    const response = await askStatus(makeAskedHost(options), "Subscription/nobodys/$status", init);
    assertEquals([response.status, (await response.json()).resourceType], [status, "OperationOutcome"]);
  }
});

test("handleSubscriptionStatus does not ask whether websockets are enabled", async () => {
  assertEquals(await idsOf(await askStatus(makeAskedHost({ isEnabled: () => false }), INSTANCE)), ["abc123"]);
});

test("handleSubscriptionStatus answers 503 when the host or its log fails, 403 when it forbids, and tells the host", async () => {
  const down = () => Promise.reject(new Error("hunter2"));
  const forbid = () => Promise.reject(new BindingError("forbidden"));
  const events = { ...createMemoryEventLog(), heads: down };
  const rows: readonly (readonly [number, string, AskedOptions, string])[] = [
    [503, "authenticate", { authenticate: down }, INSTANCE],
    [503, "read", { subscriptions: { read: down } }, INSTANCE],
    [503, "list", { subscriptions: { read: down, list: down } }, TYPE],
    [503, "log", { events }, INSTANCE],
    [503, "read", { subscriptions: { read: () => new Promise(() => {}) }, storeTimeout: 1 }, INSTANCE],
    [403, "", { subscriptions: { read: forbid } }, INSTANCE],
  ];
  for (const [status, during, options, target] of rows) {
    const host = makeAskedHost(options);
    const response = await askStatus(host, target);
    const body = await response.text();
    assertEquals(response.status, status, body);
    assertFalse(body.includes("hunter2"));
    const told = host.events.flatMap((event) => event.type === "error" ? [event.during] : []);
    assertEquals(told, during === "" ? [] : [during]);
    assertEquals(host.events.at(-1)?.type, "refused");
  }
});

test("handleSubscriptionStatus reads the log by base, tenant and id", async () => {
  const keys: string[] = [];
  const host = makeAskedHost({ authenticate: () => ({ id: "alice", tenant: "t1" }) });
  const events = { ...host.ctx.events, heads: (asked: readonly string[]) => (keys.push(...asked), [7]) };
  const { statuses } = await readBundle(await askStatus({ ctx: { ...host.ctx, events } }, INSTANCE));
  assertEquals([keys, statuses[0]?.head], [[JSON.stringify([host.ctx.base, "t1", "abc123"])], "7"]);
});

test("handleSubscriptionStatus rejects a context that cannot work", async () => {
  const bad: readonly Partial<SubscriptionStatusContext>[] = [
    { base: "/fhir" },
    { maxStatuses: 0 },
    { maxStatuses: 501 },
    { maxBodySize: 0.5 },
    { challenge: "\n" },
  ];
  for (const options of bad) {
    const { ctx } = makeAskedHost();
    await assertRejects(
      async () => await askStatus({ ctx: { ...ctx, ...options } }, INSTANCE),
      JSON.stringify(options).includes("max") ? RangeError : TypeError,
    );
  }
});
