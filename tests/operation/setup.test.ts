import { test } from "node:test";
import { createJwtSigner, handleGetWsBindingToken } from "@fhir-ws/binding";
import { assert, assertEquals, assertFalse, assertMatch, assertRejects } from "@std/assert";
import { call, type HostOptions, makeHost, OPERATION, readAnswer } from "./fake_host.ts";

function withBase(base: string): HostOptions {
  return { base };
}

function withUrl(websocketUrl: string): HostOptions {
  return { sockets: { websocketUrl } };
}

/** Options as a host without types may write them. */
function untyped(options: { readonly [name: string]: unknown }): HostOptions {
  return options as HostOptions; // that is the point
}

const BAD_BASES = [
  "",
  "/fhir/R5",
  "fhir/R5",
  "//example.org/fhir",
  "example.org/fhir",
  "https:example.org/fhir",
  "https:/example.org/fhir",
  "https://",
  "https://example.org/",
  "https://example.org/fhir/",
  "https://example.org/fhir?x",
  "https://example.org/fhir?",
  "https://example.org/fhir#x",
  "https://example.org/fhir#",
  "https://example.org/fh ir",
  " https://example.org/fhir",
  "https://example.org/fhir\n",
  "ftp://example.org/fhir",
  "wss://example.org/fhir",
  "urn:oid:1.2.3",
];
const BAD_URLS = [
  "",
  "/ws",
  "//example.org/ws",
  "example.org/ws",
  "wss:example.org/ws",
  "https://example.org/ws",
  "http://127.0.0.1/ws",
  "wss://example.org/ws#x",
  "wss://example.org/ws#",
  "wss://example.org/w s",
  "wss://example.org/ws ",
];
const INSECURE_URLS = [
  "ws://example.org/ws",
  "ws://10.0.0.1/ws",
  "ws://0.0.0.0/ws",
  "ws://[::2]/ws",
  "ws://127.0.0.1.example.org/ws",
  "ws://localhost.example.org/ws",
  "ws://1270.0.0.1.example/ws",
];
const COUNTS = [0, -1, 1.5, NaN, Infinity, "1", null, 2 ** 53];
const CHALLENGES = ["", " ", "Bearer\r\nX: y", "Bearer\n", 'Bearer realm="東京"', "Bear(er", ' realm="x"'];

