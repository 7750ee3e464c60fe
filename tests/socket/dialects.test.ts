import {
  type ContentLevel,
  type Dialect,
  type FhirVersion,
  notificationBundle,
  type NotificationContent,
} from "@fhir-ws/binding";
import { assert, assertEquals, assertExists, assertMatch } from "@std/assert";
import { describe, test } from "node:test";
import { EVENT, type FakeSocket, FHIR_VERSIONS, inHarness, type ReadNotification, TOPIC } from "./harness.ts";

const LEVELS: readonly ContentLevel[] = ["empty", "id-only", "full-resource"];
const DIALECTS: readonly Dialect[] = ["text", "json"];

function onlyNotification(socket: FakeSocket): ReadNotification {
  const [frame, ...more] = socket.take();
  assertEquals(more, []);
  assert(frame?.kind === "notification");
  return frame;
}

/** How the Medplum client 5.2.13 takes a frame: by its first entry, and by the second part of the reference. */
function asMedplum(frame: ReadNotification): { readonly type: string; readonly id: string | undefined } {
  const bundle: { entry: { resource: { type: string; subscription: { reference: string } } }[] } = JSON.parse(
    frame.text,
  );
  const [first] = bundle.entry;
  assertExists(first);
  return { type: first.resource.type, id: first.resource.subscription.reference.split("/")[1] };
}

describe("the text dialect", () => {
  for (const fhirVersion of FHIR_VERSIONS) {
    test(
      `speaks the IG's ${fhirVersion}`,
      inHarness({ fhirVersion }, async (h) => {
        await h.put("s1", { content: "full-resource" });
        const socket = await h.open();
        await socket.say(`bind-with-token: ${await h.mint(["s1"])}`);
        await h.notify("s1");
        for (const type of ["handshake", "event-notification"]) {
          const frame = socket.frames.find((one) => one.kind === "notification" && one.type === type);
          assert(frame?.kind === "notification");
          const [status] = frame.bundle.entry;
          assertEquals(frame.bundle.type, fhirVersion === "R5" ? "subscription-notification" : "history");
          assertEquals(status?.resource?.resourceType, fhirVersion === "R4" ? "Parameters" : "SubscriptionStatus");
          assertEquals(status?.fullUrl, `urn:uuid:${status?.resource?.id}`);
          assertEquals(frame.reference, `${h.base}/Subscription/s1`);
          assertEquals(frame.topic, TOPIC);
        }
      }),
    );
  }
});

describe("the json dialect", () => {
  for (const fhirVersion of FHIR_VERSIONS) {
    test(
      `says in ${fhirVersion} what the unmodified Medplum client understands`,
      inHarness({ fhirVersion }, async (h) => {
        await h.put("s1", { heartbeatPeriod: 10, maxCount: 5, content: "full-resource" });
        await h.put("s2", { content: "full-resource" });
        const socket = await h.open();
        const token = await h.mint(["s1", "s2"]);
        await socket.say({ type: "bind-with-token", payload: { token } });
        const handshakes = socket.take();
        assertEquals(handshakes.map((frame) => frame.kind === "notification" && asMedplum(frame)), [
          { type: "handshake", id: "s1" },
          { type: "handshake", id: "s2" },
        ]);
        await h.notify(["s1", "s2"]);
        const events = socket.take();
        assertEquals(events.length, 2, "one Subscription per Bundle");
        for (const frame of events) {
          assert(frame.kind === "notification");
          assertEquals(asMedplum(frame), { type: "event-notification", id: frame.subscription });
          assertEquals(frame.bundle.entry[0]?.resource?.resourceType, "SubscriptionStatus");
          assertEquals(frame.events.map(({ focus }) => focus), ["Encounter/e1"]);
          assertEquals(frame.entries.map(({ resource }) => resource), [EVENT.resource]);
        }
        await h.advance(10_000);
        assertEquals(asMedplum(onlyNotification(socket)), { type: "heartbeat", id: "s1" });
        await socket.say({ type: "ping" });
        assertEquals(socket.take().map(({ text }) => JSON.parse(text)), [{ type: "pong" }]);
      }),
    );
  }

  test(
    "has one event per Bundle, whatever maxCount allows",
    inHarness(async (h) => {
      await h.put("s1", { maxCount: 10 });
      const json = await h.bound(["s1"], undefined, { dialect: "json" });
      const text = await h.bound(["s1"]);
      for (const socket of [json, text]) socket.bufferedAmount = 2_000_000;
      for (let n = 0; n < 4; n++) await h.notify("s1");
      for (const socket of [json, text]) await socket.drain();
      assertEquals(json.story(), [1, 2, 3, 4].map((n) => `event s1 ${n}`));
      assertEquals(text.story(), ["event s1 4 [1,2,3,4]"]);
    }),
  );

  test(
    "lets a client come back as the Medplum client does: unbind the old token on the new socket, bind a new one",
    inHarness({ fhirVersion: "R4", singleUse: true }, async (h) => {
      await h.put("s1");
      const old = await h.mint(["s1"]);
      const first = await h.open();
      await h.bind(first, old, "json");
      first.disconnect();
      await h.put("s2");
      const second = await h.open();
      await second.say({ type: "unbind-from-token", payload: { token: old } });
      await second.say({ type: "bind-with-token", payload: { token: await h.mint(["s2"]) } });
      assertEquals(second.story(), ["handshake s2 0"]);
      // Refreshing: the same Subscription, another token, the same socket, no unbind.
      await h.advance(3_300_000);
      await second.say({ type: "bind-with-token", payload: { token: await h.mint(["s2"]) } });
      assertEquals(second.story(), ["handshake s2 0"]);
      await h.advance(600_000);
      await h.notify("s2");
      assertEquals(second.story(), ["event s2 1"]);
    }),
  );
});

