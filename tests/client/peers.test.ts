// Each server as it behaves: shapes of the operation, dialects, notifications.

import { assert, assertEquals } from "@std/assert";
import { describe, it } from "node:test";
import { BASE, history, json, notification, outcome, parameters, read, type StubServer, watch } from "./stub.ts";

const NO_ROUTE = (): Response => json(outcome("not-found"), { status: 404 });
const path = (request: Request): string => `${request.method} ${request.url.slice(BASE.length)}`;

/** GET at the instance; JSON alone, silence for all else; no numbers. */
function medplum(): StubServer {
  const status = (type: string, id: unknown) => ({
    resource: {
      resourceType: "SubscriptionStatus",
      id: crypto.randomUUID(),
      status: "active",
      type,
      subscription: { reference: `Subscription/${id}` },
      ...(type === "event-notification" && { notificationEvent: [{ eventNumber: "0" }] }),
    },
  });
  return {
    answer(request) {
      const [, id] = /^GET \/Subscription\/(s\d)\/\$get-ws-binding-token$/.exec(path(request)) ?? [];
      return id === undefined ? NO_ROUTE() : json(parameters({ token: id }));
    },
    hear(socket, frame) {
      const { type, payload } = read(frame);
      if (type === "ping") socket.tell({ type: "pong" });
      if (type !== "bind-with-token") return;
      const id = payload?.token;
      socket.tell({ resourceType: "Bundle", type: "history", entry: [status("handshake", id)] });
      const focus = { resource: { resourceType: "Patient", id: "p1" }, fullUrl: `${BASE}/Patient/p1` };
      const event = { resourceType: "Bundle", type: "history", entry: [status("event-notification", id), focus] };
      socket.tell(event);
      socket.tell(event);
      socket.tell({
        resourceType: "Bundle",
        type: "history",
        entry: ["s1", "s2"].map((id) => status("heartbeat", id)),
      });
    },
  };
}

/** `ids` alone at the type level, comma lists, strings for URLs, one bind for a token, no handshake. */
function argonaut(): StubServer {
  return {
    answer(request) {
      const [, id = ""] = /^\w+ \/Subscription\/(?:(s\d)\/)?\$/.exec(path(request)) ?? [];
      return json({
        resourceType: "Parameters",
        parameter: [
          { name: "token", valueString: `guid-${id}` },
          { name: "expiration", valueDateTime: new Date(Date.now() + 1_800_000).toISOString() },
          { name: "subscriptions", valueString: id },
          { name: "websocket-url", valueString: "wss://example.org/r4/websockets" },
        ],
      });
    },
    hear(socket, frame) {
      const [verb, token = ""] = frame.split(" ");
      if (verb !== "bind-with-token" || !token.startsWith("guid-s")) return;
      socket.tell("keepalive 2026-01-01T00:00:00Z");
      socket.tell(history("event-notification", 1, [1]));
    },
  };
}

/** GET at the instance; the first frame is text; one bind for a socket. */
function helios(lifetime: number): StubServer & { events: number } {
  const server = {
    events: 0,
    answer: (request: Request) =>
      path(request).startsWith("GET /Subscription/s1/")
        ? json(parameters({ token: crypto.randomUUID(), expiration: lifetime }))
        : new Response(null, { status: 405 }),
    hear(socket: Parameters<StubServer["hear"]>[0], frame: string): void {
      if (socket.frames.length > 1) socket.cut(1008);
      else if (!/^bind-with-token:? [0-9a-f-]+$/.test(frame)) socket.cut(1008);
      else {
        socket.tell(history("handshake", server.events));
        server.events++;
        socket.tell(history("event-notification", server.events, [server.events]));
      }
    },
  };
  return server;
}

/** POST at the instance, a reference for a string, and a bind of its own that is no other's. */
function deletedGo(): StubServer {
  return {
    answer: (request) =>
      path(request).startsWith("POST /Subscription/s1/")
        ? json(parameters({ more: [{ name: "subscription", valueReference: { reference: "Subscription/s1" } }] }))
        : new Response("405 method not allowed", { status: 405 }),
    hear(socket) {
      socket.tell({ type: "bind-error", reason: "expected bind" });
      socket.cut(1008);
    },
  };
}

