import { test } from "node:test";
import { handleGetWsBindingToken, isBindingTokenRequest } from "@fhir-ws/binding";
import { assert, assertEquals, assertFalse } from "@std/assert";
import {
  assertRefused,
  baseOf,
  call,
  FHIR_VERSIONS,
  makeHost,
  OPERATION,
  readAnswer,
  readFixture,
  websocketSubscription,
} from "./fake_host.ts";

const BASES = [
  "https://example.org",
  "https://example.org/fhir",
  "http://127.0.0.1:8103/fhir/R4",
  "https://example.org/a/b/c%20d/R5",
  "https://example.org/Subscription/fhir",
];
const TAILS: Readonly<Record<string, string>> = {
  "type level": "Subscription/$get-ws-binding-token?id=abc123",
  "type level, %24": "Subscription/%24get-ws-binding-token?id=abc123",
  "instance level": "Subscription/abc123/$get-ws-binding-token",
  "instance level, %24": "Subscription/abc123/%24get-ws-binding-token",
};
const METHODS: Readonly<Record<string, RequestInit>> = {
  GET: {},
  HEAD: { method: "HEAD" },
  "POST without a body": { method: "POST" },
  "POST with an empty body": { method: "POST", body: "" },
};

for (const base of BASES) {
  for (const [level, tail] of Object.entries(TAILS)) {
    for (const [method, init] of Object.entries(METHODS)) {
      test(`handleGetWsBindingToken answers ${method} at ${level} below ${base}`, async () => {
        const host = makeHost({ base });
        const response = await call(host, tail, init);
        assertEquals(response.status, 200);
        assertEquals(response.headers.get("content-type"), "application/fhir+json; charset=utf-8");
        assertEquals(response.headers.get("cache-control"), "no-store");
        if (method === "HEAD") assertEquals(await response.text(), "");
        else assertEquals((await readAnswer(response)).subscriptions, ["abc123"]);
        assertEquals(host.reads.map(({ id }) => id), ["abc123"]);
        assertEquals(host.grants.length, method === "HEAD" ? 0 : 1);
      });
    }
  }
}

test("handleGetWsBindingToken answers by its own base whatever host and path the request came to", async () => {
  const host = makeHost({ base: "https://public.example.org/fhir" });
  const request = new Request("http://10.0.0.7:8080/internal/Subscription/abc123/$get-ws-binding-token");
  await readAnswer(await handleGetWsBindingToken(request, host.ctx));
  assertEquals(host.grants[0]?.audience, "https://public.example.org/fhir");
});

const OTHER_PATHS = [
  "",
  "Subscription",
  "Subscription/abc123",
  "Subscription/$get-ws-binding-token/",
  "Subscription/$get-ws-binding-tokens",
  "Subscription/get-ws-binding-token",
  "Subscription/$GET-WS-BINDING-TOKEN",
  "Subscription/%2524get-ws-binding-token",
  "Subscription//$get-ws-binding-token",
  "Subscription/abc123/$events",
  "Subscription/abc123/_history/1/$get-ws-binding-token",
  "Patient/abc123/$get-ws-binding-token",
  "Patient/$get-ws-binding-token",
  "subscription/$get-ws-binding-token",
  "MySubscription/$get-ws-binding-token",
  "$get-ws-binding-token",
  "?Subscription/$get-ws-binding-token",
  "#/Subscription/$get-ws-binding-token",
  "x?y=/Subscription/$get-ws-binding-token",
];
for (const path of OTHER_PATHS) {
  test(`handleGetWsBindingToken answers 404 at "${path}", where isBindingTokenRequest is false`, async () => {
    const host = makeHost();
    assertFalse(isBindingTokenRequest(new Request(`${host.ctx.base}/${path}`)));
    for (const method of ["GET", "POST", "DELETE"]) {
      await assertRefused(await call(host, path, { method }), 404, "not-found", "Not found");
    }
    assertEquals(host.grants, []);
  });
}

test("isBindingTokenRequest looks at the path alone", () => {
  for (const base of BASES) {
    for (const tail of [...Object.values(TAILS), "Subscription/%ff/$get-ws-binding-token?id=/x#y/z"]) {
      for (const method of ["GET", "OPTIONS", "DELETE"]) {
        assert(isBindingTokenRequest(new Request(`${base}/${tail}`, { method })), `${method} ${base}/${tail}`);
      }
    }
  }
});

for (const method of ["PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "QUERY"]) {
  test(`handleGetWsBindingToken answers ${method} by 405 and Allow at both levels`, async () => {
    for (const target of [OPERATION, "Subscription/abc123/$get-ws-binding-token"]) {
      const host = makeHost({ authenticate: () => undefined });
      const response = await call(host, target, { method });
      assertEquals(response.headers.get("allow"), "GET, HEAD, POST");
      await assertRefused(response, 405, "not-supported");
    }
  });
}

/** The requests of a transcript: request line, headers, and after an empty line the body. */
function readTranscript(text: string, base: string): Request[] {
  return text.split(/^#.*$/m).map((part) => part.trim()).filter(Boolean).map((part) => {
    const [head = "", body] = part.split("\n\n");
    const [line = "", ...headers] = head.split("\n");
    const [method = "", target = ""] = line.split(" ");
    return new Request(target.replace("[base]", base), {
      method,
      headers: headers.map((header): [string, string] => {
        const [name = "", value = ""] = header.split(": ");
        return [name, value];
      }),
      ...(body !== undefined && { body }),
    });
  });
}

for (const version of FHIR_VERSIONS) {
  test(`handleGetWsBindingToken answers every published request form in ${version}`, async () => {
    const requests = readTranscript(await readFixture("requests/http-transcripts.txt"), baseOf(version));
    assertEquals(requests.length, 4);
    const known = ["abc123", "def456", "ABC123"].map((id) => websocketSubscription(id, version));
    const answers = [];
    for (const request of requests) {
      const { ctx } = makeHost({ fhirVersion: version, known });
      answers.push((await readAnswer(await handleGetWsBindingToken(request, ctx))).subscriptions);
    }
    assertEquals(answers, [["abc123", "def456"], ["abc123", "def456"], ["abc123"], ["ABC123"]]);
  });
}

test("handleGetWsBindingToken does every check for HEAD, and mints and reports nothing", async () => {
  const host = makeHost({ isEnabled: () => true, rateLimit: () => undefined });
  const get = await call(host);
  assertEquals(host.events.map(({ type }) => type), ["issued"]);
  const head = await call(host, undefined, { method: "HEAD" });
  assertEquals(host.events.length, 1);
  assertEquals(host.grants.length, 1);
  assertEquals(host.reads.length, 2);
  assertEquals(Object.fromEntries(head.headers), Object.fromEntries(get.headers));
  for (const url of ["ws://example.org/ws", "nonsense"]) {
    const broken = makeHost({ sockets: { websocketUrl: () => url } });
    assertEquals((await call(broken, undefined, { method: "HEAD" })).status, 503);
  }
});
