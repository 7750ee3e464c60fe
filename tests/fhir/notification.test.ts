import {
  type ContentLevel,
  type FhirResource,
  type FhirVersion,
  type LoggedEvent,
  notificationBundle,
  type NotificationContent,
  type NotificationOptions,
} from "@fhir-ws/binding";
import { assert, assertEquals, assertExists, assertMatch, assertNotEquals, assertThrows } from "@std/assert";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { type Bundle, type ReadNotification, readNotification } from "../socket/server_frame.ts";
import { FHIR_VERSIONS, makeSubscription, type SubscriptionWish, TOPIC } from "../socket/subscriptions.ts";

const BASE = "https://example.org/fhir";
const NOW = Date.UTC(2030, 0, 1);
const LEVELS: readonly ContentLevel[] = ["empty", "id-only", "full-resource"];
const DIALECTS = ["text", "json"] as const;

const TIMESTAMP = "2030-01-01T00:00:00.000Z";

function makeEvent(number: number, more: Partial<LoggedEvent> = {}): LoggedEvent {
  const resource = { resourceType: "Encounter", id: "e1", status: "in-progress" };
  return { number, interaction: "update", focus: "Encounter/e1", timestamp: TIMESTAMP, resource, ...more };
}

interface Wish extends SubscriptionWish, NotificationOptions {
  readonly version: FhirVersion;
}

/** A notification of Subscription `s1`, read as a client would. */
function notify(content: NotificationContent, { version, dialect, defaultContent, ...wish }: Wish): ReadNotification {
  const options = { ...(dialect && { dialect }), ...(defaultContent && { defaultContent }) };
  const endpoint = { base: BASE, fhirVersion: version, now: () => NOW };
  const bundle = notificationBundle(endpoint, makeSubscription("s1", version, wish), content, options);
  return readNotification(asSent(bundle));
}

/** As it comes out of the socket. */
function asSent(bundle: FhirResource): Bundle {
  return JSON.parse(JSON.stringify(bundle));
}

function events(...numbers: readonly number[]): NotificationContent {
  return { type: "event-notification", events: numbers.map((number) => makeEvent(number)) };
}

/** The kinds of a notification, each with a name. */
const CONTENTS: readonly (readonly [string, NotificationContent])[] = [
  ["handshake", { type: "handshake", head: 0 }],
  ["heartbeat", { type: "heartbeat", head: 2 }],
  ["event", events(2)],
  ["batch", events(2, 3, 4)],
  ["delete", { type: "event-notification", events: [makeEvent(2, { interaction: "delete" })] }],
];

/** Every kind in every version, level and dialect. */
const ALL = FHIR_VERSIONS.flatMap((version) =>
  LEVELS.flatMap((content) =>
    DIALECTS.flatMap((dialect) => CONTENTS.map(([name, what]) => ({ name, what, version, content, dialect })))
  )
);

describe("notificationBundle writes the Bundle of the reference", () => {
  const files: readonly (readonly [file: string, level: ContentLevel, content: NotificationContent])[] = [
    ["handshake", "id-only", { type: "handshake", head: 0 }],
    ["heartbeat", "id-only", { type: "heartbeat", head: 2 }],
    ["event-empty", "empty", events(2)],
    ["event-id-only", "id-only", events(2)],
    ["event-full-resource", "full-resource", events(2)],
  ];
  for (const version of FHIR_VERSIONS) {
    for (const [file, content, what] of files) {
      test(`${version} ${file}`, () => {
        const text = readFileSync(
          new URL(`../fixtures/notifications/${version}/${file}.json`, import.meta.url),
          "utf8",
        );
        const expected: Bundle = JSON.parse(text);
        const [, focus] = expected.entry;
        const endpoint = { base: BASE, fhirVersion: version, now: () => NOW };
        const filled = what.type !== "event-notification" || focus?.resource === undefined
          ? what
          : { ...what, events: what.events.map((event) => ({ ...event, resource: focus.resource as FhirResource })) }; // it has its resourceType
        const actual = asSent(notificationBundle(endpoint, makeSubscription("s1", version, { content }), filled));
        assertEquals(withoutUuids(actual), withoutUuids(expected));
      });
    }
  }

  /** Ids are made anew for each Bundle. */
  function withoutUuids(bundle: Bundle): unknown {
    return JSON.parse(JSON.stringify(bundle).replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "uuid"));
  }
});

