// What no server should do: a typed error or a bounded retry, never a tight loop.

import { assert, assertEquals, assertGreaterOrEqual, assertLess } from "@std/assert";
import { subscribe, type SubscribeErrorCode, type SubscribeOptions } from "@fhir-ws/binding/client";
import { describe, it } from "node:test";
import { goodServer, json, notification, outcome, parameters, type StubServer, watch, type Watched } from "./stub.ts";

async function failure(client: Watched): Promise<Extract<Awaited<Watched["closed"]>, { reason: "failed" }>["error"]> {
  const end = await client.closed;
  assert(end.reason === "failed");
  return end.error;
}

const html = (status = 200): Response =>
  new Response("<!doctype html><p>Sign in", { status, headers: { "content-type": "text/html" } });
const parameter = (...list: object[]): Response => json({ resourceType: "Parameters", parameter: list });
const TOKEN = { name: "token", valueString: "t1" };

interface Final {
  readonly name: string;
  readonly code: SubscribeErrorCode;
  readonly requests: number;
  readonly answer: () => Response;
}

const FINAL: readonly Final[] = [
  { name: "401", code: "unauthorized", requests: 1, answer: () => json(outcome("login"), { status: 401 }) },
  { name: "403", code: "forbidden", requests: 1, answer: () => json(outcome("forbidden"), { status: 403 }) },
  { name: "404", code: "not-found", requests: 3, answer: () => json(outcome("not-found"), { status: 404 }) },
  { name: "404 of a web server", code: "not-found", requests: 3, answer: () => html(404) },
  { name: "422", code: "rejected", requests: 3, answer: () => json(outcome("business-rule"), { status: 422 }) },
  { name: "a page of HTML", code: "malformed", requests: 1, answer: () => html() },
  {
    name: "no JSON that says it is",
    code: "malformed",
    requests: 1,
    answer: () =>
      new Response("{", {
        headers: { "content-type": "application/json" },
      }),
  },
  { name: "null", code: "malformed", requests: 1, answer: () => json(null) },
  { name: "204", code: "malformed", requests: 1, answer: () => new Response(null, { status: 204 }) },
  { name: "another resource", code: "malformed", requests: 1, answer: () => json({ resourceType: "Patient" }) },
  { name: "no token", code: "malformed", requests: 1, answer: () => parameter({ name: "token" }, {}) },
  { name: "no websocket-url", code: "malformed", requests: 2, answer: () => parameter(TOKEN) },
  {
    name: "a covered Subscription that is no text, and at the instance no websocket-url",
    code: "malformed",
    requests: 3,
    answer: () => parameter(TOKEN, { name: "subscription", valueReference: WORDLESS }),
  },
  {
    name: "a websocket-url that is none",
    code: "malformed",
    requests: 1,
    answer: () => json(parameters({ url: "mailto:x" })),
  },
  {
    name: "a socket in the clear beside a base of https",
    code: "insecure",
    requests: 1,
    answer: () => json(parameters({ url: "ws://example.org/ws" })),
  },
];

/** Cannot be made a text of: neither is a function. */
const WORDLESS = { toString: 1, valueOf: null };

const SILENT: StubServer = { answer: () => json(parameters()), hear: () => {} };

interface Retried {
  readonly name: string;
  readonly code: SubscribeErrorCode;
  readonly server: StubServer;
  readonly options?: Partial<SubscribeOptions>;
}

const RETRIED: readonly Retried[] = [
  { name: "500", code: "unavailable", server: { ...SILENT, answer: () => html(500) } },
  { name: "429", code: "unavailable", server: { ...SILENT, answer: () => json({}, { status: 429 }) } },
  {
    name: "a network that is down",
    code: "unavailable",
    server: { ...SILENT, answer: () => Promise.reject(new TypeError("no")) },
  },
  {
    name: "a fetch that throws",
    code: "unavailable",
    server: SILENT,
    options: {
      fetch: () => {
        throw new Error("no login");
      },
    },
  },
  { name: "no answer", code: "unavailable", server: { ...SILENT, answer: () => new Promise(() => {}) } },
  {
    name: "a token that had expired",
    code: "expired",
    server: {
      ...SILENT,
      answer: () => json(parameters({ expiration: -10 }), { headers: { date: new Date().toUTCString() } }),
    },
  },
  { name: "a socket that fails", code: "unreachable", server: { ...SILENT, open: () => "error" } },
  { name: "a socket that never opens", code: "unreachable", server: { ...SILENT, open: () => "nothing" } },
  {
    name: "a URL that the runtime refuses",
    code: "unreachable",
    server: SILENT,
    options: {
      WebSocket: class {
        constructor() {
          throw new DOMException("insecure", "SecurityError");
        }
        addEventListener(): void {}
        send(): void {}
        close(): void {}
      },
    },
  },
  { name: "a socket that says nothing", code: "no-handshake", server: SILENT },
  {
    name: "a socket that is closed at once",
    code: "closed",
    server: { ...SILENT, hear: (socket) => socket.cut(1008) },
  },
  {
    name: "garbage",
    code: "no-handshake",
    server: {
      ...SILENT,
      hear: (socket) =>
        ["", "{", "[]", "null", "7", new ArrayBuffer(2).toString(), { type: 3 }, { resourceType: "Bundle" }]
          .forEach((frame) => socket.tell(frame)),
    },
  },
  {
    name: "a refusal of the token",
    code: "refused",
    server: { ...SILENT, hear: (socket) => socket.tell(outcome("unknown")) },
  },
];

