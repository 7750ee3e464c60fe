// What a request asks for. Everything here refuses by throwing a BindingError.

import { BindingError } from "../errors.ts";
import { isFhirId } from "../fhir/json.ts";
import { isFhirJson, negotiate } from "../fhir/media_type.ts";
import { type AskedId, type AskedValue, readParameters, valueError } from "../fhir/parameters.ts";
import { askHost, type Host } from "../host.ts";
import type { BindingTokenContext, Caller, FhirVersion } from "../types.ts";

/** The method, level and query of a call. */
export interface OperationCall {
  readonly method: "GET" | "HEAD" | "POST";
  /** The id in the path, as text that nobody has checked; none at type level. */
  readonly instance: string | undefined;
  readonly query: URLSearchParams | undefined;
}

/** Bytes of a body, unless the host says otherwise. */
const MAX_BODY_SIZE = 65536;

/** What `id` may be given as; older drafts of the IG had `valueString`. */
const ID_TYPES = ["valueId", "valueString"];

/** Whether a request's path ends like this. */
export function hasPath(request: Request, path: RegExp): boolean {
  return path.test(splitUrl(request.url).path);
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
 * The call of a request to such a path, whose first group is the instance.
 *
 * @throws {BindingError} `no-route`, `method-not-allowed`.
 */
export function readCall(request: Request, pattern: RegExp): OperationCall {
  const { path, query } = splitUrl(request.url);
  const match = pattern.exec(path);
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
 * Who asks.
 *
 * @throws {BindingError} `login-required`, `login-refused`, `forbidden`, `unavailable`.
 */
export async function authenticate(
  request: Request,
  ctx: Host & Pick<BindingTokenContext, "authenticate">,
): Promise<Caller> {
  const caller = await askHost(ctx, "authenticate", () => ctx.authenticate(request));
  if (caller) return caller;
  throw new BindingError(request.headers.has("authorization") ? "login-refused" : "login-required");
}

/**
 * The id in the path. Of a body only that it could be read counts here.
 *
 * @throws {BindingError} `invalid-body`, `invalid-id`.
 */
export function readInstance(instance: string, body: unknown): string {
  if (body !== undefined) readParameters(body, "id", ID_TYPES);
  const id = decode(instance);
  if (!isFhirId(id)) throw new BindingError("invalid-id");
  return id;
}

/**
 * The ids that are asked for, without repetition; none at type level means: all of the caller's. At instance level the
 * path alone counts.
 *
 * @param body What `readBody` gave.
 * @throws {BindingError} `invalid-body`, `invalid-id`, `too-many-ids`.
 */
export function readIds(call: OperationCall, body: unknown, maxIds: number): readonly AskedId[] {
  if (call.instance !== undefined) return [{ value: readInstance(call.instance, body) }];
  const asked = readValues(call, body, "id", ID_TYPES);
  if (!asked.every(isAskedId)) throw valueError("invalid-id", asked.filter((one) => !isAskedId(one)));
  const ids = new Map<string, AskedId>();
  for (const one of asked) {
    if (!ids.has(one.value)) ids.set(one.value, one);
  }
  if (ids.size > maxIds) throw new BindingError("too-many-ids");
  return [...ids.values()];
}

function isAskedId(asked: AskedValue): asked is AskedId {
  return isFhirId(asked.value);
}

/**
 * The values of a parameter: of the body when there is one, else of the query
 * (https://hl7.org/fhir/operations.html#request).
 *
 * @param types The `value[x]` that it may be given as.
 * @throws {BindingError} `invalid-body`.
 */
export function readValues(
  call: OperationCall,
  body: unknown,
  name: string,
  types: readonly string[],
): readonly AskedValue[] {
  if (body !== undefined) return readParameters(body, name, types);
  const expression = `http.${name}`;
  return (call.query?.getAll(name) ?? []).map((value) => ({ value, expression }));
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
 * The JSON of a POST's body, `undefined` when it is empty, of whatever type then.
 *
 * @throws {BindingError} `unsupported-media-type`, `body-too-large`, `invalid-body`.
 */
export async function readBody(
  request: Request,
  { fhirVersion: version, maxBodySize = MAX_BODY_SIZE }: Pick<BindingTokenContext, "fhirVersion" | "maxBodySize">,
): Promise<unknown> {
  if (request.method !== "POST") return undefined;
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
