// The client, whatever a server answers and says: typed errors, pauses between its tries, each event once and in order.

import { readdirSync, readFileSync } from "node:fs";
import { setImmediate } from "node:timers";
import type { Json } from "@fhir-ws/binding";
import {
  type ReceivedNotification,
  type SubscribeEnd,
  SubscribeError,
  type SubscribeEvent,
} from "@fhir-ws/binding/client";
import {
  assert,
  assertEquals,
  assertFalse,
  assertGreater,
  assertInstanceOf,
  assertLessOrEqual,
  assertNotEquals,
} from "@std/assert";
import fc from "fast-check";
import { describe, it, mock } from "node:test";
import {
  history,
  notification,
  outcome,
  parameters,
  type ServerSocket,
  type StubServer,
  watch,
} from "../client/stub.ts";
import { anyText, damaged, garbled, runs } from "./any.ts";

const START = Date.UTC(2030, 0, 1);
const TOKEN = "s3cr3t-t0ken";
const IDS = ["s1", "s2"];
/** Requests that may follow each other at one moment: for each id in each way, with a look at the metadata. */
const AT_ONCE = 18;

const FOLDER = new URL("../fixtures/notifications/", import.meta.url);
/** Notifications of each version as servers write them. */
const FIXTURES: readonly Json[] = readdirSync(FOLDER).flatMap((version) =>
  readdirSync(new URL(`${version}/`, FOLDER)).map((file) =>
    JSON.parse(readFileSync(new URL(`${version}/${file}`, FOLDER), "utf8"))
  )
);

/** What an object is as JSON: its own type says less. */
function asJson(value: object): Json {
  return JSON.parse(JSON.stringify(value));
}

const anyNotification: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom(...FIXTURES),
  fc.record({
    write: fc.constantFrom(notification, history),
    type: fc.constantFrom("handshake", "handshake", "heartbeat", "event-notification"),
    head: fc.nat({ max: 9 }),
    numbers: fc.array(fc.nat({ max: 9 }), { maxLength: 3 }),
    id: fc.constantFrom(...IDS),
  }).map(({ write, type, head, numbers, id }) => asJson(write(type, head, numbers, id))),
);
const anyOutcome = fc.record({
  code: fc.constantFrom("not-found", "expired", "unknown", "forbidden", "structure", "business-rule", "login", ""),
  more: fc.constantFrom({}, ...["s1", "s2", "s3"].map((id) => ({ diagnostics: `Subscription/${id}` }))),
}).map(({ code, more }) => asJson(outcome(code, more)));

const write = (frame: Json): string => JSON.stringify(frame);
const anyFrame = fc.oneof(
  { weight: 8, arbitrary: damaged(anyNotification, 2).map(write) },
  { weight: 2, arbitrary: damaged(anyOutcome, 1).map(write) },
  garbled(anyNotification.map(write)),
  fc.constantFrom('{"type":"pong"}', "", "null", "bound s1", "ping s1", "[object ArrayBuffer]"),
  anyText,
);

const anyGrant = fc.record({
  expiration: fc.constantFrom("2030-01-01T00:00:02Z", "2030-01-01T01:00:00Z", "2030-01-01", "2031", "soon", ""),
  url: fc.constantFrom(
    ...["wss://example.org/ws", "wss://example.org/ws", "/ws", "https://example.org/ws#x", "ws://example.org/", "//"],
  ),
  more: fc.constantFrom<readonly object[]>([], [], [{ name: "subscription", valueString: "s1,s2" }]),
}).map((wish) => asJson(parameters({ token: TOKEN, ...wish })));
const METADATA: Json = {
  resourceType: "CapabilityStatement",
  rest: [{ extension: [{ url: "http://x/capabilitystatement-websocket", valueUri: "wss://example.org/ws" }] }],
};

/** What a server does; each list is gone through again and again. */
const anyServer = fc.record({
  answers: fc.array(
    fc.record({
      how: fc.constantFrom("answers", "answers", "answers", "answers", "answers", "fails", "hangs"),
      status: fc.oneof(
        { weight: 8, arbitrary: fc.constant(200) },
        fc.constantFrom(201, 300, 401, 404, 409, 422, 429, 500, 503),
      ),
      headers: fc.record({
        "content-type": fc.constantFrom("application/fhir+json", "application/fhir+json", "application/json", "text/x"),
        "date": fc.constantFrom("Tue, 01 Jan 2030 00:00:00 GMT", "Tue, 01 Jan 2030 01:00:00 GMT", "yesterday"),
        "retry-after": fc.constantFrom("0", "1", "-1", "soon", "Tue, 01 Jan 2030 00:00:05 GMT"),
      }, { requiredKeys: ["content-type"] }),
      body: fc.oneof(
        { weight: 6, arbitrary: damaged(anyGrant, 1).map(write) },
        damaged(fc.oneof(anyOutcome, fc.constant(METADATA)), 2).map(write),
        garbled(anyGrant.map(write)),
      ),
    }),
    { minLength: 1, maxLength: 5 },
  ),
  opens: fc.array(fc.constantFrom("open", "open", "open", "open", "error", "nothing"), { minLength: 1, maxLength: 3 }),
  /** What each frame of the client is answered by, and the code that the socket is closed with then. */
  says: fc.array(
    fc.record({
      frames: fc.array(anyFrame, { maxLength: 5 }),
      cut: fc.option(fc.constantFrom(1000, 1006, 1008, 1011, 1013, 4000), { freq: 4 }),
    }),
    { minLength: 1, maxLength: 5 },
  ),
});
type Script = typeof anyServer extends fc.Arbitrary<infer T> ? T : never;

