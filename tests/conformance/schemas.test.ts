// What the library and its demo send, against FHIR's own JSON schemas.

import { describe, it } from "node:test";
import {
  BindingError,
  type ContentLevel,
  type Dialect,
  type FhirVersion,
  handleSubscriptionEvents,
  handleSubscriptionStatus,
} from "@fhir-ws/binding";
import type { SubscriptionOperation } from "@fhir-ws/binding/conformance";
import { createMemoryEventLog } from "@fhir-ws/binding/storage/memory";
import { assert, assertEquals, assertGreater } from "@std/assert";
import { bindingToken, type Call, type Running, subscribe, withDemo } from "../demo/running.ts";
import { connect, type TestSocket } from "../demo/sockets.ts";
import { call, FHIR_VERSIONS, type HostOptions, idParameters, makeHost, post } from "../operation/fake_host.ts";
import { items, type JsonObject, member, object, text } from "./json.ts";
import { assertNotification, type Expected } from "./notification_checks.ts";
import { type Check, openSchemas } from "./schemas.ts";

const LEVELS: readonly ContentLevel[] = ["empty", "id-only", "full-resource"];
const DIALECTS: readonly Dialect[] = ["text", "json"];
const CODES: readonly SubscriptionOperation[] = ["get-ws-binding-token", "status", "events"];
const BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-";

const schemas = await openSchemas();
const skip = schemas.skip ?? false;

/** Sees that something is valid, and of the type that it was to be. */
function assertValid(check: Check, resource: unknown, type: string): void {
  const { resourceType } = object(resource);
  assertEquals([resourceType, check(resource)], [type, []], JSON.stringify(resource, null, 1));
}

/** A Subscription as the Backport IG and R5 have it, with everything that can be said. */
function topicSubscription(version: FhirVersion, level: ContentLevel, heartbeat?: number): JsonObject {
  const topic = "http://example.org/SubscriptionTopic/Patient";
  const mime = "application/fhir+json";
  if (version === "R5") {
    const beat = heartbeat === undefined ? {} : { heartbeatPeriod: heartbeat };
    const channel = { channelType: { code: "websocket" }, contentType: mime, content: level, ...beat };
    return { resourceType: "Subscription", status: "requested", topic, ...channel };
  }
  const beats = heartbeat === undefined
    ? {}
    : { extension: [{ url: `${BACKPORT}heartbeat-period`, valueUnsignedInt: heartbeat }] };
  const content = { extension: [{ url: `${BACKPORT}payload-content`, valueCode: level }] };
  const channel = { type: "websocket", payload: mime, _payload: content, ...beats };
  return { resourceType: "Subscription", status: "requested", reason: "a test", criteria: topic, channel };
}

function bindFrame(dialect: Dialect, token: string): string {
  return dialect === "text"
    ? `bind-with-token ${token}`
    : JSON.stringify({ type: "bind-with-token", payload: { token } });
}

/** One bound Subscription, and what is expected of its frames. */
interface Bound {
  readonly id: string;
  readonly socket: TestSocket;
  /** The next frame, seen to be valid. */
  next(type: Expected["type"]): Promise<JsonObject>;
}

async function bind(
  running: Running,
  version: FhirVersion,
  { level, dialect, heartbeat }: { level: ContentLevel; dialect: Dialect; heartbeat?: number },
): Promise<Bound> {
  const id = await subscribe(running, "alice", version, topicSubscription(version, level, heartbeat));
  const check = await schemas.check(dialect === "json" && version === "R4" ? "R4B" : version);
  const socket = await connect(running, version);
  socket.send(bindFrame(dialect, await bindingToken(running, "alice", version, id)));
  return {
    id,
    socket,
    async next(type) {
      const frame = await socket.next();
      assertValid(check, frame, "Bundle");
      assertEquals(typeOf(frame), type);
      if (dialect === "text" && version === "R4") {
        assertNotification(JSON.stringify(frame), { id, type, level, heartbeats: heartbeat !== undefined });
      }
      return frame;
    },
  };
}

