import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { describe, it } from "node:test";
import { type Client, CLIENTS, connectClient } from "./client.ts";
import {
  CLOSE,
  closeOf,
  closePayload,
  connectRaw,
  frame,
  handshake,
  PING,
  PONG,
  type RawClient,
  TEXT,
} from "./raw_client.ts";
import type { ServerProcess } from "./runtimes.ts";
import { FRAME_SIZE, type SessionRecord } from "./stub_binder.ts";

/** What a runtime cannot do, each with the reason why. */
export interface AdapterLimits {
  readonly ping?: string;
  readonly terminate?: string;
  readonly unmasked?: string;
  readonly early?: string;
  readonly idle?: string;
}

/** A server under test. */
export interface AdapterTarget {
  readonly server: () => ServerProcess;
  readonly limits: AdapterLimits;
}

let keys = 0;

/** What every server adapter must do, seen from outside. */
export function adapterSuite({ server, limits }: AdapterTarget): void {
  /** A socket's URL, with a key that finds its record again. */
  function at(path: string, query: { readonly [name: string]: string } = {}): URL {
    const url = new URL(`/ws/${path}?${new URLSearchParams({ key: `k${keys++}`, ...query })}`, server().url);
    return url;
  }
  function client(url: URL, Kind?: (typeof CLIENTS)[string]): Client {
    return connectClient(new URL(url.href.replace("http:", "ws:")), Kind);
  }
  /** What the session saw, as soon as one of its counters has left 0. */
  async function record(url: URL, until?: "opened" | "closed" | "drained" | "alive" | "full"): Promise<SessionRecord> {
    const question = new URL("/record", url);
    question.searchParams.set("key", url.searchParams.get("key") ?? "");
    if (until !== undefined) question.searchParams.set("until", until);
    return await ask(question);
  }
  /** The end that every socket must come to, whatever was done to it. */
  async function assertEnded(url: URL): Promise<SessionRecord> {
    const seen = await record(url, "closed");
    assertEquals(
      { opened: seen.opened, closed: seen.closed, late: seen.late, afterwards: seen.afterwards },
      { opened: 1, closed: 1, late: 0, afterwards: "sent false, buffered 0" },
    );
    return seen;
  }
  async function assertStillServing(): Promise<void> {
    const { socket, opened, next, closed } = client(at("echo"));
    await opened;
    socket.send("still there?");
    assertEquals(await next(), "still there?");
    socket.close();
    await closed;
  }
  /** Sends bad frames to an open socket, and returns the close frame's code, if the server sent one. */
  async function provoke(...frames: readonly Uint8Array[]): Promise<number | undefined> {
    const url = at("echo");
    const raw = connectRaw(url);
    assertStringIncludes(await raw.head, " 101 ");
    raw.send(...frames);
    const answered = await raw.next();
    raw.socket.destroy();
    const { frames: seen } = await assertEnded(url);
    assertEquals(seen, []);
    return answered && closeOf(answered).code;
  }

  for (const [name, Kind] of Object.entries(CLIENTS)) {
    describe(`for ${name}`, () => {
      it("passes text on in order, whatever it holds", async () => {
        const url = at("echo");
        const { socket, opened, next, closed } = client(url, Kind);
        await opened;
        const texts = ["hello", "", "grüß 𝒢od \u0000", "x".repeat(FRAME_SIZE)];
        for (let number = 0; number < 200; number++) texts.push(`${number}`);
        for (const text of texts) socket.send(text);
        for (const text of texts) assertEquals(await next(), text);
        socket.close(1000);
        assertEquals((await closed).code, 1000);
        assertEquals((await assertEnded(url)).frames, texts);
      });

      it("passes a binary frame on with its own bytes only", async () => {
        const url = at("echo");
        const { socket, opened, next, closed } = client(url, Kind);
        await opened;
        socket.send(new Uint8Array([0, 1, 2, 255]).subarray(1, 3));
        assertEquals(await next(), "binary 0102");
        socket.close();
        await closed;
        await assertEnded(url);
      });

      it("sends from open() before it receives anything", async () => {
        const { socket, next, closed } = client(at("greet"), Kind);
        assertEquals(await next(), "hello");
        socket.close();
        await closed;
      });

      for (const code of [1000, 1001, 1003, 1008, 1009, 1011, 1013]) {
        it(`closes with ${code} and its reason`, async () => {
          const url = at("close", { code: `${code}`, reason: "because grüß" });
          assertEquals(await client(url, Kind).closed, { code, reason: "because grüß" });
          await assertEnded(url);
        });
      }

      it("closes from inside receive()", async () => {
        const url = at("close-later");
        const { socket, opened, closed } = client(url, Kind);
        await opened;
        socket.send("enough");
        assertEquals(await closed, { code: 1008, reason: "enough" });
        await assertEnded(url);
      });

      it("tells a client why it was closed though more of its frames were on their way", async () => {
        const url = at("close-later");
        const { socket, opened, closed } = client(url, Kind);
        await opened;
        for (let number = 0; number < 40; number++) socket.send(`${number}`);
        assertEquals(await closed, { code: 1008, reason: "0" });
        await assertEnded(url);
      });

      it("ends the session once when the client closes with a code and a reason of its own", async () => {
        const url = at("echo");
        const { socket, opened, closed } = client(url, Kind);
        await opened;
        socket.close(4001, "bye");
        assertEquals((await closed).code, 4001);
        await assertEnded(url);
      });

      it("refuses before the upgrade", async () => {
        const { opened, closed } = client(at("refuse"), Kind);
        assertEquals(await opened.then(() => "open", () => "refused"), "refused");
        await closed;
      });
    });
  }

  describe("the upgrade", () => {
    it("answers a refusal with its status, headers and body, then ends the connection", async () => {
      const raw = connectRaw(at("refuse"), handshake(at("refuse")));
      const head = await raw.head;
      assertMatch(head, /^HTTP\/1\.1 503 /);
      assertMatch(head, /^retry-after: 7$/im);
      assertMatch(head, /^set-cookie: a=1$/im);
      assertMatch(head, /^set-cookie: b=2$/im);
      raw.socket.end();
      assertStringIncludes(new TextDecoder().decode(await raw.rest), "grüß");
    });

    it("answers a refusal without a body", async () => {
      const raw = connectRaw(at("refuse-bare"));
      assertMatch(await raw.head, /^HTTP\/1\.1 403 /);
      raw.socket.end();
      assertEquals((await raw.rest).length, 0);
    });

    for (const path of ["throw", "reject"]) {
      it(`answers a bare 500 when admit() ${path}s`, async () => {
        const raw = connectRaw(at(path));
        assertMatch(await raw.head, /^HTTP\/1\.1 500 /);
        raw.socket.end();
        assertEquals((await raw.rest).length, 0);
        const { errors } = await ask(new URL("/totals", server().url));
        assert(errors.includes("the binder is broken"));
      });
    }

    it("asks the binder about plain requests, too", async () => {
      const response = await fetch(at("echo"));
      assertEquals([response.status, await response.text()], [426, ""]);
    });

    for (const [what, header] of [["a key", "Key"], ["a known version", "Version"]]) {
      it(`refuses a handshake without ${what}`, async () => {
        const url = at("echo");
        const value = header === "Version" ? "12" : "";
        const raw = connectRaw(url, handshake(url, { [`Sec-WebSocket-${header}`]: value }));
        assertMatch(await raw.head, /^HTTP\/1\.1 4\d\d /);
        raw.socket.destroy();
        assertEquals(await record(url), null);
      });
    }

    it("negotiates no compression", async () => {
      const url = at("echo");
      const raw = connectRaw(url, handshake(url, { "Sec-WebSocket-Extensions": "permessage-deflate" }));
      const head = await raw.head;
      assertStringIncludes(head, " 101 ");
      assert(!/^sec-websocket-extensions/im.test(head));
      raw.socket.destroy();
      await assertEnded(url);
    });

    it("loses no frame that comes before admit() has resolved", { skip: limits.early ?? false }, async () => {
      const url = at("slow");
      const first = handshake(url);
      const early = frame(TEXT, "early");
      const both = new Uint8Array([...first, ...early]);
      const raw = connectRaw(url, both);
      assertStringIncludes(await raw.head, " 101 ");
      raw.send(frame(TEXT, "late"));
      const seen = [await raw.next(), await raw.next()].map((got) => new TextDecoder().decode(got?.payload));
      assertEquals(seen, ["early", "late"]);
      raw.socket.destroy();
      await assertEnded(url);
    });

    it("survives clients that leave before admit() has resolved", async () => {
      const clients = Array.from({ length: 50 }, () => connectRaw(at("slow")));
      await Promise.all(
        clients.map(({ socket }, number) =>
          new Promise<void>((resolve) =>
            socket.once("connect", () => {
              setTimeout(() => {
                if (number % 2) socket.resetAndDestroy();
                else socket.destroy();
                resolve();
              }, 10);
            })
          )
        ),
      );
      await settled();
      await assertStillServing();
    });

    it("closes with 1011 when open() throws", async () => {
      assertEquals((await client(at("open-throws")).closed).code, 1011);
      await assertStillServing();
    });
  });

  describe("frames", () => {
    it("joins fragments with a ping between them", async () => {
      const url = at("echo");
      const raw = connectRaw(url);
      await raw.head;
      raw.send(
        frame(TEXT, "one ", { final: false }),
        frame(PING, "p"),
        frame(0, "two ", { final: false }),
        frame(0, "three"),
      );
      const seen = [await raw.next(), await raw.next()].map((
        got,
      ) => [got?.opcode, new TextDecoder().decode(got?.payload)]);
      assertEquals(seen, [[PONG, "p"], [TEXT, "one two three"]]);
      raw.socket.destroy();
      await assertEnded(url);
    });

    it("survives text that is not UTF-8", async () => {
      await provoke(frame(TEXT, new Uint8Array([0x61, 0xff, 0xfe])));
      await provoke(frame(TEXT, new Uint8Array([0xed, 0xa0, 0x80]))); // a lone surrogate
    });

    it("survives an unmasked frame", { skip: limits.unmasked ?? false }, async () => {
      await provoke(frame(TEXT, "hello", { masked: false }));
    });

    it("survives reserved bits, unknown opcodes and control frames that may not be", async () => {
      await provoke(frame(TEXT, "hello", { reserved: 0x40 }));
      await provoke(frame(3, "hello"));
      await provoke(frame(PING, new Uint8Array(126)));
      await provoke(frame(PING, "", { final: false }));
      await provoke(frame(0, "a continuation of nothing"));
      await provoke(frame(TEXT, "one", { final: false }), frame(TEXT, "two"));
    });

    it("survives every kind of close frame", async () => {
      await provoke(frame(CLOSE));
      await provoke(frame(CLOSE, new Uint8Array([3])));
      for (const code of [0, 999, 1000, 1004, 1005, 1006, 1015, 1016, 2999, 3000, 4999, 5000, 65535]) {
        await provoke(frame(CLOSE, closePayload(code, "x")));
      }
      await provoke(frame(CLOSE, new Uint8Array([3, 232, 0xff, 0xfe])));
    });

    it("ends an oversized frame with 1009, its end never coming or all of it there", async () => {
      for (const size of [FRAME_SIZE + 1, 65_536, 65_537, 1_000_000]) {
        const url = at("echo");
        const raw = connectRaw(url);
        await raw.head;
        raw.send(frame(TEXT, "x".repeat(size)));
        const got = await raw.next();
        assertEquals(got && [got.opcode, closeOf(got).code], [CLOSE, 1009], `${size} bytes`);
        raw.socket.destroy();
        assertEquals((await assertEnded(url)).frames, []);
      }
      const url = at("echo");
      const raw = connectRaw(url);
      await raw.head;
      raw.send(frame(TEXT, "x", { length: 2 ** 40 }));
      raw.socket.end();
      await assertEnded(url);
      raw.socket.destroy();
    });
  });

  describe("the end", () => {
    it("cuts a reason of more than 123 bytes between two characters", async () => {
      const url = at("close", { code: "1008", reason: `${"x".repeat(122)}ü${"x".repeat(100)}` });
      assertEquals(await client(url).closed, { code: 1008, reason: "x".repeat(122) });
      await assertEnded(url);
    });

    it("ends the session once after a reset in the middle of a frame", async () => {
      const url = at("echo");
      const raw = connectRaw(url);
      await raw.head;
      raw.send(frame(TEXT, "only the beginning", { length: 1000 }));
      await record(url, "opened");
      raw.reset();
      await assertEnded(url);
      await assertStillServing();
    });

    it("ends the session once after a FIN without a close frame", async () => {
      const url = at("echo");
      const raw = connectRaw(url);
      await raw.head;
      raw.socket.end();
      await assertEnded(url);
    });

    it("ends the session of a client that never answers the close frame", async () => {
      const url = at("close", { code: "1008", reason: "silence" });
      const raw = connectRaw(url);
      await raw.head;
      const got = await raw.next();
      assertEquals(got && [got.opcode, closeOf(got)], [CLOSE, { code: 1008, reason: "silence" }]);
      await assertEnded(url);
      raw.socket.destroy();
    });

    it("ends the session once when the client goes on after the close frame", async () => {
      const url = at("close-later");
      const raw = connectRaw(url);
      await raw.head;
      raw.send(...Array.from({ length: 20 }, (_, number) => frame(TEXT, `${number}`)), frame(PONG));
      const got = await raw.next();
      // Deno cuts the connection on the next frame, and what was sent last may be lost with it.
      if (got !== undefined) assertEquals([got.opcode, closeOf(got)], [CLOSE, { code: 1008, reason: "0" }]);
      raw.socket.destroy();
      await assertEnded(url);
    });

    it("ends the session once when the client answers no ping", { skip: limits.idle ?? false }, async () => {
      const url = at("idle");
      const raw = connectRaw(url);
      await raw.head;
      await record(url, "closed");
      await raw.rest;
      await assertEnded(url); // Deno tells of this end twice
    });

    for (const path of ["terminate", "terminate-at-once"]) {
      it(`${path} cuts the connection without a close frame`, { skip: limits.terminate ?? false }, async () => {
        const url = at(path);
        const raw = connectRaw(url);
        await raw.head;
        raw.send(frame(TEXT, "now"));
        assertEquals(await raw.next(), undefined);
        await assertEnded(url);
      });
    }

    it("survives 100 sockets that open and close at once", async () => {
      const clients = Array.from({ length: 100 }, () => client(at("echo")));
      await Promise.all(clients.map(async ({ socket, opened, closed }) => {
        await opened;
        socket.close();
        await closed;
      }));
      await settled();
    });

    it("survives 100 sockets that are reset right after their handshake", async () => {
      const clients: RawClient[] = Array.from({ length: 100 }, () => connectRaw(at("greet")));
      await Promise.all(clients.map(async ({ head, reset }) => {
        await head;
        reset();
      }));
      await settled();
      await assertStillServing();
    });
  });

  describe("flow", () => {
    it("tells how much waits, loses nothing of it and says when it has drained", async () => {
      const url = at("flood");
      const raw = connectRaw(url);
      await raw.head;
      raw.socket.pause();
      await record(url, "full");
      raw.socket.resume();
      let number = 0;
      for (;;) {
        const text = await nextMessage(raw);
        if (text.startsWith("full")) {
          assertEquals(text, `full after ${number}`);
          break;
        }
        assertEquals(text.slice(0, 8), `${number++}:`.padEnd(8, "x"));
        assertEquals(text.length, 65_536);
      }
      assert(number < 1000, "the buffer never filled");
      assertEquals(await nextMessage(raw), "drained");
      raw.socket.destroy();
      await assertEnded(url);
    });

    it("ends a session whose client has stopped to read and is reset", async () => {
      const url = at("flood");
      const raw = connectRaw(url);
      await raw.head;
      raw.socket.pause();
      await record(url, "full");
      raw.reset();
      await assertEnded(url);
      await assertStillServing();
    });

    it("ends a session that closes a client which has stopped to read", async () => {
      const url = at("flood-close");
      const raw = connectRaw(url);
      await raw.head;
      raw.socket.pause();
      await assertEnded(url);
      raw.socket.destroy();
    });

    it("ping() is answered by alive()", { skip: limits.ping ?? false }, async () => {
      const url = at("ping");
      const { socket, next, closed } = client(url);
      assertEquals(await next(), "alive");
      socket.close();
      await closed;
      assertEquals((await assertEnded(url)).alive, 1);
    });
  });

  it("leaves no session open", settled);

  /** Waits until every session that was opened has been closed. */
  async function settled(): Promise<void> {
    const { opened, closed } = await ask(new URL("/totals?settled", server().url));
    assertEquals(opened, closed);
  }
}

// deno-lint-ignore no-explicit-any -- the stub's own JSON
async function ask(url: URL): Promise<any> {
  return await (await fetch(url, { signal: AbortSignal.timeout(20_000) })).json();
}

/** The next message of a peer, which may send a protocol ping in between: RFC 6455 §5.5.2. */
async function nextMessage({ next }: RawClient): Promise<string> {
  let frame = await next();
  while (frame?.opcode === 9) frame = await next();
  return new TextDecoder().decode(frame?.payload);
}
