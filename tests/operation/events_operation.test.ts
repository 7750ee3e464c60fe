import { describe, it, test } from "node:test";
import {
  BindingError,
  type ContentLevel,
  type FhirVersion,
  isSubscriptionEventsRequest,
  type SubscriptionEventsContext,
} from "@fhir-ws/binding";
import { createMemoryEventLog } from "@fhir-ws/binding/storage/memory";
import { assert, assertEquals, assertFalse, assertRejects } from "@std/assert";
import { type AskedHost, type AskedOptions, askEvents, makeAskedHost, readBundle } from "./asking.ts";
import { ALICE, assertRefused, baseOf, FHIR_VERSIONS, post, websocketSubscription } from "./fake_host.ts";

const EVENTS = "Subscription/abc123/$events";
const LEVELS: readonly ContentLevel[] = ["empty", "id-only", "full-resource"];
const TOPIC = "http://example.org/t";

/** A Subscription with a topic and a content level. */
function withLevel(version: FhirVersion, level: ContentLevel): AskedOptions {
  const url = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-payload-content";
  const _payload = { extension: [{ url, valueCode: level }] };
  const more = version === "R5"
    ? { topic: TOPIC, content: level }
    : { criteria: TOPIC, channel: { type: "websocket", _payload } };
  return { fhirVersion: version, known: [websocketSubscription("abc123", version, more)] };
}

async function numbersOf(response: Response): Promise<readonly number[]> {
  const { statuses } = await readBundle(response);
  return (statuses[0]?.events ?? []).map(({ number }) => Number(number));
}

/** A host at whose Subscription five things have happened. */
async function five(options: AskedOptions = {}): Promise<AskedHost> {
  const host = makeAskedHost(options);
  await host.happen("abc123", 5);
  return host;
}

for (const version of FHIR_VERSIONS) {
  for (const [n, level] of LEVELS.entries()) {
    test(`handleSubscriptionEvents answers in the shape of ${version} at the level ${level}`, async () => {
      const host = await five(withLevel(version, level));
      const bundle = await readBundle(await askEvents(host, `${EVENTS}?eventsSinceNumber=4`));
      assertEquals(bundle.type, version === "R5" ? "subscription-notification" : "history");
      const base = baseOf(version);
      assertEquals(bundle.statuses, [{
        subscription: `${base}/Subscription/abc123`,
        type: "query-event",
        status: "active",
        head: "5",
        topic: n === 0 ? undefined : TOPIC,
        error: undefined,
        events: [4, 5].map((number) => ({
          number: String(number),
          focus: n === 0 ? undefined : `${base}/Patient/p${number}`,
        })),
      }]);
      assertEquals(bundle.others.map(({ resource }) => resource?.id), n === 2 ? ["p4", "p5"] : []);
      assertEquals(bundle.link, []);
    });
  }
}

