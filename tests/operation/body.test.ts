import { test } from "node:test";
import { handleGetWsBindingToken } from "@fhir-ws/binding";
import { assert, assertEquals, assertLess } from "@std/assert";
import {
  assertRefused,
  call,
  type HostOptions,
  idParameters,
  makeHost,
  OPERATION,
  post,
  postStream,
  readAnswer,
} from "./fake_host.ts";
import { producedBy } from "../tools/produced.ts";

const INSTANCE = "Subscription/abc123/$get-ws-binding-token";
const encoder = new TextEncoder();

/** A stream that gives one chunk a pull, counts them, and notes when it is cancelled. */
function makeStream(chunks: Iterable<Uint8Array>) {
  const iterator = chunks[Symbol.iterator]();
  const seen = { pulls: 0, cancelled: false };
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      seen.pulls++;
      const { done, value } = iterator.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel() {
      seen.cancelled = true;
    },
  }, { highWaterMark: 0 });
  return { stream, seen };
}

function* endless(chunk: Uint8Array): Generator<Uint8Array> {
  while (true) yield chunk;
}

function* bytewise(text: string): Generator<Uint8Array> {
  for (const byte of encoder.encode(text)) yield Uint8Array.of(byte);
}

test("handleGetWsBindingToken cancels a body that would never end", async () => {
  const { stream, seen } = makeStream(endless(new Uint8Array(1000).fill(32)));
  await assertRefused(await call(makeHost(), OPERATION, postStream(stream)), 413, "too-costly");
  assertEquals(seen.cancelled, true);
  assertEquals(seen.pulls, 66); // 65536 bytes, and the chunk that was too much
});

test("handleGetWsBindingToken cancels an endless body of a wrong type at its first bytes", async () => {
  const { stream, seen } = makeStream(endless(new Uint8Array(1000)));
  const init = postStream(stream, { "content-type": "application/octet-stream" });
  await assertRefused(await call(makeHost(), OPERATION, init), 415, "not-supported");
  assertEquals(seen, { pulls: 1, cancelled: true });
});

for (const [level, target] of [["type", OPERATION], ["instance", INSTANCE]] as const) {
  test(`handleGetWsBindingToken takes a body of exactly maxBodySize at ${level} level, and none larger`, async () => {
    const body = JSON.stringify(idParameters("abc123"));
    await readAnswer(await call(makeHost({ maxBodySize: body.length }), target, post(body)));
    await readAnswer(await call(makeHost({ maxBodySize: 1000 }), target, post(body.padEnd(1000))));
    const options = { maxBodySize: body.length - 1 };
    await assertRefused(await call(makeHost(options), target, post(body)), 413, "too-costly");
    await assertRefused(await call(makeHost(), target, post(body.padEnd(65537))), 413, "too-costly");
  });
}

test("handleGetWsBindingToken counts bytes and not characters", async () => {
  const body = JSON.stringify({ ...idParameters("abc123"), note: "€".repeat(100) });
  const size = encoder.encode(body).length;
  await readAnswer(await call(makeHost({ maxBodySize: size }), OPERATION, post(body)));
  await assertRefused(await call(makeHost({ maxBodySize: size - 1 }), OPERATION, post(body)), 413, "too-costly");
});

test("handleGetWsBindingToken reads a body byte by byte, also between the bytes of a character", async () => {
  const { stream, seen } = makeStream(bytewise(JSON.stringify({ ...idParameters("abc123"), note: "€💥" })));
  await readAnswer(await call(makeHost(), OPERATION, postStream(stream)));
  assertEquals(seen.cancelled, false);
});

test("handleGetWsBindingToken reads nothing of a body whose Content-Length is too large", async () => {
  for (const type of ["application/fhir+json", "text/plain"]) {
    const { stream, seen } = makeStream(endless(new Uint8Array(10)));
    const headers = { "content-length": "65537", "content-type": type };
    const response = await call(makeHost(), OPERATION, postStream(stream, headers));
    if (type === "text/plain") await assertRefused(response, 415, "not-supported");
    else await assertRefused(response, 413, "too-costly");
    assertEquals(seen.pulls, 0);
  }
});