/** What is wrong with the context, and how it is told. */
const MISTAKES: readonly (readonly [name: string, options: HostOptions, error: RegExp])[] = [
  ...BAD_BASES.map((base) =>
    [`base ${JSON.stringify(base)}`, withBase(base), /^TypeError: Cannot use base "/] as const
  ),
  ...BAD_URLS.map((url) =>
    [
      `websocketUrl ${JSON.stringify(url)}`,
      withUrl(url),
      /^TypeError: Cannot use websocketUrl ".*ws or wss URL$/,
    ] as const
  ),
  ...INSECURE_URLS.map((url) => [`websocketUrl ${url}`, withUrl(url), /^TypeError: .*it has no TLS/] as const),
  ...["storeTimeout", "tokenLifetime", "maxIds", "maxBodySize"].flatMap((name) =>
    COUNTS.map((value) =>
      [`${name} ${value}`, untyped({ [name]: value }), new RegExp(`^RangeError: Cannot use ${name} `)] as const
    )
  ),
  ["maxIds 101", { maxIds: 101 }, /^RangeError: Cannot use maxIds 101: it is not an integer from 1 to 100$/],
  ["storeTimeout beyond a timer", { storeTimeout: 2 ** 31 }, /^RangeError: .* from 1 to 2147483647$/],
  ["tokenLifetime of two years", { tokenLifetime: 2 * 31_536_000 }, /^RangeError: .* from 1 to 31536000$/],
  ["fhirVersion STU3", untyped({ fhirVersion: "STU3", base: "https://example.org/fhir" }), /^TypeError: .*"STU3"$/],
  ["fhirVersion toString", untyped({ fhirVersion: "toString", base: "https://example.org/fhir" }), /^TypeError: /],
  ["no base", untyped({ base: undefined }), /^TypeError: Cannot use base/],
  ...CHALLENGES.map((challenge) =>
    [`challenge ${JSON.stringify(challenge)}`, { challenge }, /^TypeError: Cannot use challenge/] as const
  ),
];

for (const [name, options, error] of MISTAKES) {
  test(`handleGetWsBindingToken throws at the first request for ${name}`, async () => {
    const { ctx } = makeHost(options);
    for (let n = 0; n < 2; n++) {
      const request = new Request("https://example.org/Patient/p1", { method: "DELETE" });
      const thrown = await assertRejects(() => handleGetWsBindingToken(request, ctx), Error);
      assertMatch(String(thrown).replaceAll("\n", " "), error);
    }
  });
}

const CREDENTIALS: readonly HostOptions[] = [
  withBase("https://fhir:hunter2@example.org/fhir"),
  withBase("https://:hunter2@example.org/fhir"),
  withBase("https://hunter2@example.org/fhir"),
  withUrl("wss://fhir:hunter2@example.org/ws"),
  withUrl("wss://:hunter2@example.org/ws"),
  withUrl("wss://hunter2@example.org/ws"),
];
test("handleGetWsBindingToken refuses URLs with credentials, and does not repeat them", async () => {
  for (const options of CREDENTIALS) {
    const request = new Request(`https://example.org/fhir/${OPERATION}`);
    const thrown = await assertRejects(() => handleGetWsBindingToken(request, makeHost(options).ctx), TypeError);
    assertMatch(thrown.message, /^Cannot use (base|websocketUrl): it holds credentials$/);
  }
});

const GOOD: readonly HostOptions[] = [
  ...["https://example.org", "http://localhost:8103/fhir", "https://[::1]/fhir", "https://example.org/a//b"].map(
    withBase,
  ),
  ...["wss://example.org", "wss://example.org/", "wss://example.org/ws?region=eu", "WSS://EXAMPLE.ORG/ws"].map(withUrl),
  ...["ws://localhost/ws", "ws://127.0.0.1:8103/ws", "ws://127.1/ws", "ws://[::1]:1/ws"].map(withUrl),
  { sockets: { websocketUrl: "ws://gateway.internal/ws", allowInsecure: true } },
  { sockets: { websocketUrl: () => "ws://gateway.internal/ws", allowInsecure: true } },
  { maxIds: 1 },
  { maxIds: 100 },
  { storeTimeout: 1 },
  { storeTimeout: 2 ** 31 - 1 },
  { tokenLifetime: 1 },
  { tokenLifetime: 31_536_000 },
  { maxBodySize: 1 },
  ...["Bearer", 'Bearer realm="fhir", scope="a b"', 'DPoP algs="ES256"', "x!-1"].map((challenge) => ({ challenge })),
];
for (const options of GOOD) {
  test(`handleGetWsBindingToken works with ${JSON.stringify(options)}`, async () => {
    await readAnswer(await call(makeHost(options)));
  });
}

test("handleGetWsBindingToken throws for a tokenLifetime beyond what the signer signs, the default one too", async () => {
  const tokens = await createJwtSigner({ sign: { kid: "k1", key: new Uint8Array(32) }, maxLifetime: 60 });
  assertEquals(tokens.maxLifetime, 60);
  await readAnswer(await call(makeHost({ tokens, tokenLifetime: 60 })));
  for (const options of [{ tokenLifetime: 61 }, {}]) {
    const { message } = await assertRejects(() => call(makeHost({ tokens, ...options })), RangeError);
    assertEquals(
      message,
      `Cannot use tokenLifetime ${options.tokenLifetime ?? 3600}: it is not an integer from 1 to 60`,
    );
  }
});

test("handleGetWsBindingToken asks no callback and reads no clock before a context was found to be in order", async () => {
  let asked = 0;
  const { ctx } = makeHost({
    maxIds: 0,
    now: () => ++asked,
    authenticate: () => (asked++, undefined),
    onEvent: () => void asked++,
  });
  await assertRejects(() => call({ ctx }), RangeError);
  assertEquals(asked, 0);
});

test("handleGetWsBindingToken takes a frozen context, and the same one for every request", async () => {
  const { ctx } = makeHost();
  Object.freeze(ctx);
  Object.freeze(ctx.sockets);
  const answers = await Promise.all(Array.from({ length: 20 }, () => call({ ctx })));
  assert(answers.every(({ status }) => status === 200));
  assertFalse(Object.keys(ctx).includes("checked"));
});
