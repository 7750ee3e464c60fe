import { assertEquals, assertStringIncludes } from "@std/assert";
import { describe, it } from "node:test";
import {
  bindingToken,
  type JsonObject,
  object,
  refusal,
  type Running,
  subscribe,
  subscription,
  withDemo,
} from "./running.ts";
import { connect } from "./sockets.ts";

const VERSIONS = ["R4", "R4B", "R5"] as const;
const HOUR = 3600;

/** The status of a Subscription as REST tells it. */
async function statusOf({ send }: Running, id: string, version = "R4", user = "alice"): Promise<unknown> {
  return (await send({ path: `/fhir/${version}/Subscription/${id}`, user })).json.status;
}

/** What FHIR calls an instant, some seconds from now. */
function inSeconds({ now }: Running, seconds: number): string {
  return new Date(now() + seconds * 1000).toISOString();
}

/** Replaces a Subscription. */
function put({ send }: Running, id: string, body: JsonObject): ReturnType<Running["send"]> {
  return send({ method: "PUT", path: `/fhir/R4/Subscription/${id}`, user: "alice", body: { ...body, id } });
}

describe("a Subscription that arrives", () => {
  for (const version of VERSIONS) {
    for (const [sent, kept] of [["requested", "active"], ["active", "active"], ["error", "error"], ["off", "off"]]) {
      it(`is ${kept} in ${version} when it was sent as ${sent} on a websocket`, () =>
        withDemo(async (running) => {
          const id = await subscribe(running, "alice", version, subscription(version, "Patient", { status: sent }));
          assertEquals(await statusOf(running, id, version), kept);
        }));
    }
  }

  it("is as the Medplum client sends it", () =>
    withDemo(async (running) => {
      const body = {
        resourceType: "Subscription",
        status: "active",
        reason: "WebSocket subscription for Practitioner/alice",
        channel: { type: "websocket" },
        criteria: "Communication?status=completed",
      };
      const headers = { "x-medplum": "extended", accept: "application/fhir+json, */*; q=0.1" };
      const made = await running.send({ method: "POST", path: "/fhir/R4/Subscription", user: "alice", body, headers });
      assertEquals([made.status, made.json.status, typeof made.json.id], [201, "active", "string"]);
    }));

  for (
    const [version, what, more] of [
      ["R4", "XML", { channel: { type: "websocket", payload: "application/fhir+xml" } }],
      ["R4", "JSON of another version", {
        channel: { type: "websocket", payload: "application/fhir+json;fhirVersion=5.0" },
      }],
      ["R4B", "text", { channel: { type: "websocket", payload: "text/plain" } }],
      ["R5", "XML", { contentType: "application/fhir+xml" }],
      ["R5", "an unknown content level", { content: "half" }],
    ] as const
  ) {
    it(`is refused with 422 in ${version} when it wants ${what}, and so is an update to that`, () =>
      withDemo(async (running) => {
        const { send } = running;
        const path = `/fhir/${version}/Subscription`;
        const bad = subscription(version, "Patient", more);
        const made = await send({ method: "POST", path, user: "alice", body: bad });
        assertEquals(refusal(made).slice(0, 2), [422, "business-rule"]);
        const id = await subscribe(running, "alice", version, subscription(version, "Patient"));
        const call = { method: "PUT", path: `${path}/${id}`, user: "alice", body: { ...bad, id } };
        assertEquals(refusal(await send(call)).slice(0, 2), [422, "business-rule"]);
        const { headers } = await send({ path: `${path}/${id}`, user: "alice" });
        assertEquals(headers.get("etag"), 'W/"1"');
      }));
  }

  for (const payload of ["application/fhir+json", "application/json", "application/fhir+json; fhirVersion=4.0"]) {
    it(`is accepted with payload ${payload}`, () =>
      withDemo(async (running) => {
        const channel = { type: "websocket", payload };
        await subscribe(running, "alice", "R4", subscription("R4", "Patient", { channel }));
      }));
  }

  it("is not looked at when it is on another channel", () =>
    withDemo(async (running) => {
      const channel = { type: "rest-hook", payload: "application/fhir+xml", endpoint: "https://example.org/" };
      const end = inSeconds(running, -10);
      const sent = subscription("R4", "Patient", { channel, end, status: "requested" });
      const id = await subscribe(running, "alice", "R4", sent);
      running.pass(2 * HOUR);
      assertEquals(await statusOf(running, id), "requested");
    }));

  it("is refused with 422 when its user has 100 active ones on that base", () =>
    withDemo(async (running) => {
      const { send } = running;
      const body = subscription("R4", "Patient");
      const ids = [];
      for (let n = 0; n < 100; n++) ids.push(await subscribe(running, "alice", "R4", body));
      const call = { method: "POST", path: "/fhir/R4/Subscription", user: "alice", body };
      assertEquals(refusal(await send(call)).slice(0, 2), [422, "too-costly"]);
      assertEquals(refusal(await put(running, "s101", body)).slice(0, 2), [422, "too-costly"]);
      await subscribe(running, "bob", "R4", body);
      await subscribe(running, "alice", "R4B", subscription("R4B", "Patient"));
      await subscribe(running, "alice", "R4", { ...body, channel: { type: "email" } });
      const off = await subscribe(running, "alice", "R4", { ...body, status: "off" });

      const [one = "", two = ""] = ids;
      assertEquals((await put(running, one, body)).status, 200, "an active one may be updated");
      assertEquals(refusal(await put(running, off, body)).slice(0, 2), [422, "too-costly"]);
      assertEquals((await put(running, one, { ...body, status: "off" })).status, 200);
      assertEquals((await put(running, off, body)).status, 200, "there is room again");
      assertEquals(refusal(await send(call)).slice(0, 2), [422, "too-costly"]);
      await send({ method: "DELETE", path: `/fhir/R4/Subscription/${two}`, user: "alice" });
      assertEquals((await send(call)).status, 201);
    }));
});

