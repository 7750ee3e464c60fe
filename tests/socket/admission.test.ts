import { assert, assertEquals } from "@std/assert";
import { describe, test } from "node:test";
import { type HarnessOptions, inHarness } from "./harness.ts";

interface Row {
  readonly name: string;
  readonly options?: HarnessOptions;
  readonly url?: string;
  readonly headers?: Record<string, string>;
  /** `undefined`: let in. */
  readonly status?: number;
  readonly code?: string;
  readonly answers?: Record<string, string>;
}

const ORIGINS = ["https://app.example.org", "http://localhost:3000"];

const ROWS: readonly Row[] = [
  { name: "the path of websocketUrl" },
  { name: "the path of websocketUrl with a query", url: "wss://example.org/ws?x=1" },
  { name: "the path of websocketUrl on another host", url: "ws://10.0.0.7:8080/ws" },
  ...["/", "/ws/", "/WS", "/wss", "/ws/x", "/%77s", "//ws"].map((path): Row => ({
    name: `path ${path}`,
    url: `wss://example.org${path}`,
    status: 404,
    code: "not-found",
  })),
  { name: "options.path", options: { path: "/behind/proxy" }, url: "wss://example.org/behind/proxy" },
  {
    name: "the path of websocketUrl where options.path is another",
    options: { path: "/behind/proxy" },
    status: 404,
    code: "not-found",
  },
  {
    name: "any path where websocketUrl is a function and there is no options.path",
    options: { websocketUrl: () => "wss://example.org/ws" },
    url: "wss://example.org/any",
  },
  {
    name: "another path where websocketUrl is a function and options.path is given",
    options: { websocketUrl: () => "wss://example.org/ws", path: "/ws" },
    url: "wss://example.org/any",
    status: 404,
    code: "not-found",
  },
  { name: "Upgrade: WebSocket", headers: { upgrade: "WebSocket" } },
  ...["", "h2c", "websockets", "h2c, websocket"].map((upgrade): Row => ({
    name: `Upgrade: ${upgrade || "nothing"}`,
    headers: { upgrade },
    status: 426,
    code: "not-supported",
    answers: { upgrade: "websocket", connection: "Upgrade" },
  })),
  { name: "any origin by default", headers: { origin: "https://evil.example" } },
  { name: "origin null by default", headers: { origin: "null" } },
  { name: "no origin where there is a list", options: { origins: ORIGINS } },
  { name: "an origin on the list", options: { origins: ORIGINS }, headers: { origin: "http://localhost:3000" } },
  ...["https://evil.example", "null", "https://app.example.org.evil.example", "https://app.example.org:444", "*"].map((
    origin,
  ): Row => ({
    name: `origin ${origin} off the list`,
    options: { origins: ORIGINS },
    headers: { origin },
    status: 403,
    code: "forbidden",
  })),
  {
    name: "an origin that the function allows",
    options: { origins: (origin) => origin.endsWith(".example.org") },
    headers: { origin: "https://x.example.org" },
  },
  {
    name: "an origin that the function does not allow",
    options: { origins: (origin) => origin.endsWith(".example.org") },
    headers: { origin: "https://example.com" },
    status: 403,
    code: "forbidden",
  },
  {
    name: "an origin that the function promises not to allow",
    options: { origins: (() => Promise.resolve(false)) as unknown as () => boolean }, // as JavaScript may
    headers: { origin: "https://example.com" },
    status: 403,
    code: "forbidden",
  },
  {
    name: "an origin whose function throws",
    options: {
      origins: () => {
        throw new Error("down");
      },
    },
    headers: { origin: "https://example.com" },
    status: 503,
    code: "no-store",
    answers: { "retry-after": "5" },
  },
  {
    name: "an empty list and an origin",
    options: { origins: [] },
    headers: { origin: "x" },
    status: 403,
    code: "forbidden",
  },
];

