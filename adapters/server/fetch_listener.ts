// From node:http to a Fetch handler and back.

import type { MaybePromise } from "../../src/types.ts";
import { type ErrorReporter, tell } from "./guard.ts";
import { type NodeRequest, toRequest } from "./node_request.ts";

/** As much of `http.ServerResponse` as is used. */
export interface NodeResponse {
  /** Status of the answer. */
  statusCode: number;
  /** Reason phrase, HTTP/1.1 alone. */
  statusMessage: string;
  /** Whether the head is on its way. */
  readonly headersSent: boolean;
  /** Whether everything was written. */
  readonly writableFinished: boolean;
  /** Whether the connection is gone. */
  readonly destroyed: boolean;
  /** Names of the headers set so far. */
  getHeaderNames(): readonly string[];
  /** Sets a header, repeated ones as a list. */
  setHeader(name: string, value: string | readonly string[]): unknown;
  /** Takes a header back. */
  removeHeader(name: string): void;
  /** Writes a part of the body; false when the buffer is full. */
  write(chunk: Uint8Array): boolean;
  /** Ends the body. */
  end(): unknown;
  /** Cuts the connection. */
  destroy(): unknown;
  /** Listens to an event. */
  on(event: string, listener: () => void): unknown;
  /** Stops listening. */
  off(event: string, listener: () => void): unknown;
}

/** Options of `fetchListener`. */
export interface FetchListenerOptions {
  /** Told when the handler throws, or its answer's body fails. What it throws is dropped. */
  readonly onError?: (cause: unknown) => void;
}

/**
 * Lets a Fetch handler serve `http.createServer`, or the compatible server of `node:http2`.
 *
 * Bodies stream both ways at the reader's pace. `request.signal` is aborted when the client leaves before it has the
 * whole answer. A handler that throws is answered by a 500 without a body, a request that Fetch cannot express by a 400.
 * What a handler leaves unread of a body is discarded by Node, for at most the server's `requestTimeout`.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { fetchListener } from "@fhir-ws/binding/server/node";
 *
 * const server = createServer(fetchListener((request) => new Response(new URL(request.url).pathname)));
 * await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
 * const address = server.address();
 * const port = typeof address === "object" ? address?.port : undefined;
 * const text = await (await fetch(`http://127.0.0.1:${port}/fhir`)).text();
 * server.close();
 * if (text !== "/fhir") throw new Error("unreachable");
 * ```
 */
export function fetchListener(
  handler: (request: Request) => MaybePromise<Response>,
  options: FetchListenerOptions = {},
): (incoming: NodeRequest, outgoing: NodeResponse) => void {
  const { onError } = options;
  return (incoming, outgoing) => {
    serve(incoming, outgoing, handler, onError).catch((cause) => {
      tell(onError, cause);
      outgoing.destroy();
    });
  };
}

async function serve(
  incoming: NodeRequest,
  outgoing: NodeResponse,
  handler: (request: Request) => MaybePromise<Response>,
  onError: ErrorReporter,
): Promise<void> {
  // Node ends the process over an error that nobody listens to; the close that follows tells all there is to do.
  incoming.on("error", ignore);
  outgoing.on("error", ignore);
  const gone = new AbortController();
  outgoing.on("close", () => outgoing.writableFinished || gone.abort());

  const body = hasBody(incoming) ? readBody(incoming) : undefined;
  const request = toRequest(incoming, { signal: gone.signal, ...body?.init });
  if (request === undefined) return sendBare(400, outgoing);
  try {
    await sendResponse(await handler(request), outgoing, request.method !== "HEAD", gone.signal);
  } catch (cause) {
    if (gone.signal.aborted) return; // whatever failed for that reason has no reader and is no news
    tell(onError, cause);
    if (outgoing.headersSent) outgoing.destroy(); // the client must not take half an answer for the whole
    else sendBare(500, outgoing);
  } finally {
    body?.discard(); // else what is left of it blocks the connection's next request
  }
}