describe("every notification", () => {
  for (const { name, what, ...wish } of ALL) {
    const { version, content, dialect } = wish;
    const shape = version === "R4" && dialect === "json" ? "R4B" : version;
    test(`${version} ${content} ${dialect} ${name} is sound`, () => {
      const { bundle, type, status, reference } = notify(what, wish);
      assertEquals(bundle.resourceType, "Bundle");
      assertEquals(bundle.timestamp, TIMESTAMP);
      assertEquals([type, status], [what.type, "active"]);
      assertEquals(reference, dialect === "json" ? "Subscription/s1" : `${BASE}/Subscription/s1`);
      assertStatusFirst(bundle, shape);
      assertInvariants(bundle, shape);
    });
  }

  test("has an id of its own", () => {
    const ids = ["R4", "R4B", "R5"].flatMap((version) =>
      [1, 2].map(() => notify(events(1), { version: version as FhirVersion }).bundle.entry[0]?.fullUrl) // of FHIR_VERSIONS
    );
    assertEquals(new Set(ids).size, ids.length);
  });

  test("tells the status that the Subscription has", () => {
    for (const version of FHIR_VERSIONS) {
      for (const status of ["requested", "error", "active"]) {
        assertEquals(notify({ type: "handshake", head: 3 }, { version, status }).status, status);
      }
    }
  });
});

/** T29, bdl-13, and the profiles. */
function assertStatusFirst(bundle: Bundle, shape: FhirVersion): void {
  const [first] = bundle.entry;
  assertExists(first?.resource?.id);
  assertEquals(first.resource.resourceType, shape === "R4" ? "Parameters" : "SubscriptionStatus");
  assertEquals(first.fullUrl, `urn:uuid:${first.resource.id}`);
  assertMatch(first.resource.id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assertEquals(bundle.type, shape === "R5" ? "subscription-notification" : "history");
  const profile =
    "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription-notification";
  const profiles = { R4: [`${profile}-r4`], R4B: [profile], R5: undefined };
  assertEquals(bundle.meta?.profile, profiles[shape]);
}

/** The invariants of Bundle that a notification could break: bdl-3, bdl-4, bdl-5, bdl-7, bdl-8, bdl-15. */
function assertInvariants({ entry, type }: Bundle, shape: FhirVersion): void {
  for (const [n, { fullUrl, resource, request, response }] of entry.entries()) {
    assertExists(fullUrl);
    assertEquals(fullUrl.includes("/_history/"), false, "bdl-8");
    assert(resource !== undefined || request !== undefined || response !== undefined, "bdl-5");
    if (shape === "R5") {
      assertEquals(response, undefined, "profile of R5: no response");
      assertEquals(request === undefined, n === 0, "profile of R5: no request on the status");
    } else {
      assertExists(request, "bdl-3");
      assertExists(response, "bdl-4");
      assertMatch(response.status, /^[1-5]\d\d$/);
    }
    if (request !== undefined) assertMatch(request.method, /^(GET|HEAD|POST|PUT|DELETE)$/);
  }
  const urls = entry.map(({ fullUrl }) => fullUrl);
  if (type !== "history") assertEquals(new Set(urls).size, urls.length, "bdl-7");
  if (shape !== "R5") assertEquals(entry[0]?.request, { method: "GET", url: `${BASE}/Subscription/s1/$status` }, "T29");
  if (shape !== "R5") assertEquals(entry[0]?.response, { status: "200" });
}

describe("the count", () => {
  for (const version of FHIR_VERSIONS) {
    test(`T23, T25: is the head in a handshake and heartbeat of ${version}, without events`, () => {
      for (const type of ["handshake", "heartbeat"] as const) {
        for (const head of [0, 1, 4711, Number.MAX_SAFE_INTEGER]) {
          const read = notify({ type, head }, { version, content: "full-resource" });
          assertEquals([read.count, read.events, read.entries], [String(head), [], []]);
        }
      }
    });

    test(`T24: is the highest event number in an event-notification of ${version}`, () => {
      for (const numbers of [[1], [2], [7, 8, 9], [1000000]]) {
        const read = notify(events(...numbers), { version });
        assertEquals(read.count, String(numbers.at(-1)));
        assertEquals(read.events.map(({ number }) => number), numbers.map(String));
      }
    });

    test(`is a JSON string in ${version}, as every number of an event`, () => {
      const { text } = notify(events(2), { version });
      assertEquals(/(?:event-number|eventNumber|[sS]tart)"[^"]*:\s*\d/.test(text), false);
      assertMatch(text, version === "R4" ? /"valueString":"2"/ : /"eventNumber":"2"/);
    });
  }
});

