import { test } from "node:test";
import { createJwtSigner, type FhirSubscription, handleGetWsBindingToken } from "@fhir-ws/binding";
import { assert, assertEquals, assertFalse } from "@std/assert";
import fc from "fast-check";
import {
  call,
  FHIR_VERSIONS,
  idParameters,
  makeHost,
  MIME_VERSION,
  OPERATION,
  post,
  readAnswer,
  readIssues,
  websocketSubscription,
} from "./fake_host.ts";
import { producedBy } from "../tools/produced.ts";

/** What a client alone can bring about with a host that works. */
const STATUSES = [200, 400, 401, 404, 405, 406, 413, 415, 422, 429];
const VERSION = fc.constantFrom(...FHIR_VERSIONS);
const FHIR_ID = fc.stringMatching(/^[A-Za-z0-9\-.]{1,64}$/);
const ANY_ID = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom("abc123", "def456", "off") },
  FHIR_ID,
  fc.string(),
);

const METHOD = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom("GET", "HEAD", "POST") },
  fc.constantFrom("PUT", "DELETE", "OPTIONS", "PROPFIND"),
  fc.stringMatching(/^[A-Z]{1,9}$/).filter((method) => !/^(CONNECT|TRACE|TRACK)$/.test(method)),
);

const SEARCH = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: ANY_ID.map((id) => `id=${encodeURIComponent(id.toWellFormed())}`) },
    fc.constantFrom("_format=json", "_format=xml", "_format=", "_format=application/fhir+json", "_pretty=true"),
    fc.string(),
  ),
  { maxLength: 5 },
).map((parts) => parts.join("&"));

const PATH = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(OPERATION, "Subscription/abc123/%24get-ws-binding-token") },
  fc.string().map((id) => `Subscription/${encodeURIComponent(id.toWellFormed())}/$get-ws-binding-token`),
  fc.string().map((id) => `Subscription/${id}/$get-ws-binding-token`),
  fc.webPath(),
  fc.string(),
);

const MEDIA_TYPE = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("application/fhir+json", "application/json", "text/json") },
  fc.constantFrom("*/*", "text/*", "application/fhir+xml"),
  VERSION.map((version) => `application/fhir+json; fhirVersion=${MIME_VERSION[version]}`),
  fc.array(fc.constantFrom(...'aq/*;,="\\ 0.1', "application/json", "fhirVersion=", "4.0"), { maxLength: 12 })
    .map((parts) => parts.join("")),
  fc.stringMatching(/^[\x20-\x7e]{0,40}$/),
);

const PARAMETER = fc.oneof(
  ANY_ID.map((id) => ({ name: "id", valueId: id })),
  ANY_ID.map((id) => ({ name: "id", valueString: id })),
  fc.record({ name: fc.constantFrom("id", "ids", "x"), valueId: fc.jsonValue(), valueUri: fc.string() }, {
    requiredKeys: [],
  }),
  fc.jsonValue(),
);

const BODY: fc.Arbitrary<string | Uint8Array<ArrayBuffer> | undefined> = fc.oneof(
  fc.constant(undefined),
  fc.record({ resourceType: fc.constant("Parameters"), parameter: fc.array(PARAMETER) }).map((body) =>
    JSON.stringify(body)
  ),
  fc.jsonValue().map((body) => JSON.stringify(body)),
  fc.string(),
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Uint8Array.from(bytes)),
  fc.constant(JSON.stringify({ ...idParameters("abc123"), ballast: "x".repeat(70_000) })),
);

const CALL = fc.record({
  version: VERSION,
  method: METHOD,
  path: PATH,
  search: SEARCH,
  headers: fc.record(
    {
      "accept": MEDIA_TYPE,
      "content-type": MEDIA_TYPE,
      "content-length": fc.constantFrom("0", "10", "70000", "nonsense", "-1", "1e9"),
      "authorization": fc.constantFrom("Bearer good", "Bearer good", "Bearer bad"),
    },
    { requiredKeys: ["content-type"] },
  ),
  body: BODY,
  listing: fc.boolean(),
  wait: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, fc.constant(3)),
});
type Call = typeof CALL extends fc.Arbitrary<infer T> ? T : never;

/** The request as its runtime takes it; one that it will not make is no input. */
function makeRequest({ version, method, path, search, headers, body }: Call): Request | undefined {
  const carries = !/^(GET|HEAD)$/.test(method) && body !== undefined;
  try {
    return new Request(`https://example.org/fhir/${version}/${path}?${search}`, {
      method,
      headers: Object.entries(headers),
      ...(carries && { body }),
    });
  } catch {
    return undefined; // Fetch itself refuses it
  }
}