describe("subscribe", () => {
  it("binds at Medplum's server, each Subscription by itself", async () => {
    const client = watch(medplum(), { ids: ["s1", "s2"] });
    await client.until(() => client.notifications.length === 4 && client.all("heartbeat").length === 2);
    client.close();
    assertEquals(client.requests.slice(0, 3), [
      "POST /Subscription/$get-ws-binding-token",
      "GET /Subscription/s1/$get-ws-binding-token",
      "GET /Subscription/s2/$get-ws-binding-token",
    ]);
    assertEquals(client.all("bound").map(({ subscription }) => subscription).sort(), ["s1", "s2"]);
    assertEquals(client.numbers(), [undefined, undefined, undefined, undefined]);
    assertEquals(client.all("gap"), []);
  });

  it("binds at the Argonaut proxy, which covers nothing at the type level and sends no handshake", async () => {
    const client = watch(argonaut());
    await client.until(() => client.notifications.length === 1);
    client.close();
    assertEquals(client.requests, [
      "POST /Subscription/$get-ws-binding-token",
      "GET /Subscription/s1/$get-ws-binding-token",
    ]);
    assertEquals(client.sockets.map(({ url }) => url), ["wss://example.org/r4/websockets"]);
    assertEquals(client.sockets[0]?.frames.at(-1), "bind-with-token guid-s1");
    assertEquals(client.notifications[0]?.events, [
      { number: 1, timestamp: undefined, focus: `${BASE}/Patient/p1` },
    ]);
  });

  it("binds at Helios by text, and renews on a new socket once it has learnt that one bears one bind", async () => {
    const client = watch(helios(1.2));
    await client.until(() => client.all("bound").length >= 4);
    client.close();
    const [json = "", , second] = [client.sockets[0]?.frames[0], 0, client.sockets[1]];
    assert(json.startsWith("{") && second?.frames[0]?.startsWith("bind-with-token "));
    assertEquals(client.sockets.slice(2).map(({ frames }) => frames.length), client.sockets.slice(2).map(() => 1));
    const numbers = client.numbers();
    assertEquals(numbers, numbers.map((_, n) => n + 1));
  });

  it("gives up at a server with a bind of its own", async () => {
    const client = watch(deletedGo(), { retries: 3 });
    const end = await client.closed;
    assert(end.reason === "failed");
    assertEquals([end.error.code, end.error.closeCode], ["closed", 1008]);
    assertEquals(client.sockets.length, 4);
    assertEquals(client.requests.slice(0, 3).map((request) => request.split(" ")[0]), ["POST", "GET", "POST"]);
    assertEquals(client.all("retry").length, 3);
  });

  for (const notify of [notification, history]) {
    it(`binds by text where a JSON frame is met with ${notify === history ? "silence" : "an OperationOutcome"}`, async () => {
      const client = watch({
        answer: () => json(parameters()),
        hear(socket, frame) {
          if (frame === "bind-with-token t1") socket.tell(notify("handshake", 4));
          else if (notify === notification) socket.tell(outcome("structure"));
        },
      });
      await client.until(() => client.all("bound").length === 1);
      client.close();
      assertEquals(client.sockets.length, 1);
      assertEquals(client.all("bound"), [{ type: "bound", subscription: "s1", head: 4 }]);
    });
  }

  it("reads counts as numbers or strings and references in any form", async () => {
    const client = watch({
      answer: () => json(parameters()),
      hear(socket) {
        for (const reference of ["Subscription/s1", `${BASE}/Subscription/s1`, "urn:x/Subscription/s1/_history/2"]) {
          for (const count of [7, "7"]) {
            socket.tell({
              resourceType: "Bundle",
              entry: [{
                resource: {
                  resourceType: "SubscriptionStatus",
                  type: "handshake",
                  eventsSinceSubscriptionStart: count,
                  subscription: { reference },
                },
              }],
            });
          }
        }
      },
    });
    await client.until(() => client.all("bound").length === 6);
    client.close();
    assertEquals(client.all("bound").map(({ head }) => head), [7, 7, 7, 7, 7, 7]);
  });

  for (
    const [name, written] of [
      ["valueUri", { name: "websocket-url", valueUri: "wss://example.org/ws" }],
      ["valueString", { name: "websocket-url", valueString: "wss://example.org/ws" }],
      ["https", { name: "websocket-url", valueUrl: "https://example.org/ws" }],
      ["a path", { name: "websocket-url", valueUrl: "/ws" }],
      ["the CapabilityStatement", undefined],
    ] as const
  ) {
    it(`finds the websocket-url in ${name}, and does without an expiration`, async () => {
      const client = watch({
        answer: (request) =>
          request.url.endsWith("/metadata")
            ? json({
              resourceType: "CapabilityStatement",
              rest: [{
                extension: [{
                  url: "http://hl7.org/fhir/StructureDefinition/capabilitystatement-websocket",
                  valueUri: "wss://example.org/ws",
                }],
              }],
            })
            : json({
              resourceType: "Parameters",
              parameter: [
                { name: "token", valueString: "t1" },
                { name: "subscriptions", valueString: "s1,s2" },
                ...(written === undefined ? [] : [written]),
              ],
            }),
        hear: (socket) => ["s1", "s2"].forEach((id) => socket.tell(notification("handshake", 0, [], id))),
      }, { ids: ["s1", "s2"] });
      await client.until(() => client.all("bound").length === 2);
      client.close();
      assertEquals(client.sockets.map(({ url }) => url), ["wss://example.org/ws"]);
    });
  }
});