describe("the content level", () => {
  const context = [
    { reference: "Patient/p1", resource: { resourceType: "Patient", id: "p1" } },
    { reference: "Practitioner/x", resource: { resourceType: "Practitioner", id: "x" } },
  ];
  for (const version of FHIR_VERSIONS) {
    for (const dialect of DIALECTS) {
      const prefix = dialect === "json" ? "" : `${BASE}/`;
      const content = { type: "event-notification", events: [makeEvent(1, { additionalContext: context })] } as const;

      test(`T26: empty tells nothing of resources (${version} ${dialect})`, () => {
        const read = notify(content, { version, dialect, content: "empty" });
        assertEquals(read.events, [{ number: "1", timestamp: TIMESTAMP, focus: undefined, context: [] }]);
        assertEquals([read.entries, read.topic], [[], undefined]);
        for (const word of ["Encounter", "Patient", "Practitioner", TOPIC]) {
          assertEquals(read.text.includes(word), false);
        }
      });

      test(`T27: id-only has focus and context, and no resource (${version} ${dialect})`, () => {
        const read = notify(content, { version, dialect, content: "id-only" });
        assertEquals(read.events, [{
          number: "1",
          timestamp: TIMESTAMP,
          focus: `${prefix}Encounter/e1`,
          context: [`${prefix}Patient/p1`, `${prefix}Practitioner/x`],
        }]);
        assertEquals(read.entries.filter(({ resource }) => resource !== undefined), []);
        assertEquals(read.text.includes("in-progress"), false);
        assertEquals(read.topic, TOPIC);
      });

      test(`T28: full-resource has them all, each with its resource (${version} ${dialect})`, () => {
        const read = notify(content, { version, dialect, content: "full-resource" });
        assertEquals(read.events.map(({ focus, context }) => [focus, ...context]), [
          [`${prefix}Encounter/e1`, `${prefix}Patient/p1`, `${prefix}Practitioner/x`],
        ]);
        const response = version === "R5" ? {} : { response: { status: "200" } };
        assertEquals(read.entries, [
          {
            fullUrl: `${BASE}/Encounter/e1`,
            resource: makeEvent(1).resource as FhirResource, // it has one
            request: { method: "PUT", url: "Encounter/e1" },
            ...response,
          },
          ...context.map(({ reference, resource }) => ({
            fullUrl: `${BASE}/${reference}`,
            resource,
            request: { method: "GET", url: reference },
            ...response,
          })),
        ]);
        assertEquals(read.topic, TOPIC);
      });
    }

    test(`is the Subscription's, else the default, else empty (${version})`, () => {
      const levelOf = (wish: Omit<Wish, "version">) => {
        const { events: [event], entries } = notify(events(1), { version, ...wish });
        return event?.focus === undefined ? "empty" : entries.length === 0 ? "id-only" : "full-resource";
      };
      assertEquals(levelOf({}), "empty");
      for (const level of LEVELS) {
        assertEquals(levelOf({ defaultContent: level }), level);
        for (const other of LEVELS) assertEquals(levelOf({ content: level, defaultContent: other }), level);
      }
    });
  }
});