describe("a Subscription with an end", () => {
  it("is turned off at its end, in a new version", () =>
    withDemo(async (running) => {
      const { send, pass } = running;
      const end = inSeconds(running, 2 * HOUR);
      const id = await subscribe(running, "alice", "R4", subscription("R4", "Patient", { end }));
      pass(2 * HOUR - 2);
      assertEquals(await statusOf(running, id), "active", "an hour unbound is nothing to one that has an end");
      pass(3);
      const { json, headers } = await send({ path: `/fhir/R4/Subscription/${id}`, user: "alice" });
      assertEquals([json.status, json.end, headers.get("etag")], ["off", end, 'W/"2"']);
      assertEquals(object(json.meta).lastUpdated, inSeconds(running, 0));
      const answer = await send({ path: `/fhir/R4/Subscription/${id}/$get-ws-binding-token`, user: "alice" });
      assertEquals(refusal(answer).slice(0, 2), [422, "business-rule"]);
    }));

  it("is off from the beginning when it has ended already", () =>
    withDemo(async (running) => {
      const body = subscription("R4", "Patient", { end: inSeconds(running, -1) });
      const made = await running.send({ method: "POST", path: "/fhir/R4/Subscription", user: "alice", body });
      assertEquals([made.status, made.json.status], [201, "off"]);
    }));

  it("has an hour once its end is taken away", () =>
    withDemo(async (running) => {
      const end = inSeconds(running, 10);
      const id = await subscribe(running, "alice", "R4", subscription("R4", "Patient", { end }));
      await put(running, id, subscription("R4", "Patient"));
      running.pass(HOUR - 1);
      assertEquals(await statusOf(running, id), "active");
      running.pass(1);
      assertEquals(await statusOf(running, id), "off");
    }));

  it("is refused when nobody could tell what end that is", () =>
    withDemo(async ({ send }) => {
      const body = subscription("R4", "Patient", { end: "soon" });
      const answer = await send({ method: "POST", path: "/fhir/R4/Subscription", user: "alice", body });
      assertEquals(refusal(answer).slice(0, 2), [422, "business-rule"]);
      assertStringIncludes(String(refusal(answer)[2]), "end");
    }));
});

describe("a Subscription without an end", () => {
  it("is turned off an hour after its creation when nobody binds, whatever is written to it", () =>
    withDemo(async (running) => {
      const { pass } = running;
      const id = await subscribe(running, "alice", "R4", subscription("R4", "Patient"));
      pass(HOUR - 1);
      assertEquals((await put(running, id, subscription("R4", "Patient"))).json.status, "active");
      pass(1);
      assertEquals(await statusOf(running, id), "off");
    }));

  it("has another hour when its owner turns it on again", () =>
    withDemo(async (running) => {
      const { pass } = running;
      const id = await subscribe(running, "alice", "R4", subscription("R4", "Patient"));
      pass(HOUR);
      assertEquals((await put(running, id, subscription("R4", "Patient"))).json.status, "active");
      pass(HOUR - 1);
      assertEquals(await statusOf(running, id), "active");
      pass(1);
      assertEquals(await statusOf(running, id), "off");
    }));

  it("stays while somebody is bound, and an hour longer", () =>
    withDemo(async (running) => {
      const { pass } = running;
      const id = await subscribe(running, "alice", "R4", subscription("R4", "Patient"));
      const socket = await connect(running, "R4");
      socket.send(`bind-with-token ${await bindingToken(running, "alice", "R4", id)}`);
      await socket.next();
      for (let n = 0; n < 2; n++) {
        pass(2 * HOUR);
        assertEquals(await statusOf(running, id), "active");
        await put(running, id, subscription("R4", "Patient"));
      }
      pass(2 * HOUR);
      assertEquals(await statusOf(running, id), "active");
      socket.leave();
      pass(HOUR - 1);
      assertEquals(await statusOf(running, id), "active");
      pass(1);
      assertEquals(await statusOf(running, id), "off");
    }, { tokenLifetime: 86_400 }));

  it("makes room for others when it is turned off", () =>
    withDemo(async (running) => {
      const body = subscription("R4", "Patient");
      for (let n = 0; n < 100; n++) await subscribe(running, "alice", "R4", body);
      running.pass(HOUR);
      await subscribe(running, "alice", "R4", body);
    }));
});