// --- request ---

function hasBody({ method, rawHeaders, httpVersionMajor }: NodeRequest): boolean {
  if (method === "GET" || method === "HEAD") return false; // Fetch knows of none there
  if (httpVersionMajor > 1) return true; // it ends a stream without a body by itself
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]?.toLowerCase();
    if (name === "transfer-encoding" || (name === "content-length" && Number(rawHeaders[at + 1]) > 0)) return true;
  }
  return false;
}

interface RequestBody {
  readonly init: RequestInit & { readonly duplex: "half" };
  /** Nobody will read any more: lets the rest run past. Destroying it would take the answer's socket with it. */
  discard(): void;
}

function readBody(incoming: NodeRequest): RequestBody {
  let source: ReadableStreamDefaultController<Uint8Array> | undefined;
  let reading = false;
  function end(finish: (source: ReadableStreamDefaultController<Uint8Array>) => void): void {
    if (source !== undefined) finish(source);
    source = undefined;
  }
  function fail(reason: string): void {
    end((source) => source.error(new DOMException(reason, "AbortError")));
  }
  function discard(): void {
    fail("The answer is complete");
    incoming.resume();
  }
  function take(chunk: Uint8Array): void {
    // Not the Buffer itself: its slice() is not that of a Uint8Array.
    source?.enqueue(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    if (source !== undefined) incoming.pause();
  }
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      source = controller;
      incoming.on("close", () => fail("The client has left"));
    },
    pull: () => {
      if (reading) return void incoming.resume();
      reading = true;
      incoming.on("end", () => end((source) => source.close()));
      incoming.on("data", take); // this alone starts the flow
    },
    cancel: () => {
      source = undefined;
      incoming.resume();
    },
  }, { highWaterMark: 0 });
  return { init: { body, duplex: "half" }, discard };
}

// --- response ---

async function sendResponse(
  response: Response,
  outgoing: NodeResponse,
  withBody: boolean,
  gone: AbortSignal,
): Promise<void> {
  const reader = response.body?.getReader();
  if (reader === undefined) return sendHead(response, outgoing), void outgoing.end();
  gone.addEventListener("abort", () => abandon(reader));
  try {
    sendHead(response, outgoing);
    if (withBody && !gone.aborted) await copy(reader, outgoing);
    outgoing.end();
  } finally {
    abandon(reader);
  }
}

/** Ends a body that is read no further; what its source throws at that has no answer to go into. */
function abandon(reader: ReadableStreamDefaultReader<Uint8Array>): void {
  reader.cancel().catch(ignore);
}

async function copy(reader: ReadableStreamDefaultReader<Uint8Array>, outgoing: NodeResponse): Promise<void> {
  outgoing.write(new Uint8Array(0)); // sends the head: the first chunk may be long in coming
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    if (!outgoing.write(value)) await drained(outgoing);
  }
}

function sendHead({ status, statusText, headers }: Response, outgoing: NodeResponse): void {
  outgoing.statusCode = status;
  if (statusText !== "") outgoing.statusMessage = statusText;
  for (const [name, value] of headers) outgoing.setHeader(name, value);
  const cookies = headers.getSetCookie();
  if (cookies.length > 0) outgoing.setHeader("set-cookie", cookies);
}

function sendBare(status: number, outgoing: NodeResponse): void {
  for (const name of outgoing.getHeaderNames()) outgoing.removeHeader(name);
  outgoing.statusCode = status;
  outgoing.statusMessage = "";
  outgoing.end();
}

/** Resolves when there is room again, or nobody left to need it. */
function drained(outgoing: NodeResponse): Promise<void> {
  return new Promise((resolve) => {
    function done(): void {
      outgoing.off("drain", done);
      outgoing.off("close", done);
      resolve();
    }
    if (outgoing.destroyed) return resolve();
    outgoing.on("drain", done);
    outgoing.on("close", done);
  });
}

function ignore(): void {}