describe("the dialect of a binding", () => {
  test(
    "is that of its latest bind, each binding its own",
    inHarness({ fhirVersion: "R4" }, async (h) => {
      await h.put("s1");
      await h.put("s2");
      const socket = await h.open();
      const dialects = async (): Promise<Record<string, string>> => {
        await h.notify(["s1", "s2"]);
        return Object.fromEntries(
          socket.take().flatMap((frame) =>
            frame.kind === "notification" && frame.type === "event-notification"
              ? [[frame.subscription, frame.reference.startsWith("https:") ? "text" : "json"]]
              : []
          ),
        );
      };
      const both = await h.mint(["s1", "s2"]);
      await h.bind(socket, both);
      assertEquals(await dialects(), { s1: "text", s2: "text" });
      await h.bind(socket, await h.mint(["s2"]), "json");
      assertEquals(await dialects(), { s1: "text", s2: "json" });
      await h.bind(socket, both, "json");
      assertEquals(await dialects(), { s1: "json", s2: "json" });
      await h.bind(socket, both, "text");
      assertEquals(await dialects(), { s1: "text", s2: "text" });
    }),
  );

  test(
    "of a refused bind changes nothing",
    inHarness(async (h) => {
      await h.put("s1");
      const token = await h.mint(["s1"], undefined, { lifetime: 10 });
      const socket = await h.open();
      await h.bind(socket, await h.mint(["s1"]));
      await h.bind(socket, token);
      await h.advance(10_000);
      await h.bind(socket, token, "json");
      await h.notify("s1");
      assertMatch(onlyNotification(socket).reference, /^https:/);
    }),
  );

  test(
    "is one each on two sockets of the same caller",
    inHarness({ fhirVersion: "R4" }, async (h) => {
      await h.put("s1");
      const text = await h.bound(["s1"]);
      const json = await h.bound(["s1"], undefined, { dialect: "json" });
      await h.notify("s1");
      assertEquals(onlyNotification(text).bundle.entry[0]?.resource?.resourceType, "Parameters");
      assertEquals(onlyNotification(json).bundle.entry[0]?.resource?.resourceType, "SubscriptionStatus");
    }),
  );
});