describe("subscribe", () => {
  for (const { name, code, requests, answer } of FINAL) {
    it(`ends with "${code}" when the server answers ${name}`, async () => {
      const client = watch({ ...SILENT, answer });
      const error = await failure(client);
      assertEquals([error.code, client.requests.length, client.sockets.length], [code, requests, 0]);
      const [ended] = client.all("ended");
      assert(ended?.final && ended.error === error && client.all("retry").length === 0);
    });
  }

  for (const { name, code, server, options } of RETRIED) {
    it(`tries again after a while when it meets ${name}`, async () => {
      const client = watch(server, { retries: 3, timeout: 0.03, ...options });
      const error = await failure(client);
      assertEquals(error.code, code);
      const waits = client.all("retry").map(({ after, error }) => [after, error.code] as const);
      assertEquals(waits.map(([, code]) => code), [code, code, code]);
      for (const [n, [after]] of waits.entries()) {
        assertGreaterOrEqual(after, 0.005 * 2 ** n);
        assertLess(after, 0.0101 * 2 ** n);
      }
      assert(client.sockets.every(({ left }) => left || code === "closed" || code === "unreachable"));
      assert(!JSON.stringify([client.events, error]).includes("t1"));
    });
  }

  it("waits as long as Retry-After says, in seconds or as a date of the server's clock", async () => {
    const date = Date.now() + 3_600_000;
    const waits = ["1", new Date(date + 2000).toUTCString(), "0", "soon"];
    const client = watch({
      ...SILENT,
      answer: () => {
        const headers = { "retry-after": waits.shift() ?? "", date: new Date(date).toUTCString() };
        return json({}, { status: 503, headers });
      },
    }, { backoff: { first: 0.01, longest: 0.01 } });
    await client.until(() => client.all("retry").length === 4);
    client.close();
    const after = client.all("retry").map(({ after }) => after);
    assertEquals(after[0], 1);
    assertGreaterOrEqual(after[1] ?? 0, 0.9);
    assertLess(after[1] ?? 9, 2.1);
    assert(after.slice(2).every((wait) => wait <= 0.01));
  });

  it("renews in time at a server whose clock is an hour off, by its Date or its notifications", async () => {
    await Promise.all([[1, true], [1, false], [-1, true], [-1, false]].map(async ([hours, date]) => {
      const now = (): number => Date.now() + Number(hours) * 3_600_000;
      const client = watch({
        answer: () =>
          json(
            parameters({ expiration: new Date(now() + 4000).toISOString() }),
            date ? { headers: { date: new Date(now()).toUTCString() } } : {},
          ),
        hear: (socket) => socket.tell({ ...notification("handshake", 0), timestamp: new Date(now()).toISOString() }),
      });
      const start = Date.now();
      await client.until(() => client.all("bound").length === 2);
      client.close();
      assertGreaterOrEqual(Date.now() - start, 950);
      assertLess(Date.now() - start, 3900);
      assertEquals([client.sockets.length, client.all("retry").length], [1, 0]);
    }));
  });

  it("goes on after nonsense of a proxy once it has been bound", async () => {
    let answers = 0;
    const server = goodServer({ answer: () => answers++ === 1 ? html() : json(parameters()) });
    const client = watch(server);
    await client.until(() => client.all("bound").length === 1);
    client.sockets[0]?.cut();
    await client.until(() => client.all("bound").length === 2);
    client.close();
    assertEquals(client.all("retry").map(({ error }) => error.code), ["closed", "malformed"]);
  });

  it("takes values that cannot be made a text for none", async () => {
    const told = (type: string, members: object): object => ({
      resourceType: "Bundle",
      timestamp: WORDLESS,
      entry: [{ resource: { resourceType: "SubscriptionStatus", type, ...members } }],
    });
    const thrown: unknown[] = [];
    const client = watch({
      ...SILENT,
      hear: (socket) => {
        try {
          socket.tell(told("handshake", { eventsSinceSubscriptionStart: WORDLESS }));
          socket.tell(told("heartbeat", { eventsSinceSubscriptionStart: [WORDLESS] }));
          socket.tell(told("event-notification", { notificationEvent: [{ eventNumber: WORDLESS, focus: WORDLESS }] }));
          socket.tell(told("event-notification", { subscription: WORDLESS }));
        } catch (error) {
          thrown.push(error); // from a listener of the socket, where nobody would catch it
        }
      },
    });
    await client.until(() => client.notifications.length > 0 || thrown.length > 0);
    client.close();
    assertEquals(thrown, []);
    assertEquals(client.all("bound").map(({ head }) => head), [undefined]);
    assertEquals(client.numbers(), [undefined, undefined]);
  });

  it("throws for what the programmer wrote wrong", () => {
    const onNotification = (): void => {};
    const good = { url: "https://example.org", ids: ["s1"], onNotification };
    const wrong: [Partial<SubscribeOptions>, typeof TypeError | typeof RangeError][] = [
      [{ ids: [] }, TypeError],
      [{ ids: ["Subscription/s1"] }, TypeError],
      [{ url: "ftp://example.org" }, TypeError],
      [{ url: "example" }, TypeError],
      [{ timeout: 0 }, RangeError],
      [{ idleTimeout: -1 }, RangeError],
      [{ backoff: { first: NaN } }, RangeError],
    ];
    for (const [options, type] of wrong) {
      let thrown: unknown;
      try {
        subscribe({ ...good, ...options });
      } catch (error) {
        thrown = error;
      }
      assert(thrown instanceof type, JSON.stringify(options));
    }
  });
});