describe("the entry of a resource", () => {
  const rows: readonly (readonly [LoggedEvent["interaction"], string, string, string])[] = [
    ["create", "POST", "Encounter", "201"],
    ["update", "PUT", "Encounter/e1", "200"],
    ["delete", "DELETE", "Encounter/e1", "204"],
  ];
  for (const version of FHIR_VERSIONS) {
    for (const [interaction, method, url, status] of rows) {
      test(`says in ${version} that it was a ${interaction}`, () => {
        const content = { type: "event-notification", events: [makeEvent(1, { interaction })] } as const;
        const [entry, ...more] = notify(content, { version, content: "full-resource" }).entries;
        assertEquals(more, []);
        assertEquals(entry?.fullUrl, `${BASE}/Encounter/e1`);
        assertEquals(entry?.request, { method, url });
        assertEquals(entry?.response, version === "R5" ? undefined : { status });
        assertEquals(entry?.resource === undefined, interaction === "delete", "what was deleted is not sent");
      });
    }

    test(`T28: has its request where the log holds no resource (${version})`, () => {
      const { resource: _resource, ...bare } = makeEvent(1, { additionalContext: [{ reference: "Patient/p1" }] });
      const { entries } = notify({ type: "event-notification", events: [bare] }, { version, content: "full-resource" });
      assertEquals(entries.map(({ resource, request }) => [resource, request?.url]), [
        [undefined, "Encounter/e1"],
        [undefined, "Patient/p1"],
      ]);
    });

    test(`keeps references that are absolute already (${version})`, () => {
      for (
        const reference of ["https://other.example/fhir/Patient/p1", "urn:uuid:00000000-0000-4000-8000-000000000000"]
      ) {
        const content = {
          type: "event-notification",
          events: [makeEvent(1, { additionalContext: [{ reference }] })],
        } as const;
        const read = notify(content, { version, content: "full-resource" });
        assertEquals(read.events[0]?.context, [reference]);
        assertEquals(read.entries[1]?.fullUrl, reference);
      }
    });
  }
});

describe("a batch", () => {
  test("has one entry per event in a history Bundle", () => {
    for (const version of ["R4", "R4B"] as const) {
      const { entries } = notify(events(1, 2, 3), { version, content: "full-resource" });
      assertEquals(entries.map(({ fullUrl }) => fullUrl), Array(3).fill(`${BASE}/Encounter/e1`));
    }
  });

  test("has each resource once in R5, as it was last", () => {
    const content: NotificationContent = {
      type: "event-notification",
      events: [
        makeEvent(1, { interaction: "create", resource: { resourceType: "Encounter", id: "e1" } }),
        makeEvent(2, { focus: "Encounter/e2", additionalContext: [{ reference: "Encounter/e1" }] }),
        makeEvent(3, { interaction: "delete" }),
      ],
    };
    const { entries, events: told } = notify(content, { version: "R5", content: "full-resource" });
    assertEquals(told.map(({ focus }) => focus), ["e1", "e2", "e1"].map((id) => `${BASE}/Encounter/${id}`));
    assertEquals(entries.map(({ fullUrl, request }) => [fullUrl, request?.method]).sort(), [
      [`${BASE}/Encounter/e1`, "DELETE"],
      [`${BASE}/Encounter/e2`, "PUT"],
    ]);
  });
});

describe("the topic", () => {
  test("is left out of an R4 Subscription that has a search instead", () => {
    for (const version of ["R4", "R4B"] as const) {
      assertEquals(notify(events(1), { version, topic: null, content: "full-resource" }).topic, undefined);
      const search = "Observation?code=http://loinc.org|1-1";
      assertEquals(notify(events(1), { version, topic: search, content: "full-resource" }).topic, undefined);
    }
  });

  test("may be any canonical", () => {
    for (const version of FHIR_VERSIONS) {
      for (const topic of ["urn:uuid:00000000-0000-4000-8000-000000000000", "https://example.org/topic|1.0"]) {
        assertEquals(notify(events(1), { version, topic, content: "id-only" }).topic, topic);
      }
    }
  });

  test("is left out of an empty one of every kind, and of an R5 Subscription without one", () => {
    for (const [, what] of CONTENTS) {
      for (const version of FHIR_VERSIONS) assertEquals(notify(what, { version, content: "empty" }).topic, undefined);
      assertEquals(notify(what, { version: "R5", topic: null, content: "id-only" }).topic, undefined);
    }
  });
});

describe("the timestamp of an event", () => {
  test("is left out where the log has none", () => {
    const { timestamp: _timestamp, ...event } = makeEvent(1);
    for (const version of FHIR_VERSIONS) {
      const read = notify({ type: "event-notification", events: [event] }, { version });
      assertEquals(read.events[0]?.timestamp, undefined);
    }
  });
});

