// The three operations, whatever a client sends: URL, headers, body.

import {
  handleGetWsBindingToken,
  handleSubscriptionEvents,
  handleSubscriptionStatus,
  type Json,
} from "@fhir-ws/binding";
import { assert, assertEquals, assertFalse, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { describe, it } from "node:test";
import { type AskedHost, type AskedOptions, makeAskedHost } from "../operation/asking.ts";
import { MIME_VERSION, postStream, websocketSubscription } from "../operation/fake_host.ts";
import { produced } from "../tools/produced.ts";
import { anyBytes, anyId, anyText, anyVersion, damaged, garbled, garbledAscii, runs } from "./any.ts";

/** An operation, and the parameters that it knows. */
interface Operation {
  readonly name: string;
  readonly handle: (request: Request, host: AskedHost) => Promise<Response>;
  readonly parameters: fc.Arbitrary<readonly Parameter[]>;
  /** What its answer is when all is well. */
  readonly resourceType: string;
}

/** As in a query; `type` is how a body says it. */
interface Parameter {
  readonly name: string;
  readonly type: string;
  readonly value: string;
}

/** In whatever is not to be told again: neither an answer nor an event may hold it. */
const SECRET = "s3cr3t!";
const IDS = ["abc123", "def456", "off"];
const EVENTS = 12;

function parameter(name: string, type: string, value: fc.Arbitrary<string>): fc.Arbitrary<Parameter> {
  return value.map((value) => ({ name, type, value }));
}

const id = parameter(
  "id",
  "valueId",
  fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...IDS) }, anyId, fc.constant(SECRET), garbled(anyId)),
);
const status = parameter(
  "status",
  "valueCode",
  fc.oneof(fc.constantFrom("active", "off", "error", "requested"), fc.constant(SECRET), anyText),
);
const number = fc.oneof(
  fc.integer({ min: -1, max: EVENTS + 2 }).map(String),
  fc.bigInt({ min: 0n, max: 2n ** 70n }).map(String),
  fc.constantFrom("1.0", "1e1", "+1", " 1", "0x1", "٣", "", SECRET),
);
const range = fc.oneof(
  parameter("eventsSinceNumber", "valueString", number),
  parameter("eventsUntilNumber", "valueString", number),
  parameter("content", "valueCode", fc.constantFrom("empty", "id-only", "full-resource", "all", SECRET)),
);

const OPERATIONS: readonly Operation[] = [
  {
    name: "$get-ws-binding-token",
    handle: (request, { ctx }) => handleGetWsBindingToken(request, ctx),
    parameters: fc.array(id, { maxLength: 4 }),
    resourceType: "Parameters",
  },
  {
    name: "$status",
    handle: (request, { ctx }) => handleSubscriptionStatus(request, ctx),
    parameters: fc.array(fc.oneof(id, status), { maxLength: 4 }),
    resourceType: "Bundle",
  },
  {
    name: "$events",
    handle: (request, { ctx }) => handleSubscriptionEvents(request, ctx),
    parameters: fc.array(range, { maxLength: 3 }),
    resourceType: "Bundle",
  },
];

/** Three Subscriptions, of which one is off, with some events each. */
async function makeWorld(version: AskedOptions["fhirVersion"] = "R5", more: AskedOptions = {}): Promise<AskedHost> {
  const known = IDS.map((id) => websocketSubscription(id, version, { status: id === "off" ? "off" : "active" }));
  const host = makeAskedHost({
    fhirVersion: version,
    authenticate: ({ headers }) => headers.has("authorization") ? undefined : { id: "alice" },
    subscriptions: { read: (id) => known.find((one) => one.id === id), list: () => known },
    ...more,
  });
  for (const id of IDS) await host.happen(id, EVENTS);
  return host;
}

function queryOf(parameters: readonly Parameter[]): string {
  return parameters.map(({ name, value }) => `${name}=${encodeURIComponent(value.toWellFormed())}`).join("&");
}

function bodyOf(parameters: readonly Parameter[]): Json {
  return {
    resourceType: "Parameters",
    id: SECRET,
    ...(parameters.length > 0 && { parameter: parameters.map(({ name, type, value }) => ({ name, [type]: value })) }),
  };
}

