import { assert, assertEquals, assertInstanceOf, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import { fetchListener, type NodeRequest, type NodeResponse } from "@fhir-ws/binding/server/node";
import { createServer } from "node:http";
import { connect as connectHttp2, createServer as createHttp2Server } from "node:http2";
import type { Server } from "node:net";
import { describe, it } from "node:test";
import { connectRaw } from "./raw_client.ts";
import { currentRuntime } from "./runtimes.ts";

type Handler = (request: Request) => Response | Promise<Response>;

interface Bridge {
  readonly url: URL;
  /** What `onError` was told. */
  readonly errors: unknown[];
}

/** Runs a test against a real server that is bridged to `handler`. */
async function withServer(handler: Handler, test: (bridge: Bridge) => Promise<void>): Promise<void> {
  const errors: unknown[] = [];
  const server = createServer(fetchListener(handler, { onError: (cause) => errors.push(cause) }));
  try {
    await test({ url: new URL(`http://127.0.0.1:${await listen(server)}/`), errors });
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      assert(address !== null && typeof address === "object");
      resolve(address.port);
    })
  );
}

function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** Sends a request as it is, and returns all that is answered until the server closes. */
async function exchange(url: URL, request: string): Promise<string> {
  const raw = connectRaw(url, bytes(request));
  const head = await raw.head;
  return `${head}\r\n\r\n${new TextDecoder().decode(await raw.rest)}`;
}

function get(path: string, ...headers: readonly string[]): string {
  return [`GET ${path} HTTP/1.1`, "Host: fhir.example.org", ...headers, "Connection: close", "", ""].join("\r\n");
}

/** A promise and how to resolve it. */
function gate<T = void>(): { readonly promise: Promise<T>; readonly open: (value: T) => void } {
  let open: (value: T) => void = () => {};
  const promise = new Promise<T>((resolve) => open = resolve);
  return { promise, open };
}