test("handleGetWsBindingToken does not believe a Content-Length that is too small", async () => {
  const { stream, seen } = makeStream(endless(new Uint8Array(1000).fill(32)));
  const init = postStream(stream, { "content-length": "10" });
  await assertRefused(await call(makeHost(), OPERATION, init), 413, "too-costly");
  assertEquals(seen.cancelled, true);
});

const EMPTY_BODIES: Readonly<Record<string, () => RequestInit>> = {
  "no body": () => ({ method: "POST" }),
  "an empty text": () => ({ method: "POST", body: "" }),
  "an empty stream": () => postStream(makeStream([]).stream),
  "a stream of empty chunks": () => postStream(makeStream([new Uint8Array(), new Uint8Array()]).stream),
};
for (const [name, make] of Object.entries(EMPTY_BODIES)) {
  test(`handleGetWsBindingToken takes ${name} of any type as no parameters`, async () => {
    for (const type of ["application/fhir+xml", "text/plain", "nonsense", "application/fhir+json; fhirVersion=1.0"]) {
      for (const target of [INSTANCE, `${OPERATION}?id=abc123`]) {
        const init = { ...make(), headers: { "content-type": type } };
        assertEquals((await readAnswer(await call(makeHost(), target, init))).subscriptions, ["abc123"]);
      }
    }
  });
}

const OPEN = '{"resourceType":"Parameters","parameter":[{"name":"id","valueId":"abc123"}]';
const UNREADABLE: Readonly<Record<string, string | Uint8Array<ArrayBuffer>>> = {
  "white space": " \n",
  "half of JSON": OPEN,
  "two documents": `${OPEN}}{}`,
  "a comment": `${OPEN}/**/}`,
  "NaN": `${OPEN},"x":NaN}`,
  "XML": "<Parameters/>",
  "a form": "id=abc123",
  "a byte that is not UTF-8": Uint8Array.of(...encoder.encode(`${OPEN},"x":"`), 0xff, ...encoder.encode('"}')),
  "an overlong encoding": Uint8Array.of(...encoder.encode(`${OPEN},"x":"`), 0xc0, 0xaf, ...encoder.encode('"}')),
  "UTF-16": Uint8Array.from([...`${OPEN}}`].flatMap((letter) => [letter.charCodeAt(0), 0])),
  "very deep nesting that does not end": "[".repeat(60000),
  "very deep nesting": "[".repeat(30000) + "]".repeat(30000),
  "deep objects": '{"a":'.repeat(10000) + "1" + "}".repeat(10000),
  "a string": '"abc123"',
  "a number": "1",
  "null": "null",
  "true": "true",
  "an array": "[]",
  "an object without a type": '{"parameter":[]}',
  "a resource of another type": '{"resourceType":"Subscription","id":"abc123"}',
  "an inherited type": '{"__proto__":{"resourceType":"Parameters"}}',
  "parameter as an object": '{"resourceType":"Parameters","parameter":{"name":"id","valueId":"abc123"}}',
  "parameter as a text": '{"resourceType":"Parameters","parameter":"id"}',
  "a parameter that is null": '{"resourceType":"Parameters","parameter":[null]}',
  "a parameter that is a text": '{"resourceType":"Parameters","parameter":["id"]}',
  "a parameter without a name": '{"resourceType":"Parameters","parameter":[{"valueId":"abc123"}]}',
  "a name that is a number": '{"resourceType":"Parameters","parameter":[{"name":1,"valueId":"abc123"}]}',
  "an inherited name": '{"resourceType":"Parameters","parameter":[{"__proto__":{"name":"id"},"valueId":"abc123"}]}',
};
for (const [name, body] of Object.entries(UNREADABLE)) {
  test(`handleGetWsBindingToken refuses a body of ${name} at both levels and quotes nothing of it`, async () => {
    for (const target of [OPERATION, INSTANCE]) {
      const issue = await assertRefused(
        await call(makeHost(), target, { ...post(""), body }),
        400,
        "structure",
      );
      assertEquals(issue.details.text, "Cannot read the body: it is not a Parameters resource");
    }
  });
}