test("handleGetWsBindingToken answers whatever a client sends by a row of the table", async () => {
  const seen = new Map<number, number>();
  await fc.assert(
    fc.asyncProperty(CALL, async (sent) => {
      const request = makeRequest(sent);
      fc.pre(request !== undefined);
      const known = [
        ...["abc123", "def456"].map((id) => websocketSubscription(id, sent.version)),
        websocketSubscription("off", sent.version, { status: "off" }),
      ];
      const host = makeHost({
        fhirVersion: sent.version,
        authenticate: ({ headers }) => headers.get("authorization") === "Bearer bad" ? undefined : { id: "alice" },
        rateLimit: () => sent.wait,
        subscriptions: {
          read: (id) => known.find((one) => one.id === id),
          ...(sent.listing && { list: () => known }),
        },
      });
      const isHead = request.method === "HEAD";
      const response = await producedBy(await handleGetWsBindingToken(request, host.ctx));
      seen.set(response.status, (seen.get(response.status) ?? 0) + 1);
      assert(STATUSES.includes(response.status), `${response.status}`);
      assertEquals(response.headers.get("cache-control"), "no-store");
      assertEquals(response.headers.has("www-authenticate"), response.status === 401);
      assertEquals(response.headers.has("allow"), response.status === 405);
      assertEquals(host.grants.length, response.status === 200 && !isHead ? 1 : 0);
      assertFalse(host.events.some(({ type }) => type === "error"));
      if (isHead) assertEquals(await response.text(), "");
      else if (response.status === 200) await readAnswer(response);
      else await readIssues(response, response.status);
    }),
    { numRuns: 1500 },
  );
  // What is never reached is not proven.
  for (const status of STATUSES) assert(seen.has(status), `no run gave ${status}`);
});

test("handleGetWsBindingToken gives GET and POST of the same ids the same answer, in order and without repetition", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(FHIR_ID, { minLength: 1, maxLength: 100 }), VERSION, async (ids, version) => {
      const host = makeHost({
        fhirVersion: version,
        subscriptions: { read: (id) => websocketSubscription(id, version) },
      });
      const query = ids.map((id) => `id=${id}`).join("&");
      const answers = [
        await readAnswer(await call(host, `${OPERATION}?${query}`)),
        await readAnswer(await call(host, OPERATION, post(idParameters(...ids)))),
        await readAnswer(await call(host, `${OPERATION}?${query}`, { method: "POST" })),
      ];
      for (const { subscriptions } of answers) assertEquals(subscriptions, [...new Set(ids)]);
    }),
    { numRuns: 100 },
  );
});

test("handleGetWsBindingToken gives a token that verifies to what was answered", async () => {
  const tokens = await createJwtSigner({ sign: { kid: "k1", key: crypto.getRandomValues(new Uint8Array(32)) } });
  const caller = fc.record({
    id: fc.string({ minLength: 1, unit: "binary" }),
    tenant: fc.string({ unit: "binary" }),
    claims: fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 3 }).map((claims) =>
      JSON.parse(JSON.stringify(claims))
    ),
  }, { requiredKeys: ["id"] });
  await fc.assert(
    fc.asyncProperty(caller, fc.uniqueArray(FHIR_ID, { minLength: 1, maxLength: 100 }), async (caller, ids) => {
      const host = makeHost({
        tokens,
        now: Date.now,
        authenticate: () => caller,
        subscriptions: { read: (id) => websocketSubscription(id) },
      });
      const answer = await readAnswer(await call(host, OPERATION, post(idParameters(...ids))));
      const grant = await tokens.verify(answer.token);
      assertEquals(grant.subscriptions, answer.subscriptions);
      assertEquals(grant.caller, caller);
      assertEquals(grant.audience, host.ctx.base);
      assertEquals(grant.expiresAt * 1000, Date.parse(answer.expiration));
    }),
    { numRuns: 100 },
  );
});

/** Something of a Subscription's shape, with nonsense in any place. */
const SUBSCRIPTION = fc.oneof(
  fc.jsonValue(),
  fc.record({
    resourceType: fc.constant("Subscription"),
    id: fc.oneof(fc.constant("abc123"), fc.jsonValue()),
    status: fc.oneof(fc.constant("active"), fc.jsonValue()),
    end: fc.oneof(fc.constant("2030-01-01T00:00:00Z"), fc.jsonValue()),
    criteria: fc.oneof(fc.constant("Patient"), fc.jsonValue()),
    channelType: fc.oneof(fc.constant({ code: "websocket" }), fc.jsonValue()),
    content: fc.oneof(fc.constant("id-only"), fc.jsonValue()),
    contentType: fc.oneof(fc.constant("application/fhir+json"), fc.jsonValue()),
    channel: fc.oneof(
      fc.constant({ type: "websocket" }),
      fc.record({ type: fc.jsonValue(), _type: fc.jsonValue(), payload: fc.jsonValue(), _payload: fc.jsonValue() }, {
        requiredKeys: [],
      }),
      fc.jsonValue(),
    ),
  }, { requiredKeys: [] }),
);

test("handleGetWsBindingToken answers 200, 404 or 422 whatever a store gives for Subscriptions", async () => {
  const seen = new Set<number>();
  await fc.assert(
    fc.asyncProperty(SUBSCRIPTION, VERSION, async (resource, version) => {
      const subscription = resource as unknown as FhirSubscription; // whatever a host's store may hold
      const host = makeHost({
        fhirVersion: version,
        subscriptions: { read: () => subscription, list: () => [subscription, websocketSubscription("x", version)] },
      });
      const one = await call(host);
      seen.add(one.status);
      assert([200, 404, 422].includes(one.status));
      assert((await readAnswer(await call(host, OPERATION))).subscriptions.includes("x"));
      assertFalse(host.events.some(({ type }) => type === "error"));
    }),
    { numRuns: 1500 },
  );
  assertEquals([...seen].sort(), [200, 404, 422]);
});