describe("fetchListener request", () => {
  it("has method, URL and headers, repeated ones included", async () => {
    const seen: unknown[] = [];
    await withServer((request) => {
      const { method, url, headers, body } = request;
      seen.push(method, url, headers.get("x-one"), headers.get("x-many"), headers.get("x-latin"), body);
      return new Response();
    }, async ({ url }) => {
      await exchange(
        url,
        get("/fhir/R4/a%20b?x=1&x=2", "X-One: 1", "x-many: a", "X-Many: b", "X-Latin: gr\u00fc\u00df"),
      );
    });
    assertEquals(seen, ["GET", "http://fhir.example.org/fhir/R4/a%20b?x=1&x=2", "1", "a, b", "grüß", null]);
  });

  const targets: readonly [what: string, start: string, host: string, url: string | 400][] = [
    ["a port", "GET /x HTTP/1.1", "Host: 127.0.0.1:8103", "http://127.0.0.1:8103/x"],
    ["an IPv6 address", "GET /x HTTP/1.1", "Host: [::1]:8103", "http://[::1]:8103/x"],
    ["no Host in HTTP/1.0", "GET /x HTTP/1.0", "X: y", "http://localhost/x"],
    ["two slashes at the start", "GET //evil.example.org/x HTTP/1.1", "Host: a", "http://a//evil.example.org/x"],
    ["an absolute target", "GET http://b/x?y HTTP/1.1", "Host: a", "http://b/x?y"],
    ["an absolute target without a path", "GET http://b?y HTTP/1.1", "Host: a", "http://b/?y"],
    ["a target that is no path", "OPTIONS * HTTP/1.1", "Host: a", 400],
    ["credentials in the target", "GET http://u:p@b/x HTTP/1.1", "Host: a", 400],
    ["a path in Host", "GET /x HTTP/1.1", "Host: a/b", 400],
    ["a query in Host", "GET /x HTTP/1.1", "Host: a?b", 400],
    ["a fragment in Host", "GET /x HTTP/1.1", "Host: a#b", 400],
    ["credentials in Host", "GET /x HTTP/1.1", "Host: u@a", 400],
    ["a backslash in Host", "GET /x HTTP/1.1", "Host: a\\b", 400],
    ["an empty Host", "GET /x HTTP/1.1", "Host: ", 400],
    ["a port that is none", "GET /x HTTP/1.1", "Host: a:b", 400],
    ["a method that Fetch forbids", "TRACE /x HTTP/1.1", "Host: a", 400],
  ];
  for (const [what, start, host, expected] of targets) {
    it(`with ${what} is ${expected}`, async () => {
      await withServer((request) => new Response(request.url), async ({ url, errors }) => {
        const answer = await exchange(url, [start, host, "Connection: close", "", ""].join("\r\n"));
        if (expected === 400) assertMatch(answer, /^HTTP\/1\.1 400 /);
        else assertStringIncludes(answer, expected);
        assertEquals(errors, []);
      });
    });
  }

  it("has an https URL when its socket is encrypted", async () => {
    const { promise, open } = gate<string>();
    const listener = fetchListener(({ url }) => {
      open(url);
      return new Response();
    });
    const incoming: NodeRequest = {
      method: "GET",
      url: "/x",
      rawHeaders: ["Host", "a"],
      httpVersionMajor: 1,
      readableEnded: true,
      socket: { encrypted: true },
      on() {},
      pause() {},
      resume() {},
    };
    listener(incoming, ignoringResponse());
    assertEquals(await promise, "https://a/x");
  });

  it("has a body that streams while the client still sends", async () => {
    await withServer((request) => new Response(request.body), async ({ url }) => {
      const raw = connectRaw(
        url,
        bytes("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n"),
      );
      await raw.head;
      assertEquals(await raw.line(), "3");
      assertEquals(await raw.line(), "one");
      raw.send(bytes("3\r\ntwo\r\n0\r\n\r\n"));
      assertEquals(await raw.line(), "3");
      assertEquals(await raw.line(), "two");
      assertEquals(await raw.line(), "0");
      raw.socket.destroy();
    });
  });

  it("has plain Uint8Array chunks", async () => {
    await withServer(async (request) => {
      const { value } = await request.body!.getReader().read();
      return new Response(`${value?.constructor === Uint8Array} ${value?.length}`);
    }, async ({ url }) => {
      assertEquals(await (await fetch(url, { method: "POST", body: "hello" })).text(), "true 5");
    });
  });

  it("has no body when its length is 0 or not told", async () => {
    await withServer((request) => new Response(`body ${request.body}`), async ({ url }) => {
      for (const header of ["Content-Length: 0", "X: y"]) {
        const post = `POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${header}\r\n\r\n`;
        assertStringIncludes(await exchange(url, post), "body null");
      }
    });
  });

  it("reads no faster than the handler does", async () => {
    const size = 64 * 1_048_576;
    const { promise, open } = gate();
    await withServer(async (request) => {
      const reader = request.body!.getReader();
      let total = 0;
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        total += part.value.byteLength;
        await promise;
      }
      return new Response(`${total}`);
    }, async ({ url }) => {
      const raw = connectRaw(
        url,
        bytes(`POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${size}\r\n\r\n`),
      );
      await new Promise<void>((resolve) => raw.socket.once("connect", resolve));
      let written = 0;
      function writeOn(): void {
        if (written < size) raw.socket.write(new Uint8Array(65_536), writeOn);
        written += 65_536;
      }
      writeOn();
      await standstill(() => written);
      assertLess(written, size / 2);
      open();
      await raw.head;
      assertStringIncludes(new TextDecoder().decode(await raw.rest), `${size}`);
    });
  });

  it("fails its body and aborts its signal when the client leaves in the middle", async () => {
    const { promise, open } = gate<string>();
    await withServer(async (request) => {
      const failed = await request.text().then(() => "complete", (error) => error.name);
      open(`${failed} ${request.signal.aborted}`);
      return new Response();
    }, async ({ url, errors }) => {
      const raw = connectRaw(url, bytes("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf"));
      raw.socket.once("connect", () => setTimeout(() => raw.reset(), 20));
      assertEquals(await promise, "AbortError true");
      assertEquals(errors, []);
    });
  });

  it("fails a body that is read only after the client has left", async () => {
    const { promise, open } = gate<string>();
    await withServer(async (request) => {
      await new Promise((resolve) => request.signal.addEventListener("abort", resolve));
      open(await request.text().then(() => "complete", (error) => error.name));
      return new Response();
    }, async ({ url }) => {
      const raw = connectRaw(url, bytes("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf"));
      raw.socket.once("connect", () => setTimeout(() => raw.reset(), 20));
      assertEquals(await promise, "AbortError");
    });
  });
});