test("handleGetWsBindingToken survives names of Object.prototype in a body", async () => {
  const body = '{"resourceType":"Parameters","__proto__":{"x":1},"constructor":1,"parameter":' +
    '[{"name":"id","valueId":"abc123","__proto__":{"valueString":"x"},"hasOwnProperty":1},{"name":"__proto__"}]}';
  assertEquals((await readAnswer(await call(makeHost(), OPERATION, post(body)))).subscriptions, ["abc123"]);
  assertEquals(Object.hasOwn(Object.prototype, "x"), false);
});

test("handleGetWsBindingToken takes the last of duplicate keys, as JSON.parse does", async () => {
  const body = '{"resourceType":"Patient","resourceType":"Parameters","parameter":' +
    '[{"name":"x","name":"id","valueId":"a_b","valueId":"abc123"}]}';
  assertEquals((await readAnswer(await call(makeHost(), OPERATION, post(body)))).subscriptions, ["abc123"]);
});

test("handleGetWsBindingToken takes a byte order mark", async () => {
  const body = `\ufeff${JSON.stringify(idParameters("abc123"))}`;
  assertEquals((await readAnswer(await call(makeHost(), OPERATION, post(body)))).subscriptions, ["abc123"]);
});

test("handleGetWsBindingToken answers a body that breaks off by 400", async () => {
  const stream = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(encoder.encode(OPEN)),
    pull: (controller) => controller.error(new Error("connection reset")),
  });
  await assertRefused(await call(makeHost(), OPERATION, postStream(stream)), 400, "structure");
});

/** Refusals that come before the caller is known to be welcome. */
const STRANGERS: Readonly<
  Record<string, { readonly host?: HostOptions; readonly init?: object; readonly status: number }>
> = {
  "another method": { init: { method: "PUT" }, status: 405 },
  "an Accept of XML": { init: { headers: { accept: "text/xml" } }, status: 406 },
  "no credentials": { host: { authenticate: () => undefined }, status: 401 },
  "a tenant without the feature": { host: { isEnabled: () => false }, status: 400 },
  "too many calls": { host: { rateLimit: () => 1 }, status: 429 },
  "a login server that is down": { host: { authenticate: () => Promise.reject(new Error("down")) }, status: 503 },
};
for (const [name, { host, init, status }] of Object.entries(STRANGERS)) {
  test(`handleGetWsBindingToken never reads the body of a stranger: ${name}`, async () => {
    let pulls = 0;
    const stream = new ReadableStream<Uint8Array>({
      pull() {
        pulls++;
        throw new Error("the body was read");
      },
    }, { highWaterMark: 0 });
    const { ctx } = makeHost(host);
    const request = new Request(`${ctx.base}/${OPERATION}`, { ...postStream(stream), ...init });
    assertEquals((await producedBy(await handleGetWsBindingToken(request, ctx))).status, status);
    assertEquals(pulls, 0);
    assertEquals(request.bodyUsed, false);
  });
}

/** What a host may have done to the body before. */
const SPOILED: Readonly<Record<string, (request: Request) => unknown>> = {
  "has read the body": (request) => request.text(),
  "has cancelled the body": (request) => request.body?.cancel(),
  "holds a reader of the body": (request) => void request.body?.getReader(),
};
for (const [name, spoil] of Object.entries(SPOILED)) {
  test(`handleGetWsBindingToken answers 500 when the host ${name}, and tells only the host why`, async () => {
    const host = makeHost();
    const request = new Request(`${host.ctx.base}/${OPERATION}?id=abc123`, post(idParameters("abc123")));
    await spoil(request);
    await assertRefused(await handleGetWsBindingToken(request, host.ctx), 500, "exception", "Unexpected error");
    assertEquals(host.grants, []);
    const [event] = host.events;
    assert(event?.type === "error" && event.during === "internal" && event.cause instanceof TypeError);
  });
}

test("handleGetWsBindingToken refuses a body of many ids in little time", async () => {
  const ids = Array.from({ length: 4000 }, () => "_");
  const body = JSON.stringify({ resourceType: "Parameters", parameter: ids.map((_) => ({ name: "id" })) });
  assertLess(body.length, 65536);
  const start = performance.now();
  assertEquals((await call(makeHost(), OPERATION, post(body))).status, 400);
  assertLess(performance.now() - start, 1000);
});