describe("handleSubscriptionEvents", () => {
  for (
    const [query, numbers] of [
      ["", [1, 2, 3, 4, 5]],
      ["?eventsSinceNumber=4", [4, 5]],
      ["?eventsSinceNumber=0", [1, 2, 3, 4, 5]],
      ["?eventsUntilNumber=2", [1, 2]],
      ["?eventsUntilNumber=0", []],
      ["?eventsSinceNumber=2&eventsUntilNumber=4", [2, 3, 4]],
      ["?eventsSinceNumber=3&eventsUntilNumber=3", [3]],
      ["?eventsSinceNumber=4&eventsUntilNumber=2", []],
      ["?eventsSinceNumber=6", []],
      ["?eventsSinceNumber=9223372036854775807&eventsUntilNumber=9223372036854775807", []],
      ["?eventsSinceNumber=007", []],
    ] as const
  ) {
    it(`answers events ${numbers.join(", ") || "none"} of five to "${query}"`, async () => {
      const { statuses, link } = await readBundle(await askEvents(await five(), EVENTS + query));
      assertEquals(statuses[0]?.events.map(({ number }) => Number(number)), [...numbers]);
      assertEquals([statuses[0]?.head, statuses[0]?.error, link], ["5", undefined, []]);
    });
  }

  for (
    const value of [
      { valueString: "4" },
      { valueInteger64: "4" },
      { valueInteger64: 4 },
      { valueInteger: 4 },
      { valuePositiveInt: 4 },
    ]
  ) {
    it(`reads eventsSinceNumber from a body as ${JSON.stringify(value)}, before the query`, async () => {
      const parameter = [{ name: "eventsSinceNumber", ...value }, { name: "other", part: [] }];
      const init = post({ resourceType: "Parameters", parameter });
      assertEquals(await numbersOf(await askEvents(await five(), `${EVENTS}?eventsSinceNumber=1`, init)), [4, 5]);
    });
  }

  for (
    const query of [
      "eventsSinceNumber=-1",
      "eventsSinceNumber=",
      "eventsSinceNumber=1.5",
      "eventsSinceNumber=1e3",
      "eventsSinceNumber=x",
      "eventsUntilNumber=%201",
      "eventsSinceNumber=1&eventsSinceNumber=2",
      "content=half",
      "content=",
    ]
  ) {
    it(`answers 400 to "${query}"`, async () => {
      const issue = await assertRefused(await askEvents(await five(), `${EVENTS}?${query}`), 400, "value");
      assertEquals(issue.expression, [`http.${query.split("=")[0]}`]);
    });
  }

  for (
    const value of [{ valueInteger: -1 }, { valueDecimal: 1 }, { valueBoolean: true }, {}, { valueInteger64: 2 ** 60 }]
  ) {
    it(`answers 400 to a body with ${JSON.stringify(value)}`, async () => {
      const init = post({ resourceType: "Parameters", parameter: [{ name: "eventsUntilNumber", ...value }] });
      const issue = await assertRefused(await askEvents(await five(), EVENTS, init), 400, "value");
      assertEquals(issue.expression, ["Parameters.parameter[0]"]);
    });
  }

  it("answers by GET, HEAD and POST, with $ and %24", async () => {
    const host = await five();
    for (const target of [EVENTS, "Subscription/abc123/%24events"]) {
      assert(isSubscriptionEventsRequest(new Request(`${host.ctx.base}/${target}`)));
      const get = await askEvents(host, target);
      assertEquals((await numbersOf(await askEvents(host, target, { method: "POST" }))).length, 5);
      const head = await askEvents(host, target, { method: "HEAD" });
      assertEquals([head.status, await head.text()], [200, ""]);
      assertEquals([...head.headers], [...get.headers]);
    }
  });

  for (
    const path of [
      "Subscription/$events",
      "Subscription/abc123/events",
      "Subscription/a/b/$events",
      "Patient/a/$events",
    ]
  ) {
    it(`answers 404 at "${path}", where isSubscriptionEventsRequest is false`, async () => {
      const host = makeAskedHost();
      assertFalse(isSubscriptionEventsRequest(new Request(`${host.ctx.base}/${path}`)));
      await assertRefused(await askEvents(host, path), 404, "not-found", "Not found");
    });
  }

  it("tells of any Subscription that the caller sees, and of no other", async () => {
    const known = [
      websocketSubscription("off", "R5", { status: "off" }),
      websocketSubscription("hook", "R5", { channelType: { code: "rest-hook" } }),
    ];
    const host = makeAskedHost({ known });
    for (const id of ["off", "hook"]) {
      await host.happen(id, 2);
      assertEquals(await numbersOf(await askEvents(host, `Subscription/${id}/$events`)), [1, 2]);
    }
    await host.happen("abc123", 2);
    await assertRefused(await askEvents(host, EVENTS), 404, "not-found", "Error reading subscription: Not found");
  });

  it("reads the log by base, tenant and id", async () => {
    const host = await five({ authenticate: () => ({ ...ALICE, tenant: "t1" }) });
    assertEquals(await numbersOf(await askEvents(host, EVENTS)), [], "these happened to no tenant's");
  });
});