describe("a notification", () => {
  // As JSON has to escape it, and as a template could take it for a place of its own.
  const topics = [TOPIC, 'http://example.org/"\\$&{number}', null];
  const cases = FHIR_VERSIONS.flatMap((version) =>
    DIALECTS.flatMap((dialect) => LEVELS.map((content) => ({ version, dialect, content })))
  );
  for (const { version, dialect, content } of cases) {
    test(
      `is what notificationBundle makes of it in ${version} ${dialect} ${content}, for all of many alike`,
      inHarness({ fhirVersion: version }, async (h) => {
        const subscriptions = await Promise.all(topics.flatMap((topic, n) => [
          h.put(`a${n}`, { topic, content, heartbeatPeriod: 60 }),
          h.put(`b${n}`, { topic, content, heartbeatPeriod: 60 }),
        ]));
        const ids = subscriptions.map(({ id = "" }) => id);
        const socket = await h.open();
        const plain = (text: string) =>
          text.replace(/"timestamp":"[^"]*"/, "").replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "uuid");
        const expect = (of: (id: string) => NotificationContent) => {
          const endpoint = { base: h.base, fhirVersion: version };
          const bundles = subscriptions.map((one) => notificationBundle(endpoint, one, of(one.id ?? ""), { dialect }));
          assertEquals(
            socket.take().map(({ text }) => plain(text)).sort(),
            bundles.map((one) => plain(JSON.stringify(one))).sort(),
          );
        };
        for (const frame of await h.bind(socket, await h.mint(ids), dialect)) assert(frame.kind === "notification");
        await h.notify(["a0", "a1"]);
        socket.take();
        const numberOf = (id: string) => id === "a0" || id === "a1" ? 2 : 1;
        const event = {
          ...EVENT,
          timestamp: "2030-01-01T00:00:00Z",
          additionalContext: [{ reference: "Patient/p1", resource: { resourceType: "Patient", id: "p1" } }],
        };
        await h.notify(ids, event);
        expect((id) => ({ type: "event-notification", events: [{ ...event, number: numberOf(id) }] }));
        await h.advance(60_000);
        expect((id) => ({ type: "heartbeat", head: numberOf(id) }));
      }),
    );
  }
});

describe("the content level", () => {
  const cases = FHIR_VERSIONS.flatMap((version) =>
    DIALECTS.flatMap((dialect) => LEVELS.map((level) => ({ version, dialect, level })))
  );
  for (const { version, dialect, level } of cases) {
    test(
      `${level} holds in ${version} ${dialect}, asked for or by default`,
      inHarness({ fhirVersion: version, defaultContent: level }, async (h) => {
        await h.put("asked", { content: level });
        await h.put("default");
        const socket = await h.bound(["asked", "default"], undefined, { dialect });
        await h.notify(["asked", "default"]);
        const frames = socket.take();
        assertEquals(frames.length, 2);
        for (const frame of frames) {
          assert(frame.kind === "notification");
          assertLevel(frame, level, version, dialect === "json" ? "" : `${h.base}/`);
        }
      }),
    );
  }

  test(
    "is empty where nobody says",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      await h.notify("s1");
      assertLevel(onlyNotification(socket), "empty", "R5", "");
    }),
  );

  test(
    "applies from the next notification when the Subscription changes",
    inHarness(async (h) => {
      await h.put("s1", { content: "empty" });
      const socket = await h.bound(["s1"]);
      await h.notify("s1");
      assertLevel(onlyNotification(socket), "empty", "R5", "");
      await h.change("s1", { content: "full-resource" });
      await h.notify("s1");
      assertLevel(onlyNotification(socket), "full-resource", "R5", `${h.base}/`);
    }),
  );

  function assertLevel(frame: ReadNotification, level: ContentLevel, version: FhirVersion, prefix: string): void {
    assertEquals(frame.events.map(({ focus }) => focus), [level === "empty" ? undefined : `${prefix}Encounter/e1`]);
    assertEquals(frame.topic, level === "empty" ? undefined : TOPIC);
    if (level !== "full-resource") return assertEquals(frame.entries, []);
    const [entry, ...more] = frame.entries;
    assertEquals(more, []);
    assertEquals(entry?.resource, EVENT.resource);
    assertMatch(entry?.fullUrl ?? "", /^https:\/\/example\.org\/fhir\/R.*\/Encounter\/e1$/);
    assertEquals(entry?.request, { method: "PUT", url: "Encounter/e1" });
    assertEquals(entry?.response, version === "R5" ? undefined : { status: "200" });
  }
});