/** The type of the status that a Bundle begins with. */
function typeOf(bundle: JsonObject): unknown {
  const [first = {}] = items(bundle.entry);
  const status = member(first, "resource");
  const parameter = items(status.parameter).find(({ name }) => name === "type");
  return status.type ?? parameter?.valueCode;
}

describe("the schemas", { skip }, () => {
  const patient = { resourceType: "Patient", active: true };
  const entry = [{ resource: { ...patient, active: "yes" } }];
  const BAD: readonly object[] = [
    { ...patient, active: "yes" },
    { ...patient, unheardOf: 1 },
    { ...patient, name: [] },
    { ...patient, id: "" },
    { resourceType: "Bundle", type: "searchset", entry },
    { resourceType: "Parameters", parameter: [{ name: "token", valueString: 7 }] },
    { resourceType: "OperationOutcome" },
    { resourceType: "Unheard" },
    {},
  ];
  for (const version of FHIR_VERSIONS) {
    it(`know good from bad in ${version}`, async () => {
      const check = await schemas.check(version);
      assertEquals(check(patient), []);
      for (const bad of BAD) assertGreater(check(bad).length, 0, JSON.stringify(bad));
    });
  }
});

for (const version of FHIR_VERSIONS) {
  describe(`in ${version}, by the schemas of FHIR,`, { skip }, () => {
    for (const level of LEVELS) {
      for (const dialect of DIALECTS) {
        it(`handshakes and events of ${level} are valid in the ${dialect} dialect`, () =>
          withDemo(async (running) => {
            const { next } = await bind(running, version, { level, dialect });
            await next("handshake");
            const path = `/fhir/${version}/Patient`;
            const body = { resourceType: "Patient", active: true };
            const { id } = (await running.send({ method: "POST", path, user: "alice", body })).json;
            const created = await next("event-notification");
            assertEquals(items(created.entry).length, level === "full-resource" ? 2 : 1);
            const one = { path: `${path}/${id}`, user: "alice" };
            await running.send({ ...one, method: "PUT", body: { ...body, id, gender: "unknown" } });
            await next("event-notification");
          }));
      }
    }

    it("an event without a resource is valid", () =>
      withDemo(async (running) => {
        const { socket, next } = await bind(running, version, { level: "full-resource", dialect: "text" });
        await next("handshake");
        const path = `/fhir/${version}/Patient/p1`;
        const body = { resourceType: "Patient", id: "p1" };
        await running.send({ method: "PUT", path, user: "alice", body });
        await next("event-notification");
        await running.send({ method: "DELETE", path, user: "alice" });
        const deleted = await socket.next();
        assertValid(await schemas.check(version), deleted, "Bundle");
        assertEquals(items(deleted.entry).map((entry) => "resource" in entry), [true, false]);
      }));

    it("heartbeats are valid", () =>
      withDemo(async (running) => {
        const { socket, next } = await bind(running, version, { level: "id-only", dialect: "text", heartbeat: 1 });
        await next("handshake");
        await next("heartbeat");
        socket.leave();
      }, { now: Date.now }));

    it("what a base says of itself is valid", () =>
      withDemo(async ({ send }) => {
        const check = await schemas.check(version);
        assertValid(check, (await send({ path: `/fhir/${version}/metadata` })).json, "CapabilityStatement");
        for (const code of CODES) {
          const path = `/fhir/${version}/OperationDefinition/Subscription-${code}`;
          assertValid(check, (await send({ path, user: "alice" })).json, "OperationDefinition");
        }
      }));

    it("tokens are valid, and so is every answer of $status and $events", () =>
      withDemo(async (running) => {
        const { send } = running;
        const check = await schemas.check(version);
        const base = `/fhir/${version}/Subscription`;
        const ids = await Promise.all(
          LEVELS.map((level) => subscribe(running, "alice", version, topicSubscription(version, level))),
        );
        const off = await subscribe(running, "alice", version, {
          ...topicSubscription(version, "empty"),
          status: "off",
        });
        for (const n of [1, 2, 3]) {
          const body = { resourceType: "Patient", id: `p${n}` };
          await send({ method: "PUT", path: `/fhir/${version}/Patient/p${n}`, user: "alice", body });
        }
        const token = await send({ path: `${base}/$get-ws-binding-token`, user: "alice" });
        assertValid(check, token.json, "Parameters");
        for (const query of ["", `?id=${ids[0]}&status=active`, "?id=nobodys"]) {
          assertValid(check, (await send({ path: `${base}/$status${query}`, user: "alice" })).json, "Bundle");
        }
        for (const [n, id] of [...ids, off].entries()) {
          assertValid(check, (await send({ path: `${base}/${id}/$status`, user: "alice" })).json, "Bundle");
          for (const query of ["", "?eventsSinceNumber=2&content=id-only", "?eventsSinceNumber=9"]) {
            const answer = await send({ path: `${base}/${id}/$events${query}`, user: "alice" });
            assertValid(check, answer.json, "Bundle");
            assertEquals(typeOf(answer.json), "query-event");
            const level = query.includes("content") && n > 0 ? "id-only" : LEVELS[n] ?? "empty";
            const expected: Expected = { id, type: "query-event", level, heartbeats: false };
            if (version === "R4") assertNotification(answer.text, expected);
          }
        }
      }));

    it("events that are not kept any more, and a link to the next, are valid", async () => {
      const { ctx } = makeHost({ fhirVersion: version });
      const events = createMemoryEventLog({ maxEvents: 2 });
      const key = JSON.stringify([ctx.base, null, "abc123"]);
      for (const id of "abc") await events.append([key], { interaction: "update", focus: `Patient/${id}` });
      const request = new Request(`${ctx.base}/Subscription/abc123/$events`);
      const bundle = object(await (await handleSubscriptionEvents(request, { ...ctx, events, maxEvents: 1 })).json());
      assertValid(await schemas.check(version), bundle, "Bundle");
      assertEquals(items(bundle.link).map(({ relation }) => relation), ["next"]);
      assert(JSON.stringify(bundle).includes("not kept"));
    });

    it("the error of a Subscription is valid in its status", async () => {
      const known = [{ ...topicSubscription(version, "empty"), id: "abc123", status: "error", error: "No disk" }];
      const { ctx } = makeHost({ fhirVersion: version, known: known as unknown as NonNullable<HostOptions["known"]> });
      const request = new Request(`${ctx.base}/Subscription/abc123/$status`);
      const answer = await handleSubscriptionStatus(request, { ...ctx, events: createMemoryEventLog() });
      const body = await answer.text();
      assertValid(await schemas.check(version), JSON.parse(body), "Bundle");
      assert(body.includes("No disk"));
    });

    it("every refusal by HTTP is a valid OperationOutcome", () =>
      withDemo(async (running) => {
        const check = await schemas.check(version);
        const rest = await subscribe(running, "alice", version, {
          ...topicSubscription(version, "empty"),
          status: "off",
        });
        for (const refused of refusedCalls(`/fhir/${version}/Subscription`, rest)) {
          const { status, json } = await running.send(refused);
          assertGreater(status, 399, JSON.stringify(refused));
          assertValid(check, json, "OperationOutcome");
        }
        for (const [status, host] of brokenHosts(version)) {
          const answers = [
            await call(host),
            await call(host, "Subscription/$get-ws-binding-token", post(idParameters("a_b", "nobodys"))),
          ];
          assertEquals(answers[0]?.status, status);
          for (const answer of answers) assertValid(check, await answer.json(), "OperationOutcome");
        }
      }));

    it("every refusal and end on a socket is a valid OperationOutcome", () =>
      withDemo(async (running) => {
        const check = await schemas.check(version);
        const { id, socket, next } = await bind(running, version, { level: "empty", dialect: "json" });
        await next("handshake");
        for (const frame of ["{", "", "hello", '{"type":"hello"}', "bind-with-token x"]) {
          const other = await connect(running, version);
          other.send(frame);
          assertValid(check, await other.next(), "OperationOutcome");
          other.leave();
        }
        await running.send({ method: "DELETE", path: `/fhir/${version}/Subscription/${id}`, user: "alice" });
        assertValid(check, await socket.next(), "OperationOutcome");
      }));
  });
}