describe("handleSubscriptionEvents with content", () => {
  for (const own of [undefined, ...LEVELS]) {
    for (const asked of LEVELS) {
      const level = LEVELS[Math.min(LEVELS.indexOf(own ?? "id-only"), LEVELS.indexOf(asked))];
      it(`answers ${level} to a Subscription of ${own ?? "no level (default id-only)"} asked for ${asked}`, async () => {
        const known = own === undefined ? {} : withLevel("R5", own);
        const host = await five({ ...known, defaultContent: "id-only" });
        const { statuses, others } = await readBundle(await askEvents(host, `${EVENTS}?content=${asked}`));
        assertEquals(statuses[0]?.events[0]?.focus !== undefined, level !== "empty");
        assertEquals(others.length > 0, level === "full-resource");
      });
    }
  }

  it("answers empty where nobody names a level", async () => {
    const { statuses } = await readBundle(await askEvents(await five(), EVENTS));
    assertEquals(statuses[0]?.events[0]?.focus, undefined);
  });
});

describe("handleSubscriptionEvents with bounds", () => {
  it("answers at most maxEvents, and links to the rest until all are told", async () => {
    const host = await five({ ...withLevel("R5", "id-only"), maxEvents: 2 });
    const told: (readonly number[])[] = [];
    let target: string | undefined = `${EVENTS}?eventsUntilNumber=5&content=empty`;
    const urls = [];
    while (target !== undefined) {
      const response = await askEvents(host, target);
      const { statuses, link } = await readBundle(response);
      told.push((statuses[0]?.events ?? []).map(({ number }) => Number(number)));
      assertEquals(statuses[0]?.events[0]?.focus, undefined);
      target = link.find(({ relation }) => relation === "next")?.url.slice(host.ctx.base.length + 1);
      urls.push(target);
    }
    assertEquals(told, [[1, 2], [3, 4], [5]]);
    assertEquals(urls, [
      `${EVENTS}?eventsSinceNumber=3&eventsUntilNumber=5&content=empty`,
      `${EVENTS}?eventsSinceNumber=5&eventsUntilNumber=5&content=empty`,
      undefined,
    ]);
  });

  it("asks the log for no more than it will tell, 1000 by default", async () => {
    const host = await five();
    const asked: (readonly [number, number])[] = [];
    const events: AskedHost["ctx"]["events"] = {
      ...host.ctx.events,
      read: (key, after, limit) => (asked.push([after, limit]), host.ctx.events.read(key, after, limit)),
    };
    for (const query of ["", "?eventsSinceNumber=3&eventsUntilNumber=4", "?eventsSinceNumber=4&eventsUntilNumber=3"]) {
      await readBundle(await askEvents({ ctx: { ...host.ctx, events } }, EVENTS + query));
    }
    assertEquals(asked, [[0, 1000], [2, 2], [3, 1]]);
  });

  for (
    const [query, numbers, error] of [
      ["", [4, 5], "Some events are not kept any more: 1 to 3"],
      ["?eventsSinceNumber=3", [4, 5], "Some events are not kept any more: 3"],
      ["?eventsSinceNumber=4", [4, 5], undefined],
      ["?eventsSinceNumber=2&eventsUntilNumber=4", [4], "Some events are not kept any more: 2 to 3"],
      ["?eventsUntilNumber=2", [], "Some events are not kept any more: 1 to 2"],
      ["?eventsSinceNumber=9", [], undefined],
    ] as const
  ) {
    it(`tells what of "${query}" the log has pruned`, async () => {
      const host = await five({ events: createMemoryEventLog({ maxEvents: 2 }) });
      const { statuses } = await readBundle(await askEvents(host, EVENTS + query));
      assertEquals(statuses[0]?.events.map(({ number }) => Number(number)), [...numbers]);
      assertEquals([statuses[0]?.head, statuses[0]?.error], ["5", error]);
    });
  }

  it("tells of a Subscription to which nothing has happened", async () => {
    const { statuses, link } = await readBundle(await askEvents(makeAskedHost(), EVENTS));
    assertEquals([statuses[0]?.head, statuses[0]?.events, statuses[0]?.error, link], ["0", [], undefined, []]);
  });
});