const mediaType = fc.tuple(
  fc.constantFrom("application/fhir+json", "application/json", "text/json", "application/fhir+xml", "*/*", "text/*"),
  fc.array(
    fc.oneof(
      fc.constantFrom(
        "q=1",
        "q=0.5",
        "q=0",
        "Q=.1",
        "q=2",
        "q=",
        'x="a,b;c"',
        'x="',
        "charset=utf-8",
        'charset="UTF-8"',
      ),
      fc.constantFrom(...Object.values(MIME_VERSION), "3.0", SECRET).map((version) => `fhirVersion=${version}`),
    ),
    { maxLength: 2 },
  ),
).map(([type, parameters]) => [type, ...parameters].join(";"));
const accept = garbledAscii(fc.array(mediaType, { minLength: 1, maxLength: 3 }).map((types) => types.join(", ")));

/** What a client of an operation may send, seldom wholly wrong and seldom wholly right. */
function anyCall({ name, parameters }: Operation) {
  const path = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...IDS).map((id) => `Subscription/${id}/${name}`) },
    { weight: 4, arbitrary: fc.constant(`Subscription/${name}`) },
    fc.constant(`Subscription/${SECRET}/${name.replace("$", "%24")}`),
    garbled(fc.constantFrom(`Subscription/abc123/${name}`, `Subscription/${name}`)),
    fc.stringMatching(/^[%0-9a-fA-F.]{1,9}$/).map((id) => `Subscription/${id}/${name}`),
  );
  const good = parameters.map((list) => JSON.stringify(bodyOf(list)));
  const bad = damaged(parameters.map(bodyOf)).map((body) => JSON.stringify(body));
  return fc.record({
    version: anyVersion,
    method: fc.oneof({ weight: 9, arbitrary: fc.constantFrom("GET", "POST", "POST", "HEAD") }, fc.constant("PATCH")),
    path,
    query: fc.oneof({ weight: 4, arbitrary: parameters.map(queryOf) }, garbled(parameters.map(queryOf)), accept),
    body: fc.option(anyBytes(fc.oneof(good, bad, garbled(bad)))),
    headers: fc.record({
      "accept": accept,
      "content-type": fc.oneof({ weight: 5, arbitrary: fc.constant("application/fhir+json") }, garbledAscii(mediaType)),
      "content-length": fc.constantFrom("", "0", "1", "-1", "99999", "99999", SECRET),
      "authorization": fc.constant(`Bearer ${SECRET}`),
    }, { requiredKeys: ["content-type"] }),
  });
}

/** Of the table of errors, what a client can bring about by itself. */
const REFUSALS = [400, 401, 404, 405, 406, 413, 415, 422];

