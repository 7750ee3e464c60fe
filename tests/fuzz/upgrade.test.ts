// Upgrade requests, whatever they say: to the binder, to the adapters' reading of node:http, and over the wire.

import { assert, assertEquals, assertFalse, assertLessOrEqual, assertMatch } from "@std/assert";
import fc from "fast-check";
import { after, before, describe, it } from "node:test";
import { closeFrame } from "../../adapters/server/guard.ts";
import { toRequest } from "../../adapters/server/node_request.ts";
import { connectRaw, handshake } from "../server/raw_client.ts";
import { currentRuntime, type ServerProcess, startServer } from "../server/runtimes.ts";
import { inHarness } from "../socket/harness.ts";
import { anyText, garbled, garbledAscii, runs } from "./any.ts";

const ORIGIN = "https://app.example.org";

describe("admit", () => {
  const anyUrl = fc.oneof(
    { weight: 4, arbitrary: fc.constant("https://example.org/ws") },
    garbled(fc.constantFrom("https://example.org/ws", "https://example.org/ws?token=x", "https://example.org/fhir/ws")),
  );
  const headers = fc.record({
    upgrade: fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom("websocket", "WebSocket") },
      garbledAscii(fc.constant("websocket")),
    ),
    origin: fc.oneof(fc.constantFrom(ORIGIN, "null"), garbledAscii(fc.constant(ORIGIN))),
    authorization: fc.oneof(fc.constantFrom("Basic good", "Basic bad"), garbledAscii(fc.constant("Basic good"))),
  }, { requiredKeys: [] });

  it("lets a request in or refuses it by a 4xx, whatever it says", async () => {
    const seen = new Set<number>();
    await fc.assert(
      fc.asyncProperty(anyUrl, headers, fc.boolean(), async (url, headers, listed) => {
        fc.pre(URL.canParse(url.toWellFormed()));
        const options = {
          tokenInUrl: true,
          origins: listed ? [ORIGIN] : (origin: string) => origin === ORIGIN,
          legacy: {
            authenticate: (request: Request) =>
              request.headers.get("authorization") === "Basic good" ? { id: "alice" } : undefined,
          },
        };
        await inHarness(options, async ({ binder, told }) => {
          const admission = await binder.admit(new Request(url.toWellFormed(), { headers }));
          const status = admission.refused?.status ?? 101;
          seen.add(status);
          assert([101, 401, 403, 404, 426].includes(status), `${status}`);
          if (status === 101) assert(headers.origin === undefined || headers.origin === ORIGIN);
          assertFalse(told.some(({ type }) => type === "error"));
          if (admission.refused !== undefined) {
            const { resourceType } = await admission.refused.json();
            assertEquals(resourceType, "OperationOutcome");
          }
        })();
      }),
      runs(500),
    );
    assertEquals([...seen].sort(), [101, 401, 403, 404, 426]);
  });
});

/** What llhttp lets through of a header's value, and more. */
const latin1 = fc.stringMatching(/^[\x20-\x7e\xa0-\xff]{0,3}$/);