/** The checks 1–3 and 5–10 that a public test kit makes of R4 notifications, as plain assertions. */
describe("what a public test kit checks of R4", () => {
  function check(bundle: Bundle, level: ContentLevel, type: string): void {
    assertEquals([bundle.resourceType, bundle.type], ["Bundle", "history"]); // 1
    assertNotEquals(bundle.entry.length, 0);
    for (const { request, response } of bundle.entry) assert(request && response); // 2
    assert(bundle.entry[0]?.request?.url.endsWith("Subscription/s1/$status")); // 3
    const read = readNotification(bundle);
    assertEquals([read.type, read.subscription], [type, "s1"]); // 5, 10
    if (type !== "event-notification") return assertEquals(read.entries, []);
    assertEquals(read.status, "active");
    assertNotEquals(read.events.length, 0);
    if (level === "empty") { // 6
      assertEquals(read.entries, []);
      for (const { focus, context } of read.events) assertEquals([focus, context], [undefined, []]);
      return assertEquals(read.topic, undefined);
    }
    for (const { focus } of read.events) assertExists(focus); // 7, 8
    for (const { resource, fullUrl } of read.entries) {
      assertExists(fullUrl);
      if (level === "id-only") assertEquals(resource, undefined);
    }
    if (level !== "full-resource") return;
    assertExists(read.topic);
    for (const reference of read.events.flatMap(({ focus = "", context }) => [focus, ...context])) {
      assert(read.entries.some(({ resource }) => reference.includes(`${resource?.resourceType}/${resource?.id}`)));
    }
  }

  for (const level of LEVELS) {
    for (const [name, what] of CONTENTS.filter(([name]) => name !== "delete")) {
      test(`holds for ${level} ${name}`, () => {
        check(notify(what, { version: "R4", content: level }).bundle, level, what.type);
      });
    }
  }

  test("holds for context, and for a batch of creates", () => {
    const additionalContext = [{ reference: "Patient/p1", resource: { resourceType: "Patient", id: "p1" } }];
    const batch = [1, 2].map((number) => makeEvent(number, { interaction: "create", additionalContext }));
    const what = { type: "event-notification", events: batch } as const;
    for (const level of LEVELS) check(notify(what, { version: "R4", content: level }).bundle, level, what.type);
  });

  test("fails for what is none: the checks themselves", () => {
    const good = notify(events(1), { version: "R4", content: "full-resource" }).bundle;
    const [status, focus] = good.entry;
    assert(status && focus);
    const { response: _response, ...open } = focus;
    const broken: readonly [Bundle, ContentLevel][] = [
      [{ ...good, type: "collection" }, "full-resource"],
      [{ ...good, entry: [status, open] }, "full-resource"],
      [{ ...good, entry: [status] }, "full-resource"],
      [{ ...good, entry: [focus, status] }, "full-resource"],
      [good, "id-only"],
      [good, "empty"],
    ];
    for (const [bundle, level] of broken) assertThrows(() => check(bundle, level, "event-notification"));
  });
});

describe("notificationBundle", () => {
  test("throws TypeError for a Subscription without an id", () => {
    const endpoint = { base: BASE, fhirVersion: "R5" as const };
    const nameless = { resourceType: "Subscription" as const };
    assertThrows(
      () => notificationBundle(endpoint, nameless, { type: "handshake", head: 0 }),
      TypeError,
      "it has no id",
    );
  });

  test("takes the time from the host's clock, and from its own without one", () => {
    const subscription = makeSubscription("s1", "R5");
    const before = Date.now();
    const bundle = asSent(
      notificationBundle({ base: BASE, fhirVersion: "R5" }, subscription, { type: "heartbeat", head: 0 }),
    );
    const at = Date.parse(bundle.timestamp);
    assert(before <= at && at <= Date.now());
  });

  test("does not change what it is given", () => {
    const subscription = makeSubscription("s1", "R4", { content: "full-resource" });
    const event = makeEvent(1, { additionalContext: [{ reference: "Patient/p1" }] });
    const before = JSON.stringify([subscription, event]);
    notificationBundle({ base: BASE, fhirVersion: "R4" }, subscription, {
      type: "event-notification",
      events: [event],
    });
    assertEquals(JSON.stringify([subscription, event]), before);
  });
});