for (const operation of OPERATIONS) {
  describe(operation.name, () => {
    it("answers whatever is sent by a resource of FHIR, and never by a 5xx", async () => {
      const seen = new Set<number>();
      await fc.assert(
        fc.asyncProperty(anyCall(operation), async ({ version, method, path, query, body, headers }) => {
          const host = await makeWorld(version);
          const url = `${host.ctx.base}/${path.toWellFormed()}?${query.toWellFormed()}`;
          fc.pre(URL.canParse(url));
          const carries = body !== null && !["GET", "HEAD"].includes(method);
          const request = new Request(url, { method, headers, ...(carries && { body }) });
          const response = await operation.handle(request, host);
          const text = await response.text();
          produced(text);
          const { status } = response;
          seen.add(status);
          assert(status === 200 || REFUSALS.includes(status), `${status} ${text}`);
          assertEquals(response.headers.get("cache-control"), "no-store");
          if (method === "HEAD") assertEquals(text, "");
          else {
            const { resourceType } = JSON.parse(text);
            assertEquals(resourceType, status === 200 ? operation.resourceType : "OperationOutcome");
          }
          assertFalse(host.events.some(({ type }) => type === "error"));
          assertFalse(`${text}${JSON.stringify(host.events)}`.includes(SECRET), "what was sent is told again");
        }),
        runs(1200),
      );
      // What is never reached is not proven.
      for (const status of [200, 400, 401, 404, 405, 406, 413, 415]) assert(seen.has(status), `no run gave ${status}`);
    });

    it("reads a body the same, into whatever chunks it is cut", async () => {
      const body = anyBytes(damaged(operation.parameters.map(bodyOf)).map((body) => JSON.stringify(body)));
      await fc.assert(
        fc.asyncProperty(body, fc.array(fc.nat({ max: 40 }), { maxLength: 8 }), async (body, sizes) => {
          const host = await makeWorld();
          const url = `${host.ctx.base}/Subscription/${operation.name === "$events" ? "abc123/" : ""}${operation.name}`;
          const [whole, cut] = await Promise.all(
            [[], sizes].map(async (sizes) =>
              await operation.handle(new Request(url, postStream(chunks(body, sizes))), host)
            ),
          );
          assertEquals([cut?.status, await outline(cut)], [whole?.status, await outline(whole)]);
        }),
        runs(150),
      );
    });

    it("answers GET and POST of the same parameters alike", async () => {
      await fc.assert(
        fc.asyncProperty(anyVersion, operation.parameters, async (version, parameters) => {
          const host = await makeWorld(version);
          const url = `${host.ctx.base}/Subscription/${operation.name === "$events" ? "abc123/" : ""}${operation.name}`;
          // A text that is not well-formed has no form in a URL.
          fc.pre(parameters.every(({ value }) => value.isWellFormed()));
          const asked = await operation.handle(new Request(`${url}?${queryOf(parameters)}`), host);
          const stream = chunks(new TextEncoder().encode(JSON.stringify(bodyOf(parameters))), []);
          const posted = await operation.handle(new Request(url, postStream(stream)), host);
          assertEquals([posted.status, await outline(posted)], [asked.status, await outline(asked)]);
        }),
        runs(150),
      );
    });

    it("names each parameter that it cannot read, and no other", async () => {
      const wrong = fc.constantFrom({ valueId: "no id" }, { valueId: 7 }, {}, { valueUri: "x" }, {
        valueId: "a",
        valueString: "a",
      });
      const name = operation.name === "$events" ? "eventsSinceNumber" : "id";
      const good = name === "id" ? { valueId: "abc123" } : { valueString: "1" };
      const list = fc.array(fc.oneof(fc.constant(good), wrong, fc.constant(null)), {
        maxLength: name === "id" ? 8 : 1,
      });
      await fc.assert(
        fc.asyncProperty(list, async (values) => {
          const host = await makeWorld();
          const url = `${host.ctx.base}/Subscription/${name === "id" ? "" : "abc123/"}${operation.name}`;
          const body = {
            resourceType: "Parameters",
            // `null` stands for a parameter that the operation does not know.
            parameter: values.map((value) => value === null ? { name: "other" } : { name, ...value }),
          };
          const bad = values.flatMap((value, n) =>
            value === null || value === good ? [] : [`Parameters.parameter[${n}]`]
          );
          const stream = chunks(new TextEncoder().encode(JSON.stringify(body)), []);
          const response = await operation.handle(new Request(url, postStream(stream)), host);
          assertEquals(response.status, bad.length > 0 ? 400 : 200);
          const { issue = [] }: { issue?: { expression?: string[] }[] } = await response.json();
          assertEquals(issue.flatMap(({ expression = [] }) => expression), bad);
        }),
        runs(150),
      );
    });
  });
}

/** Bytes in chunks of some sizes, and the rest in one. */
function chunks(bytes: Uint8Array<ArrayBuffer>, sizes: readonly number[]): ReadableStream<Uint8Array> {
  let left = bytes;
  return new ReadableStream({
    start(controller) {
      for (const size of sizes) {
        controller.enqueue(left.slice(0, size));
        left = left.slice(size);
      }
      controller.enqueue(left);
      controller.close();
    },
  });
}

/** The answer without what is new in each, and without where a client wrote what is wrong. */
async function outline(response: Response | undefined): Promise<string> {
  const body = await response?.text() ?? "";
  produced(body);
  return body.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, "uuid")
    .replaceAll(/"(?:Parameters\.parameter\[\d+\]|http\.\w+)"/g, '"where"');
}

