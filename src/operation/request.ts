// What a request asks for. Everything here refuses by throwing a BindingError.

import { BindingError } from "../errors.ts";
import { isFhirJson, negotiate } from "../fhir/media_type.ts";
import { type AskedId, checkIds, readIdParameters } from "../fhir/parameters.ts";
import type { FhirVersion } from "../types.ts";

/** The method, level and query of a call. */
export interface OperationCall {
  readonly method: "GET" | "HEAD" | "POST";
  /** The id in the path, as text that nobody has checked; none at type level. */
  readonly instance: string | undefined;
  readonly query: URLSearchParams | undefined;
}

const PATH = /\/Subscription(?:\/([^/]+))?\/(?:\$|%24)get-ws-binding-token$/;

/**
 * Whether a request's path is the operation's, at type or instance level, below any base, with `$` or `%24`.
 *
 * @example
 * ```ts
 * import { isBindingTokenRequest } from "@fhir-ws/binding";
 *
 * const request = new Request("https://example.org/fhir/R4/Subscription/s1/$get-ws-binding-token");
 * if (!isBindingTokenRequest(request)) throw new Error("unreachable");
 * ```
 */
export function isBindingTokenRequest(request: Request): boolean {
  return PATH.test(splitUrl(request.url).path);
}

/** Fetch hands over serialised URLs, so that cutting them is enough and far cheaper than parsing them again. */
function splitUrl(url: string): { path: string; query: string } {
  const end = url.indexOf("#");
  const whole = end < 0 ? url : url.slice(0, end);
  const question = whole.indexOf("?");
  return question < 0
    ? { path: whole, query: "" }
    : { path: whole.slice(0, question), query: whole.slice(question + 1) };
}

/**
 * The call of a request.
 *
 * @throws {BindingError} `no-route`, `method-not-allowed`.
 */
export function readCall(request: Request): OperationCall {
  const { path, query } = splitUrl(request.url);
  const match = PATH.exec(path);
  if (match === null) throw new BindingError("no-route");
  const { method } = request;
  if (method !== "GET" && method !== "HEAD" && method !== "POST") throw new BindingError("method-not-allowed");
  return { method, instance: match[1], query: query === "" ? undefined : new URLSearchParams(query) };
}

/**
 * The media type to answer with.
 *
 * @throws {BindingError} `not-acceptable`.
 */
export function readAccept(request: Request, call: OperationCall, version: FhirVersion): string {
  const type = negotiate(request.headers.get("accept"), call.query?.get("_format") ?? null, version);
  if (type === undefined) throw new BindingError("not-acceptable");
  return type;
}

/**
 * The ids that are asked for, without repetition; none at type level means: all of the caller's. At instance level the
 * path alone counts, but a body must still be one that could be read.
 *
 * @param body What `readBody` gave.
 * @throws {BindingError} `invalid-body`, `invalid-id`, `too-many-ids`.
 */
export function readIds(call: OperationCall, body: unknown, maxIds: number): readonly AskedId[] {
  if (call.instance !== undefined) {
    requireParameters(body);
    return checkIds([{ id: decode(call.instance) }]);
  }
  const ids = new Map<string, AskedId>();
  for (const asked of body === undefined ? readQuery(call) : readIdParameters(body)) {
    if (!ids.has(asked.id)) ids.set(asked.id, asked);
  }
  if (ids.size > maxIds) throw new BindingError("too-many-ids");
  return [...ids.values()];
}

/** Ids in a query: https://hl7.org/fhir/operations.html#request */
function readQuery(call: OperationCall): AskedId[] {
  return checkIds((call.query?.getAll("id") ?? []).map((id) => ({ id, expression: "http.id" })));
}

/** The values of `id` are not looked at here, whatever they are. */
function requireParameters(body: unknown): void {
  if (body === undefined) return;
  try {
    readIdParameters(body);
  } catch (error) {
    if (error instanceof BindingError && error.code === "invalid-id") return;
    throw error;
  }
}

function decode(segment: string): string | undefined {
  if (!segment.includes("%")) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined; // not UTF-8, hence no FHIR id
  }
}

/**
 * The JSON of a body, `undefined` when it is empty, of whatever type then.
 *
 * @throws {BindingError} `unsupported-media-type`, `body-too-large`, `invalid-body`.
 */
export async function readBody(request: Request, maxBodySize: number, version: FhirVersion): Promise<unknown> {
  if (request.bodyUsed) throw new TypeError("Cannot read the body: it was read before");
  if (request.body === null) return undefined;
  const isAnnouncedTooLarge = Number(request.headers.get("content-length") ?? 0) > maxBodySize;
  if (isAnnouncedTooLarge) {
    requireJson(request.headers, version);
    throw new BindingError("body-too-large"); // and nothing of it was read
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunksOf(request.body)) {
    if (chunk.byteLength === 0) continue;
    if (size === 0) requireJson(request.headers, version); // an empty body may be of any type
    size += chunk.byteLength;
    if (size > maxBodySize) throw new BindingError("body-too-large");
    chunks.push(chunk);
  }
  return size === 0 ? undefined : parseJson(chunks, size);
}

function requireJson(headers: Headers, version: FhirVersion): void {
  if (!isFhirJson(headers.get("content-type") ?? "", version)) throw new BindingError("unsupported-media-type");
}

/** Leaving the loop early cancels the stream: nothing more of a refused body is read. */
async function* chunksOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  try {
    while (true) {
      const { done, value } = await reader.read().catch(() => {
        throw new BindingError("invalid-body"); // the client went away, or sent what its framing forbids
      });
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {}); // nobody is left who could use the reason
  }
}

function parseJson(chunks: readonly Uint8Array[], size: number): unknown {
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.byteLength;
  }
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new BindingError("invalid-body"); // the parser's message would quote the body
  }
}
