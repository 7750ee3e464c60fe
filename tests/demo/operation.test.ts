import { assertEquals, assertFalse, assertMatch, assertNotEquals } from "@std/assert";
import { describe, it } from "node:test";
import {
  bindingToken,
  type JsonObject,
  object,
  ORIGIN,
  refusal,
  subscribe,
  subscription,
  withDemo,
} from "./running.ts";

const VERSIONS = ["R4", "R4B", "R5"] as const;
const MISSING = [404, "not-found", "Error reading subscription: Not found"];

/** The out parameters as pairs of name and value. */
function parameters({ json }: { json: JsonObject }): (readonly unknown[])[] {
  return (json.parameter as JsonObject[]).map((one) => {
    const [name, ...values] = Object.values(one);
    return [name, ...values];
  });
}

describe("$get-ws-binding-token", () => {
  for (const version of VERSIONS) {
    it(`answers at both levels and by both methods in ${version}`, () =>
      withDemo(async (running) => {
        const { send, now } = running;
        const id = await subscribe(running, "alice", version, subscription(version, "Patient"));
        const base = `/fhir/${version}/Subscription`;
        const body = { resourceType: "Parameters", parameter: [{ name: "id", valueId: id }] };
        for (
          const call of [
            { path: `${base}/${id}/$get-ws-binding-token` },
            { path: `${base}/${id}/%24get-ws-binding-token`, method: "POST" },
            { path: `${base}/$get-ws-binding-token?id=${id}` },
            { path: `${base}/$get-ws-binding-token`, method: "POST", body },
            { path: `${base}/$get-ws-binding-token` },
          ]
        ) {
          const answer = await send({ ...call, user: "alice" });
          assertEquals([answer.status, answer.headers.get("cache-control")], [200, "no-store"]);
          const [token, ...rest] = parameters(answer);
          assertEquals(token?.[0], "token");
          const end = new Date((Math.floor(now() / 1000) + 3600) * 1000).toISOString();
          assertEquals(rest, [
            ["expiration", end],
            ["subscription", id],
            ["websocket-url", `ws://127.0.0.1:8103/ws/subscriptions-${version.toLowerCase()}`],
          ]);
        }
      }));
  }

  it("covers several Subscriptions, and without ids all that are alive and the caller's", () =>
    withDemo(async (running) => {
      const { send } = running;
      const ids = [];
      for (let n = 0; n < 3; n++) ids.push(await subscribe(running, "alice", "R4", subscription("R4", "Patient")));
      await subscribe(running, "alice", "R4", subscription("R4", "Patient", { status: "off" }));
      await subscribe(running, "alice", "R4", subscription("R4", "Patient", { channel: { type: "email" } }));
      await subscribe(running, "bob", "R4", subscription("R4", "Patient"));
      await subscribe(running, "alice", "R5", subscription("R5", "Patient"));
      const answer = await send({ path: "/fhir/R4/Subscription/$get-ws-binding-token", user: "alice" });
      const covered = parameters(answer).filter(([name]) => name === "subscription").map(([, id]) => id);
      assertEquals(covered.sort(), ids.sort());
    }));

  it("gives others and the unknown the same answer", () =>
    withDemo(async (running) => {
      const { send } = running;
      const id = await subscribe(running, "alice", "R4", subscription("R4", "Patient"));
      const other = await send({ path: `/fhir/R4/Subscription/${id}/$get-ws-binding-token`, user: "bob" });
      const unknown = await send({ path: `/fhir/R4/Subscription/unknown/$get-ws-binding-token`, user: "bob" });
      assertEquals(refusal(other), MISSING);
      assertEquals(refusal(unknown), MISSING);
      const onOtherBase = await send({ path: `/fhir/R4B/Subscription/${id}/$get-ws-binding-token`, user: "alice" });
      assertEquals(refusal(onOtherBase), MISSING);
    }));

  it("refuses what is no websocket or switched off, which was stored as it was sent", () =>
    withDemo(async (running) => {
      const { send } = running;
      for (
        const more of [
          { status: "off" },
          { status: "requested", channel: { type: "email", endpoint: "mailto:a@example.org" } },
          { status: "active", channel: { type: "rest-hook", payload: "application/fhir+xml" } },
        ]
      ) {
        const id = await subscribe(running, "alice", "R4", subscription("R4", "Patient", more));
        const { json } = await send({ path: `/fhir/R4/Subscription/${id}`, user: "alice" });
        assertEquals(json.status, more.status);
        const answer = await send({ path: `/fhir/R4/Subscription/${id}/$get-ws-binding-token`, user: "alice" });
        assertEquals(refusal(answer).slice(0, 2), [422, "business-rule"]);
      }
    }));

  it("lives as long as it was told to", () =>
    withDemo(async (running) => {
      const id = await subscribe(running, "alice", "R4", subscription("R4", "Patient"));
      const { json } = await running.send({ path: `/fhir/R4/Subscription/${id}/$get-ws-binding-token`, user: "alice" });
      const [, expiration] = parameters({ json });
      assertEquals(expiration?.[1], new Date((Math.floor(running.now() / 1000) + 7) * 1000).toISOString());
    }, { tokenLifetime: 7 }));

  for (
    const [origin, cameTo, url] of [
      ["http://127.0.0.1:8103", "http://127.0.0.1:8103", "ws://127.0.0.1:8103"],
      ["http://127.0.0.1:8103", "http://localhost:9000", "ws://localhost:9000"],
      ["http://127.0.0.1:8103", "http://[::1]:9000", "ws://[::1]:9000"],
      ["http://127.0.0.1:8103", "http://evil.example.org", "ws://127.0.0.1:8103"],
      ["http://127.0.0.1:8103", "http://127.0.0.1.evil.example.org", "ws://127.0.0.1:8103"],
      ["http://0.0.0.0:8103", "http://192.0.2.7:8103", "ws://0.0.0.0:8103"],
      ["https://demo.example.org", "http://demo.example.org", "wss://demo.example.org"],
      ["https://example.org/demo", "http://example.org", "wss://example.org/demo"],
      ["https://demo.example.org", "http://127.0.0.1:8103", "ws://127.0.0.1:8103"],
    ] as const
  ) {
    it(`tells who came to ${cameTo} to connect to ${url} when the server is ${origin}`, () =>
      withDemo(async (running) => {
        const id = await subscribe(running, "alice", "R5", subscription("R5", "Patient"));
        const path = `/fhir/R5/Subscription/${id}/$get-ws-binding-token`;
        const pairs = parameters(await running.send({ path, user: "alice", origin: cameTo }));
        assertEquals(pairs.at(-1), ["websocket-url", `${url}/ws/subscriptions-r5`]);
        const { json } = await running.send({ path: "/fhir/R5/metadata", origin: cameTo });
        assertEquals(object(json.implementation).url, `${origin}/fhir/R5`);
      }, { origin }));
  }

  it("issues opaque tokens when it was told to", () =>
    withDemo(async (running) => {
      const id = await subscribe(running, "alice", "R4", subscription("R4", "Patient"));
      assertMatch(await bindingToken(running, "alice", "R4", id), /^[\w-]{43}$/);
    }, { tokens: "opaque" }));
});

describe("tokens of one kind", () => {
  for (const tokens of ["jwt", "opaque"] as const) {
    it(`are no access tokens when they are ${tokens} binding tokens`, () =>
      withDemo(async (running) => {
        const { send, demo, login } = running;
        const id = await subscribe(running, "alice", "R4", subscription("R4", "Patient"));
        const token = await bindingToken(running, "alice", "R4", id);
        assertNotEquals(token, await login("alice"));
        const headers = { authorization: `Bearer ${token}` };
        for (
          const path of ["/auth/me", `/fhir/R4/Subscription/${id}`, `/fhir/R4/Subscription/${id}/$get-ws-binding-token`]
        ) {
          const answer = await send({ path, headers });
          assertEquals(refusal(answer).slice(0, 2), [401, "unknown"], path);
          assertEquals(answer.headers.get("www-authenticate"), 'Bearer error="invalid_token"');
        }
        assertFalse((await demo.fetch(new Request(`${ORIGIN}/fhir/R4/Patient/x?access_token=${token}`))).ok);
      }, { tokens }));
  }
});