describe("Accept", () => {
  const TYPES = ["application/fhir+json", "application/json", "text/json", "application/json+fhir"];
  const FAMILIES = ["application/*", "text/*", "*/*"];
  /** A range as it is meant; `own` names this version. */
  const ranges = fc.uniqueArray(
    fc.record({
      type: fc.constantFrom(...TYPES, ...FAMILIES, "application/fhir+xml", "text/html"),
      thousandths: fc.constantFrom(undefined, 0, 1, 250, 999, 1000),
      fhirVersion: fc.constantFrom(undefined, "own", "other"),
      quoted: fc.boolean(),
      upper: fc.boolean(),
      space: fc.constantFrom("", " ", "\t"),
      more: fc.constantFrom("", ";x=1", ';x="q=0,;"', ';x="a;q=0"', ";level=1;"),
    }),
    { selector: ({ type }) => type, minLength: 1, maxLength: 5 },
  );
  type Range = typeof ranges extends fc.Arbitrary<(infer T)[]> ? T : never;

  function write(range: Range, own: string): string {
    const { type, thousandths, fhirVersion, quoted, upper, space, more } = range;
    const version = fhirVersion === "own" ? own : "1.0";
    const parts = [
      (upper ? type.toUpperCase() : type) + more,
      ...(fhirVersion === undefined ? [] : [`fhirVersion=${quoted ? `"${version}"` : version}`]),
      ...(thousandths === undefined ? [] : [`${upper ? "Q" : "q"}=${(thousandths / 1000).toFixed(3)}`]),
    ];
    return parts.join(`${space};${space}`);
  }
  /** RFC 9110 §12.5.1, from what is meant rather than from what is written. */
  function weigh(type: string, ranges: readonly Range[]): number {
    const covering = [type, type.replace(/\/.*/, "/*"), "*/*"];
    const [best] = covering.flatMap((one) =>
      ranges.filter(({ type, fhirVersion }) => type === one && fhirVersion !== "other")
    );
    return best === undefined ? 0 : best.thousandths ?? 1000;
  }

  it("is answered by a type that is wanted most, however it is written", async () => {
    await fc.assert(
      fc.asyncProperty(anyVersion, ranges, async (version, ranges) => {
        const host = await makeWorld(version);
        const header = ranges.map((range) => write(range, MIME_VERSION[version])).join(ranges[0]?.quoted ? " , " : ",");
        const request = new Request(`${host.ctx.base}/Subscription/abc123/$status`, { headers: { accept: header } });
        const response = await handleSubscriptionStatus(request, host.ctx);
        const weights = TYPES.map((type) => weigh(type, ranges));
        const most = Math.max(...weights);
        assertEquals(response.status, most > 0 ? 200 : 406, header);
        if (most > 0) {
          const wanted = TYPES.filter((_, n) => weights[n] === most);
          assertStringIncludes(
            wanted.map((type) => `${type}; charset=utf-8`).join(),
            response.headers.get("content-type") ?? "",
          );
        }
      }),
      runs(400),
    );
  });
});

describe("$events", () => {
  it("leads by its links through exactly the events that were asked for, each once", async () => {
    const asked = fc.record({
      version: anyVersion,
      since: fc.option(fc.integer({ min: 0, max: EVENTS + 2 }), { nil: undefined }),
      until: fc.option(fc.integer({ min: 0, max: EVENTS + 2 }), { nil: undefined }),
      content: fc.constantFrom(undefined, "empty", "id-only"),
      maxEvents: fc.integer({ min: 1, max: EVENTS }),
      withheld: fc.subarray([1, 2, 5, 6, 7, EVENTS]),
    });
    await fc.assert(
      fc.asyncProperty(asked, async ({ version, since, until, content, maxEvents, withheld }) => {
        const host = await makeWorld(version, { maxEvents, mayReceive: ({ number }) => !withheld.includes(number) });
        const query = new URLSearchParams(
          Object.entries({ eventsSinceNumber: since, eventsUntilNumber: until, content })
            .flatMap(([name, value]) => value === undefined ? [] : [[name, String(value)]]),
        );
        const numbers: number[] = [];
        let next: string | undefined = `${host.ctx.base}/Subscription/abc123/$events?${query}`;
        for (let pages = 0; next !== undefined; pages++) {
          assert(pages <= EVENTS, "the links lead nowhere");
          const { link = [], entry: [status] = [] } =
            await (await handleSubscriptionEvents(new Request(next), host.ctx)).json();
          numbers.push(...numbersOf(status.resource));
          next = link.find(({ relation }: { relation: string }) => relation === "next")?.url;
        }
        const all = Array.from({ length: EVENTS }, (_, n) => n + 1);
        assertEquals(
          numbers,
          all.filter((n) => n >= (since ?? 1) && n <= (until ?? EVENTS) && !withheld.includes(n)),
        );
      }),
      runs(200),
    );
  });
});

interface Status {
  readonly notificationEvent?: readonly { readonly eventNumber: string }[];
  readonly parameter?: readonly {
    readonly name: string;
    readonly part?: readonly { readonly valueString: string }[];
  }[];
}

/** Of a SubscriptionStatus, or of the Parameters that R4 has in its place. */
function numbersOf({ notificationEvent, parameter = [] }: Status): number[] {
  const parts = parameter.filter(({ name }) => name === "notification-event").map(({ part }) => part?.[0]?.valueString);
  return (notificationEvent?.map(({ eventNumber }) => eventNumber) ?? parts).map(Number);
}