interface ScriptedServer extends StubServer {
  /** From now on it does all that it should. */
  heal(): void;
  /** Time passes: it may be asked anew. */
  rest(): void;
  /** What the client's listeners threw: in a runtime nobody would catch it. */
  readonly escaped: readonly unknown[];
}

function play({ answers, opens, says }: Script): ScriptedServer {
  const escaped: unknown[] = [];
  let healed = false;
  let burst = 0;
  const [nextAnswer, nextOpen, nextWords] = [cycle(answers), cycle(opens), cycle(says)];

  function hear(socket: ServerSocket, text: string): void {
    if (!healed) {
      const { frames, cut } = nextWords();
      for (const frame of frames) socket.tell(frame);
      if (cut !== null) socket.cut(cut);
    } else if (text.includes("bind-with-token")) {
      for (const id of IDS) socket.tell(notification("handshake", 100, [], id));
    } else socket.tell({ type: "pong" });
  }

  return {
    escaped,
    heal: () => void (healed = true),
    rest: () => void (burst = 0),
    open: () => healed ? "open" : nextOpen(),
    answer: (request) => {
      // Else a client that never pauses would leave nobody time to see it.
      if (++burst > 2 * AT_ONCE) return new Promise(() => {});
      if (healed) return answerBy({ body: write(asJson(parameters({ token: TOKEN }))) });
      if (request.url.endsWith("/metadata")) return answerBy({ body: write(METADATA) });
      const { how, ...answer } = nextAnswer();
      if (how === "hangs") return new Promise(() => {});
      return how === "fails" ? Promise.reject(new TypeError("no network")) : answerBy(answer);
    },
    hear: (socket, text) => {
      try {
        hear(socket, text);
      } catch (error) {
        escaped.push(error);
      }
    },
  };
}

function answerBy(
  { body, status = 200, headers = { "content-type": "application/fhir+json" } }:
    & { readonly body: string }
    & Partial<Script["answers"][number]>,
): Response {
  return new Response(body, { status, headers });
}

function cycle<T>(list: readonly T[]): () => T {
  let at = 0;
  return () => {
    const one = list[at++ % list.length];
    assert(one !== undefined);
    return one;
  };
}

/** Lets milliseconds pass, step by step; whatever can go on without time passing goes on in between. */
async function pass(milliseconds: number, step: number, look: () => void): Promise<void> {
  for (let passed = 0; passed < milliseconds; passed += step) {
    mock.timers.tick(step);
    for (let n = 0; n < 3; n++) await new Promise<void>((resolve) => setImmediate(() => resolve()));
    look();
  }
}

async function inMockTime(run: () => Promise<void>): Promise<void> {
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: START });
  try {
    await run();
  } finally {
    mock.timers.reset();
  }
}

/** What a client was told, in that order. */
type Heard = SubscribeEvent | ReceivedNotification;

function isEvent(heard: Heard): heard is SubscribeEvent {
  return "type" in heard;
}

/** The numbers of a Subscription grow, unless its server says that it begins again. */
function assertOrder(heard: readonly Heard[], id: string): void {
  let last = 0;
  for (const one of heard.filter((one) => "subscription" in one && one.subscription === id)) {
    if (isEvent(one)) {
      if (one.type === "restarted") last = 0;
      continue;
    }
    assertGreater(one.events.length, 0);
    for (const { number } of one.events) {
      if (number === undefined) continue; // the server does not count
      assertGreater(number, last, `${id}: each event once and in order`);
      last = number;
    }
  }
}

function assertError(error: unknown): void {
  assertInstanceOf(error, SubscribeError);
  assertNotEquals(error.code, "unexpected", `${error.cause}`);
  assertFalse(`${error.stack} ${error.message} ${error.cause}`.includes(TOKEN), "no token is ever told");
}

describe("subscribe", () => {
  it("survives any server, tries again only after a pause, and is bound once the server is well", async () => {
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(anyServer, fc.constantFrom("auto", "json", "text"), (script, dialect) =>
        inMockTime(async () => {
          const server = play(script);
          const heard: Heard[] = [];
          const options = { ids: IDS, dialect, timeout: 0.5, idleTimeout: 5, backoff: { first: 0.2, longest: 1 } };
          const client = watch(server, {
            ...options,
            onEvent: (event) => void heard.push(event),
            onNotification: (notification) => void heard.push(notification),
          });
          let end: SubscribeEnd | undefined;
          void client.closed.then((how) => end = how); // it never rejects
          let requests = 0;
          const look = (): void => {
            assertLessOrEqual(client.requests.length - requests, AT_ONCE, "requests without a pause");
            requests = client.requests.length;
            server.rest();
          };

          await pass(10_000, 100, look);
          server.heal();
          for (const socket of client.sockets) socket.cut();
          const before = heard.length;
          await pass(10_000, 200, look);
          const isBound = heard.slice(before).some((one) => isEvent(one) && one.type === "bound");
          assert(end !== undefined || isBound, "it is bound again");
          client.close();
          await pass(100, 100, look);
          const after = [heard.length, client.requests.length];
          await pass(5000, 1000, look);

          assertEquals(server.escaped, []);
          assertEquals([heard.length, client.requests.length], after, "nothing happens after the end");
          assert(end !== undefined);
          if (end.reason === "failed") assertError(end.error);
          for (const one of heard) if ("error" in one) assertError(one.error);
          assertFalse(JSON.stringify(heard).includes(TOKEN), "no token is ever told");
          for (const id of IDS) assertOrder(heard, id);
          for (const one of heard) seen.add(isEvent(one) ? one.type : "notification");
        })),
      runs(500),
    );
    // What never happens is not proven.
    const types = ["bound", "ended", "gap", "heartbeat", "notification", "outcome", "restarted", "retry", "unreadable"];
    assertEquals([...seen].sort(), types);
  });
});