describe("toRequest", () => {
  const target = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom("/ws", "/ws?a=b", "//evil.example/ws", "/\\evil.example", "*") },
    garbled(fc.constantFrom("/ws?a=b#c", "http://other.example:81/ws", "https://u:p@other.example/ws"), latin1),
  );
  const host = fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom("example.org", "example.org:8080", "[::1]:80", "") },
    garbled(fc.constantFrom("example.org:8080", "a@example.org", "example.org/x", "example.org?"), latin1),
  );
  const more = fc.array(fc.tuple(garbled(fc.constantFrom("x-a", ":path"), latin1), garbled(fc.constant("1"), latin1)), {
    maxLength: 3,
  });

  it("gives a URL of the host and the target that were asked for, or nothing", () => {
    let read = 0;
    fc.assert(
      fc.property(target, fc.option(host), more, fc.boolean(), (url, host, more, encrypted) => {
        const request = toRequest({
          method: "GET",
          url,
          rawHeaders: [...host === null ? [] : ["Host", host], ...more.flat()],
          httpVersionMajor: 1,
          readableEnded: true,
          socket: { encrypted },
          on() {},
          pause() {},
          resume() {},
        });
        if (request === undefined) return;
        read++;
        const [, authority, rest = url] = /^https?:\/\/([^/?]*)(.*)$/is.exec(url) ?? [];
        const { protocol, username, password, host: found, pathname } = new URL(request.url);
        const asked = new URL(`http${encrypted ? "s" : ""}://${authority ?? host?.trim() ?? "localhost"}`);
        assertEquals([protocol, found], [asked.protocol, asked.host]);
        assertEquals([username, password], ["", ""]);
        assertEquals(pathname, new URL(`${asked.origin}${rest}`).pathname);
      }),
      runs(2000),
    );
    assert(read > 500);
  });
});

describe("closeFrame", () => {
  it("makes of any code and reason what every runtime can send", () => {
    fc.assert(
      fc.property(
        fc.option(fc.integer({ min: -1, max: 70_000 }), { nil: undefined }),
        fc.array(anyText),
        (code, parts) => {
          const reason = parts.join("");
          const [sent, told] = closeFrame(code, reason);
          assert(sent === 1000 || (sent >= 1001 && sent <= 1013 && ![1004, 1005, 1006].includes(sent)));
          const bytes = new TextEncoder().encode(told);
          assertLessOrEqual(bytes.length, 123);
          assert(reason.toWellFormed().startsWith(told.toWellFormed()), "it begins as it was given");
        },
      ),
      runs(500),
    );
  });
});

const RUNTIME = currentRuntime();

describe(`server/${RUNTIME} over the wire`, () => {
  let server: ServerProcess;
  before(async () => {
    server = await startServer(RUNTIME);
  });
  after(async () => assertEquals(await server.stop(), undefined, server.stderr()));

  async function totals(): Promise<{ opened: number; closed: number; errors: string[] }> {
    return await (await fetch(new URL("/totals?settled", server.url))).json();
  }

  it("answers nearly a handshake by anything but a 500, lets its socket go, and goes on", async () => {
    const good = (): string => new TextDecoder().decode(handshake(new URL("/ws/echo", server.url)));
    const change = fc.array(
      fc.record({
        at: fc.nat({ max: 400 }),
        cut: fc.nat({ max: 4 }),
        put: fc.oneof(
          fc.constantFrom(
            "\r\n",
            "\n",
            ":",
            " ",
            "\0",
            "\xff",
            "%",
            "X-A: b\r\n",
            "Transfer-Encoding: chunked\r\n",
            "Content-Length: 5\r\n",
          ),
          latin1,
        ),
      }),
      { minLength: 1, maxLength: 3 },
    );
    let upgraded = 0;
    await fc.assert(
      fc.asyncProperty(change, async (changes) => {
        let text = good();
        for (const { at, cut, put } of changes) text = text.slice(0, at) + put + text.slice(at + cut);
        const raw = connectRaw(server.url, Uint8Array.from(text, (unit) => unit.charCodeAt(0)));
        // Whoever waits for the rest learns that there is none.
        raw.socket.on("connect", () => setTimeout(() => raw.socket.end(), 2));
        const head = await raw.head;
        raw.socket.destroy();
        if (head !== "") assertMatch(head, /^HTTP\/1\.[01] [1-5]\d\d/);
        assertFalse(/^HTTP\/1\.[01] 500/.test(head), head);
        if (/^HTTP\/1\.1 101/.test(head)) upgraded++;
      }),
      runs(150),
    );
    assert(upgraded > 10, `${upgraded} that were upgraded prove too little`);
    const { opened, closed, errors } = await totals();
    assertEquals([opened - closed, errors], [0, []]);
    assertEquals(server.stderr(), "");
  });
});
