import { test } from "node:test";
import { BindingError } from "@fhir-ws/binding";
import { assert, assertEquals } from "@std/assert";
import { ALICE, assertRefused, call, makeHost, readAnswer, WEBSOCKET_URL } from "./fake_host.ts";

test("handleGetWsBindingToken asks websocketUrl with request and caller", async () => {
  const asked: unknown[] = [];
  const websocketUrl = (request: Request, caller: unknown) => {
    asked.push(new URL(request.url).host, caller);
    return "wss://shard-7.example.org/ws?region=eu";
  };
  const answer = await readAnswer(await call(makeHost({ sockets: { websocketUrl } })));
  assertEquals(answer.websocketUrl, "wss://shard-7.example.org/ws?region=eu");
  assertEquals(asked, ["example.org", ALICE]);
});

test("handleGetWsBindingToken never takes websocket-url from the Host header", async () => {
  const headers = { host: "evil.example", "x-forwarded-host": "evil.example", forwarded: "host=evil.example" };
  assertEquals((await readAnswer(await call(makeHost(), undefined, { headers }))).websocketUrl, WEBSOCKET_URL);
});

const BAD_URLS: readonly unknown[] = [
  "",
  "/ws",
  "https://example.org/ws",
  "ws://example.org/ws",
  "nonsense",
  undefined,
];
for (const url of [...BAD_URLS, Promise.resolve("wss://example.org/ws"), new Promise(() => {})]) {
  test(`handleGetWsBindingToken answers 503 when websocketUrl gives ${String(url)}, and mints nothing`, async () => {
    const websocketUrl = (): string => url as string; // as a careless host would
    const host = makeHost({ sockets: { websocketUrl } });
    await assertRefused(await call(host), 503, "no-store");
    assertEquals(host.grants, []);
    const [failure] = host.events;
    assert(failure?.type === "error" && failure.during === "url" && failure.cause instanceof TypeError);
  });
}

for (const code of [undefined, "forbidden"] as const) {
  test(`handleGetWsBindingToken answers ${code ? 403 : 503} when websocketUrl throws ${code ?? "an Error"}`, async () => {
    const websocketUrl = (): never => {
      throw code ? new BindingError(code) : new Error("hunter2");
    };
    const response = await call(makeHost({ sockets: { websocketUrl } }));
    if (code) await assertRefused(response, 403, "forbidden");
    else await assertRefused(response, 503, "no-store", "The server cannot answer now");
  });
}