/** Calls of a demo that it refuses, each for another reason. */
function refusedCalls(base: string, off: string): readonly Call[] {
  const user = "alice";
  const xml = { "content-type": "application/fhir+xml" };
  const operations = ["$get-ws-binding-token", "$status", `${off}/$events`].map((operation) => `${base}/${operation}`);
  return [
    ...operations.flatMap((path): Call[] => [
      { path },
      { path, headers: { authorization: "Bearer x" } },
      { path, user, method: "PUT", body: {} },
      { path, user, headers: { accept: "application/fhir+xml" } },
      { path, user, method: "POST", body: "<Parameters/>", headers: xml },
      { path, user, method: "POST", body: "{" },
      { path, user, method: "POST", body: { resourceType: "Patient" } },
      { path, user, method: "POST", body: `"${"x".repeat(70_000)}"` },
    ]),
    { path: `${base}/$get-ws-binding-token?id=a,b&id=c`, user },
    { path: `${base}/$get-ws-binding-token?id=nobodys&id=${off}`, user },
    { path: `${base}/${off}/$get-ws-binding-token`, user },
    { path: `${base}/$status?id=a_b&status=busy`, user },
    { path: `${base}/nobodys/$status`, user },
    { path: `${base}/nobodys/$events`, user },
    { path: `${base}/${off}/$events?eventsSinceNumber=-1`, user },
    { path: `${base}/${off}/$events?content=half`, user },
    {
      path: base,
      user,
      method: "POST",
      body: {
        resourceType: "Subscription",
        channel: { type: "websocket", payload: "x" },
        channelType: { code: "websocket" },
        contentType: "x",
      },
    },
  ];
}

