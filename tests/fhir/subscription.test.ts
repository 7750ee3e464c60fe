import { test } from "node:test";
import type { FhirSubscription, FhirVersion } from "@fhir-ws/binding";
import { assertEquals } from "@std/assert";
import {
  assertRefused,
  call,
  FHIR_VERSIONS,
  makeHost,
  readFixture,
  websocketSubscription,
} from "../operation/fake_host.ts";
import { refusalOf } from "./refusal.ts";

const BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/";

const FIXTURES: readonly (readonly [name: string, versions: readonly FhirVersion[]])[] = [
  ["Subscription-websocket-r4-backport", ["R4", "R4B"]],
  ["Subscription-websocket-r4-legacy", ["R4", "R4B"]],
  ["Subscription-websocket-r5", ["R5"]],
];
for (const [name, versions] of FIXTURES) {
  for (const version of FHIR_VERSIONS) {
    const eligible = versions.includes(version);
    test(`handleGetWsBindingToken ${eligible ? "binds" : "refuses"} ${name} in ${version}`, async () => {
      const why = await refusalOf(JSON.parse(await readFixture(`requests/${name}.json`)), version);
      assertEquals(why, eligible ? undefined : "its channel is not websocket");
    });
  }
}

test("handleGetWsBindingToken binds the plain R4 Subscription that Medplum's client creates", async () => {
  const subscription = {
    resourceType: "Subscription",
    id: "s1",
    status: "active",
    reason: "WebSocket subscription for Practitioner/prac1",
    channel: { type: "websocket" },
    criteria: "Communication?status=completed",
  };
  for (const version of ["R4", "R4B"] as const) assertEquals(await refusalOf(subscription, version), undefined);
});

const STATUSES: Readonly<Record<string, boolean>> = {
  "requested": true,
  "active": true,
  "error": true,
  "off": false,
  "entered-in-error": false,
  "Active": false,
  "nonsense": false,
};
for (const version of FHIR_VERSIONS) {
  for (const [status, eligible] of Object.entries(STATUSES)) {
    test(`handleGetWsBindingToken ${eligible ? "binds" : "refuses"} status ${status} in ${version}`, async () => {
      const why = await refusalOf(websocketSubscription("s1", version, { status }), version);
      assertEquals(why, eligible ? undefined : `its status is "${status}"`);
    });
  }

  test(`handleGetWsBindingToken refuses a Subscription without a usable status in ${version}`, async () => {
    for (const status of [undefined, null, "", 1, ["active"], { code: "active" }]) {
      assertEquals(
        await refusalOf(websocketSubscription("s1", version, { status }), version),
        'its status is "unknown"',
      );
    }
  });

  for (const end of ["2030-01-01T00:00:00Z", "9999-12-31T23:59:59.999+14:00", "2026-01-02T03:04:06Z"]) {
    test(`handleGetWsBindingToken binds a Subscription until ${end} in ${version}`, async () => {
      assertEquals(await refusalOf(websocketSubscription("s1", version, { end }), version), undefined);
    });
  }

  for (const end of ["2026-01-02T03:04:05Z", "2025-12-31T23:59:59Z", "1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z"]) {
    test(`handleGetWsBindingToken refuses a Subscription that ended ${end} in ${version}`, async () => {
      assertEquals(await refusalOf(websocketSubscription("s1", version, { end }), version), "it has ended");
    });
  }
}

/** No FHIR instants, though Date.parse makes something of many of them. */
const BAD_ENDS: readonly unknown[] = [
  "",
  "soon",
  "tomorrow 2030",
  "1 January 2030",
  "2030",
  "2030-01",
  "2030-01-01",
  "2030-01-01T00:00Z",
  "2030-01-01T00:00:00",
  "2030-01-01 00:00:00Z",
  "2030-01-01T00:00:00z",
  "2030-1-1T0:0:0Z",
  "2030-13-01T00:00:00Z",
  "2030-01-01T25:00:00Z",
  "2030-01-01T00:00:00.Z",
  "2030-01-01T00:00:00+2:00",
  "2030-01-01T00:00:00Z ",
  "2030-01-01T00:00:00Z\n",
  "+012030-01-01T00:00:00Z",
  null,
  2030,
  1893456000000,
  true,
  [],
  ["2030-01-01T00:00:00Z"],
  {},
  { toString: 1, valueOf: 1 },
];
for (const end of BAD_ENDS) {
  test(`handleGetWsBindingToken refuses the end ${JSON.stringify(end)}`, async () => {
    for (const version of FHIR_VERSIONS) {
      const why = await refusalOf(websocketSubscription("s1", version, { end }), version);
      assertEquals(why, "its end is not an instant");
    }
  });
}

function withContent(version: FhirVersion, content: unknown): FhirSubscription {
  const extension = [{ url: `${BACKPORT}backport-payload-content`, valueCode: content }];
  return websocketSubscription(
    "s1",
    version,
    version === "R5" ? { content } : { channel: { type: "websocket", _payload: { extension } } },
  );
}

function withPayload(version: FhirVersion, type: unknown): FhirSubscription {
  const more = version === "R5" ? { contentType: type } : { channel: { type: "websocket", payload: type } };
  return websocketSubscription("s1", version, more);
}

for (const version of FHIR_VERSIONS) {
  for (const content of ["empty", "id-only", "full-resource", undefined]) {
    test(`handleGetWsBindingToken binds content ${content} in ${version}`, async () => {
      assertEquals(await refusalOf(withContent(version, content), version), undefined);
    });
  }

  test(`handleGetWsBindingToken refuses a content level that is not known in ${version}`, async () => {
    for (const content of ["Empty", "everything", "", null, 1, ["empty"], {}]) {
      assertEquals(await refusalOf(withContent(version, content), version), "its content level is not known");
    }
  });

  test(`handleGetWsBindingToken refuses a payload that is no media type in ${version}`, async () => {
    for (const type of ["", "json", null, 1, true, ["application/fhir+json"], { code: "application/fhir+json" }]) {
      assertEquals(await refusalOf(withPayload(version, type), version), `its payload is not JSON of FHIR ${version}`);
    }
  });
}

test("handleGetWsBindingToken refuses whatever is no Subscription that it knows", async () => {
  const nonsense: readonly unknown[] = [
    {},
    [],
    "Subscription",
    1,
    true,
    { resourceType: "Patient", id: "s1" },
    { resourceType: "Bundle", entry: [{ resource: websocketSubscription("s1") }] },
    Object.create(null),
    Object.create(websocketSubscription("s1", "R5", { channel: { type: "websocket" } })), // nothing of its own
    new Map([["channelType", { code: "websocket" }]]),
  ];
  for (const resource of nonsense) {
    for (const version of FHIR_VERSIONS) {
      assertEquals(await refusalOf(resource, version), "its channel is not websocket");
    }
  }
});

test("handleGetWsBindingToken takes every kind of nothing for an unknown Subscription", async () => {
  for (const nothing of [undefined, null, false, 0, ""]) {
    const read = (): undefined => nothing as undefined; // as a careless host would
    const response = await call(makeHost({ subscriptions: { read } }));
    await assertRefused(response, 404, "not-found", "Error reading subscription: Not found");
  }
});

test("handleGetWsBindingToken survives a Subscription that holds itself or changes nothing of it", async () => {
  const subscription = websocketSubscription("s1", "R5", { extension: [] });
  Object.assign(subscription, { contained: [subscription] });
  const before = Object.keys(subscription);
  assertEquals(await refusalOf(Object.freeze(subscription), "R5"), undefined);
  assertEquals(Object.keys(subscription), before);
});