describe("handleSubscriptionEvents with mayReceive", () => {
  it("withholds events without their resources, and goes on behind them", async () => {
    const seen: unknown[] = [];
    const host = await five({
      ...withLevel("R5", "full-resource"),
      maxEvents: 3,
      mayReceive(event, subscription, caller) {
        seen.push([event.number, subscription.id, caller]);
        return event.number !== 3;
      },
    });
    const { statuses, others, link } = await readBundle(await askEvents(host, EVENTS));
    assertEquals(statuses[0]?.events.map(({ number }) => number), ["1", "2"]);
    assertEquals(others.map(({ resource }) => resource?.id), ["p1", "p2"]);
    assertEquals(link[0]?.url, `${host.ctx.base}/${EVENTS}?eventsSinceNumber=4`);
    assertEquals(seen, [1, 2, 3].map((number) => [number, "abc123", ALICE]));
  });

  it("asks about a hundred events at the same time, and keeps their order", async () => {
    let asking = 0;
    let most = 0;
    const host = makeAskedHost({
      async mayReceive({ number }) {
        most = Math.max(most, ++asking);
        await Promise.resolve();
        asking--;
        return number % 2 === 1;
      },
    });
    await host.happen("abc123", 250);
    const numbers = await numbersOf(await askEvents(host, EVENTS));
    assertEquals(numbers, Array.from({ length: 125 }, (_, n) => 2 * n + 1));
    assertEquals(most, 100);
  });

  for (
    const [what, mayReceive] of [
      ["throws", () => Promise.reject(new Error("hunter2"))],
      ["does not answer", () => new Promise<boolean>(() => {})],
    ] as const
  ) {
    it(`answers 503, and no event, when it ${what}`, async () => {
      const host = await five({ mayReceive, storeTimeout: 1, maxEvents: 1 });
      await assertRefused(await askEvents(host, EVENTS), 503, "no-store");
      assertEquals(host.events.map((event) => event.type === "error" ? event.during : event.type), [
        "may-receive",
        "refused",
      ]);
    });
  }
});

/** design: the order of refusals. Each call would be refused for all that follows it, too. */
test("handleSubscriptionEvents refuses in the order of the token operation", async () => {
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
    [400, {}, post({ resourceType: "Parameters", parameter: [{ name: "content", valueCode: "half" }] })],
    [404, {}, { method: "POST" }],
  ];
  for (const [status, options, init] of rows) {
    const response = await askEvents(makeAskedHost(options), "Subscription/nobodys/$events", init);
    assertEquals([response.status, (await response.json()).resourceType], [status, "OperationOutcome"]);
  }
});

test("handleSubscriptionEvents answers 503 when the host or its log fails, 403 when it forbids", async () => {
  const down = () => Promise.reject(new Error("hunter2"));
  const events = { ...createMemoryEventLog(), read: down };
  const forbid = () => Promise.reject(new BindingError("forbidden"));
  for (
    const [status, code, options] of [
      [503, "no-store", { authenticate: down }],
      [503, "no-store", { subscriptions: { read: down } }],
      [503, "no-store", { events }],
      [403, "forbidden", { subscriptions: { read: forbid } }],
    ] as const
  ) {
    await assertRefused(await askEvents(makeAskedHost(options), EVENTS), status, code);
  }
});

test("handleSubscriptionEvents rejects a context that cannot work", async () => {
  const bad: readonly (readonly [new () => Error, Partial<SubscriptionEventsContext>])[] = [
    [TypeError, { base: "/fhir" }],
    [RangeError, { maxEvents: 0 }],
    [RangeError, { maxBodySize: 0.5 }],
    [TypeError, { challenge: "\n" }],
    [TypeError, { defaultContent: "half" as ContentLevel }], // as a host without types may write it
  ];
  for (const [error, options] of bad) {
    const { ctx } = makeAskedHost();
    await assertRejects(() => askEvents({ ctx: { ...ctx, ...options } }, EVENTS), error);
  }
});