describe("fetchListener answer", () => {
  it("has status, status text, headers and each set-cookie", async () => {
    await withServer(() =>
      new Response("grüß", {
        status: 422,
        statusText: "No Way",
        headers: [["set-cookie", "a=1"], ["set-cookie", "b=2"], ["x-many", "1"], ["x-many", "2"], [
          "x-latin",
          "\u00fc",
        ]],
      }), async ({ url }) => {
      const raw = connectRaw(url, bytes(get("/")));
      const head = await raw.head;
      assertMatch(head, /^HTTP\/1\.1 422 No Way\r\n/);
      assertMatch(head, /^set-cookie: a=1\r\nset-cookie: b=2\r?$/im);
      assertMatch(head, /^x-many: 1, 2\r?$/im);
      assertMatch(head, /^x-latin: \u00fc\r?$/im);
      assertStringIncludes(new TextDecoder().decode(await raw.rest), "grüß");
    });
  });

  for (const status of [200, 204, 304]) {
    it(`${status} without a body ends`, async () => {
      await withServer(() => new Response(null, { status }), async ({ url }) => {
        const answer = await exchange(url, get("/"));
        assertMatch(answer, new RegExp(`^HTTP/1.1 ${status} `));
        assertEquals(answer.split("\r\n\r\n")[1], "");
      });
    });
  }

  it("to HEAD has the headers but not the body, which is cancelled", async () => {
    const { promise, open } = gate();
    await withServer(() => {
      const body = new ReadableStream({ cancel: () => open() }, { highWaterMark: 0 });
      return new Response(body, { headers: { "content-length": "7", "x-a": "b" } });
    }, async ({ url }) => {
      const answer = await exchange(url, get("/").replace("GET", "HEAD"));
      assertMatch(answer, /^content-length: 7\r?$/im);
      assertMatch(answer, /^x-a: b\r?$/im);
      assertEquals(answer.split("\r\n\r\n")[1], "");
      await promise;
    });
  });

  const heldBack = currentRuntime() === "bun" && "node:http of Bun holds the head back until the first byte";
  it("streams: the head comes before the first chunk, each chunk before the next", { skip: heldBack }, async () => {
    let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
    const body = new ReadableStream<Uint8Array>({ start: (given) => void (controller = given) });
    await withServer(() => new Response(body), async ({ url }) => {
      const raw = connectRaw(url, bytes(get("/")));
      assertMatch(await raw.head, /^HTTP\/1\.1 200 /);
      for (const text of ["one", "second"]) {
        controller?.enqueue(bytes(text));
        assertEquals(await raw.line(), text.length.toString(16));
        assertEquals(await raw.line(), text);
      }
      controller?.close();
      assertEquals(await raw.line(), "0");
    });
  });

  it("is read no faster than the client reads, and cancelled when it leaves", async () => {
    const chunk = new Uint8Array(1_048_576);
    const cancelled = gate();
    let pulled = 0;
    let aborted: AbortSignal | undefined;
    await withServer((request) => {
      aborted = request.signal;
      return new Response(
        new ReadableStream({
          pull(controller) {
            pulled++;
            controller.enqueue(chunk);
          },
          cancel: () => cancelled.open(),
        }),
      );
    }, async ({ url, errors }) => {
      const raw = connectRaw(url, bytes(get("/")));
      await raw.head;
      raw.socket.pause();
      await standstill(() => pulled);
      assertLess(pulled, 100);
      raw.reset();
      await cancelled.promise;
      assert(aborted?.aborted);
      assertEquals(errors, []);
    });
  });

  it("aborts the signal of a handler that still thinks when the client leaves", async () => {
    const { promise, open } = gate();
    await withServer((request) => {
      return new Promise((resolve) =>
        request.signal.addEventListener("abort", () => {
          open();
          resolve(new Response("nobody reads this"));
        })
      );
    }, async ({ url, errors }) => {
      const raw = connectRaw(url, bytes(get("/")));
      raw.socket.once("connect", () => setTimeout(() => raw.socket.destroy(), 20));
      await promise;
      assertEquals(errors, []);
    });
  });

  it("that is complete does not abort the signal", async () => {
    let signal: AbortSignal | undefined;
    await withServer((request) => {
      signal = request.signal;
      return new Response("all of it");
    }, async ({ url }) => {
      assertStringIncludes(await exchange(url, get("/")), "all of it");
      assertEquals(signal?.aborted, false);
    });
  });

  const bodies: readonly [what: string, handler: Handler][] = [
    ["nothing", () => new Response("done")],
    ["a part, then cancels", async (request) => {
      const reader = request.body!.getReader();
      await reader.read();
      await reader.cancel();
      return new Response("done");
    }],
    ["a part, then stops", async (request) => {
      await request.body!.getReader().read();
      return new Response("done");
    }],
    ["all", async (request) => {
      await request.arrayBuffer();
      return new Response("done");
    }],
  ];
  for (const [what, handler] of bodies) {
    it(`leaves the connection usable when the handler reads of a body ${what}`, async () => {
      const size = 4 * 1_048_576;
      await withServer(
        (request) => request.method === "GET" ? new Response("next") : handler(request),
        async ({ url }) => {
          const post = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n${"x".repeat(size)}`;
          const answer = await exchange(url, post + get("/"));
          assertMatch(answer, /^HTTP\/1\.1 200 [^]*done[^]*HTTP\/1\.1 200 [^]*next/);
        },
      );
    });
  }
});

describe("fetchListener over HTTP/2", () => {
  it("has the authority as its host, and bodies both ways", async () => {
    const server = createHttp2Server(fetchListener(async (request) => {
      const headers: [string, string][] = [["set-cookie", "a=1"], ["set-cookie", "b=2"]];
      return new Response(`${request.method} ${request.url} ${await request.text()}`, { status: 201, headers });
    }));
    const port = await listen(server);
    const client = connectHttp2(`http://127.0.0.1:${port}`);
    try {
      const stream = client.request({ ":method": "POST", ":path": "/fhir?x=1" });
      stream.end("hello");
      const head = await new Promise<Record<string, unknown>>((resolve) => stream.once("response", resolve));
      assertEquals([head[":status"], head["set-cookie"]], [201, ["a=1", "b=2"]]);
      let text = "";
      for await (const chunk of stream) text += chunk;
      assertEquals(text, `POST http://127.0.0.1:${port}/fhir?x=1 hello`);
    } finally {
      client.destroy();
      await new Promise((resolve) => server.close(resolve));
    }
  });
});

describe("fetchListener failure", () => {
  const used = new Response("used");
  const broken: readonly [what: string, handler: Handler][] = [
    ["throws", () => {
      throw new Error("secret");
    }],
    ["rejects", () => Promise.reject(new Error("secret"))],
    ["returns nothing", () => undefined as unknown as Response],
    ["returns a network error", () => Response.error()],
    ["returns a body that is being read", () => {
      used.body?.getReader();
      return used;
    }],
  ];
  for (const [what, handler] of broken) {
    it(`is a bare 500 when the handler ${what}`, async () => {
      await withServer(handler, async ({ url, errors }) => {
        const answer = await exchange(url, get("/"));
        assertMatch(answer, /^HTTP\/1\.1 500 /);
        assert(!answer.includes("secret"));
        assertEquals(answer.split("\r\n\r\n")[1], "");
        assertEquals(errors.length, 1);
        assertInstanceOf(errors[0], Error);
      });
    });
  }

  it("cuts the connection when it comes in the middle of the answer", async () => {
    const arrived = gate();
    await withServer(() => {
      let pulls = 0;
      return new Response(
        new ReadableStream({
          async pull(controller) {
            if (pulls++ === 0) return controller.enqueue(bytes("half"));
            await arrived.promise;
            controller.error(new Error("the other half is lost"));
          },
        }),
      );
    }, async ({ url, errors }) => {
      const raw = connectRaw(url, bytes(get("/")));
      await raw.head;
      assertEquals([await raw.line(), await raw.line()], ["4", "half"]);
      arrived.open();
      assertEquals(await raw.line(), "", "it looked complete");
      assertEquals(errors.map(String), ["Error: the other half is lost"]);
    });
  });

  it("survives an onError that throws", async () => {
    const server = createServer(fetchListener(() => Promise.reject(new Error("one")), {
      onError: () => {
        throw new Error("two");
      },
    }));
    const url = new URL(`http://127.0.0.1:${await listen(server)}/`);
    assertMatch(await exchange(url, get("/")), /^HTTP\/1\.1 500 /);
    await new Promise((resolve) => server.close(resolve));
  });
});

/** Resolves when a count has not changed for a while. */
async function standstill(count: () => number): Promise<void> {
  for (let last = -1; last !== count();) {
    last = count();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function ignoringResponse(): NodeResponse {
  return {
    statusCode: 200,
    statusMessage: "",
    headersSent: false,
    writableFinished: true,
    destroyed: false,
    getHeaderNames: () => [],
    setHeader() {},
    removeHeader() {},
    write: () => true,
    end() {},
    destroy() {},
    on() {},
    off() {},
  };
}