/** Hosts that answer by a status of their own. */
function brokenHosts(fhirVersion: FhirVersion): readonly (readonly [number, ReturnType<typeof makeHost>])[] {
  const forbid = () => Promise.reject(new BindingError("forbidden"));
  const rows: readonly (readonly [number, HostOptions])[] = [
    [403, { authenticate: forbid }],
    [400, { isEnabled: () => false }],
    [429, { rateLimit: () => 7 }],
    [503, { authenticate: () => Promise.reject(new Error("down")) }],
    [500, { now: () => NaN }],
  ];
  return rows.map(([status, options]) => [status, makeHost({ fhirVersion, ...options })]);
}

describe("operationDefinition in R5", { skip }, () => {
  for (const code of CODES) {
    it(`agrees with HL7's ${code}`, () =>
      withDemo(async ({ send }) => {
        const theirs = await schemas.definition(code);
        const { json: ours } = await send({ path: `/fhir/R5/OperationDefinition/Subscription-${code}`, user: "alice" });
        assertEquals(ours.base, theirs.url);
        for (const name of ["code", "affectsState", "system", "type", "instance", "resource", "kind"]) {
          assertEquals(ours[name], theirs[name], name);
        }
        const parameters = [ours, theirs].map((definition) =>
          items(definition.parameter).map(({ name, use, scope, min, max, type }) => ({
            name,
            use,
            scope,
            min,
            max,
            type,
          }))
        );
        assertEquals(parameters[0], parameters[1]);
        assert(text(ours.url).endsWith(`/OperationDefinition/${text(ours.id)}`));
      }));
  }
});