describe("admit", () => {
  for (const { name, options = {}, url, headers, status, code, answers = {} } of ROWS) {
    test(
      `${status === undefined ? "lets in" : `answers ${status} to`} ${name}`,
      inHarness(options, async (h) => {
        const { refused } = await h.admit(url, headers);
        assertEquals(refused?.status, status);
        if (refused === undefined) return;
        assertEquals(refused.headers.get("content-type"), "application/fhir+json; charset=utf-8");
        assertEquals(refused.headers.get("cache-control"), "no-store");
        for (const [field, value] of Object.entries(answers)) assertEquals(refused.headers.get(field), value);
        const { resourceType, issue } = await refused.json();
        assertEquals([resourceType, issue.length, issue[0].severity, issue[0].code], [
          "OperationOutcome",
          1,
          "error",
          code,
        ]);
        assertEquals(h.binder.stats().sockets, 0);
      }),
    );
  }

  test(
    "answers 404 before 426, 426 before 403, 403 before 503",
    inHarness({ origins: [] }, async (h) => {
      await h.binder.close();
      const steps: readonly [string, Record<string, string>, number][] = [
        ["wss://example.org/", { upgrade: "", origin: "x" }, 404],
        ["wss://example.org/ws", { upgrade: "", origin: "x" }, 426],
        ["wss://example.org/ws", { origin: "x" }, 403],
        ["wss://example.org/ws", {}, 503],
      ];
      for (const [url, headers, status] of steps) assertEquals((await h.admit(url, headers)).refused?.status, status);
    }),
  );

  test(
    "holds nothing: what is admitted and never opened costs nothing",
    inHarness({ limits: { sockets: 1 } }, async (h) => {
      for (let n = 0; n < 5; n++) assertEquals((await h.admit()).refused, undefined);
      assertEquals(h.binder.stats().sockets, 0);
      assertEquals(h.time.armed, 0);
      await h.open();
    }),
  );
});

describe("?token= on the socket's URL", () => {
  test(
    "is ignored by default",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.open({ url: `wss://example.org/ws?token=${await h.mint(["s1"])}` });
      assertEquals(socket.story(), []);
      assertEquals(h.host.count("verify"), 0);
      await h.advance(30_000);
      assertEquals(socket.story(), ["close 1008 no binding"]);
    }),
  );

  for (const fhirVersion of ["R4", "R5"] as const) {
    test(
      `binds at open in the text dialect of ${fhirVersion} where it is on`,
      inHarness({ tokenInUrl: true, fhirVersion, signer: "jwt" }, async (h) => {
        await h.put("s1");
        const socket = await h.open({ url: `wss://example.org/ws?x=1&token=${await h.mint(["s1"])}` });
        const [frame] = socket.take();
        assert(frame?.kind === "notification");
        assertEquals(frame.reference, `${h.base}/Subscription/s1`);
        assertEquals(
          frame.bundle.entry[0]?.resource?.resourceType,
          fhirVersion === "R4" ? "Parameters" : "SubscriptionStatus",
        );
      }),
    );
  }

  test(
    "is handled before every frame",
    inHarness({ tokenInUrl: true }, async (h) => {
      await h.put("s1");
      await h.put("s2");
      const verify = h.host.hold("verify");
      const socket = await h.open({ url: `wss://example.org/ws?token=${await h.mint(["s1"])}` });
      await socket.say({ type: "ping" }, `bind-with-token ${await h.mint(["s2"])}`);
      verify.release();
      await h.settle();
      assertEquals(socket.story(), ["handshake s1 0", "pong", "handshake s2 0"]);
    }),
  );

  const refusals: readonly (readonly [query: string, answer: string])[] = [
    ["token=", "structure"],
    ["token=a%20b", "structure"],
    ["token=%00", "structure"],
    ["token=abc", "unknown"],
    ["token=abc&token=def", "unknown"],
  ];
  for (const [query, answer] of refusals) {
    test(
      `${query} is refused like a frame, and counts`,
      inHarness({ tokenInUrl: true, limits: { refusedBinds: 2 } }, async (h) => {
        const socket = await h.open({ url: `wss://example.org/ws?${query}` });
        assertEquals(socket.story(), [answer]);
        await socket.say("x");
        assertEquals(socket.story(), ["not-supported", "close 1008 too many refusals"]);
      }),
    );
  }

  test(
    "is not needed where it is on",
    inHarness({ tokenInUrl: true }, async (h) => {
      await h.put("s1");
      const socket = await h.open();
      assertEquals(socket.story(), []);
      await socket.say(`bind-with-token ${await h.mint(["s1"])}`);
      assertEquals(socket.story(), ["handshake s1 0"]);
    }),
  );
});
