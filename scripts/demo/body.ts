// Reading a body that nobody has checked, no further than its limit.

import { Refusal } from "./outcome.ts";

/** Bytes of a resource. */
const MAX_BODY = 1024 * 1024;
/** JSON may be nested deeper than a stack: what is read here has to be written again. */
const MAX_DEPTH = 100;

/**
 * The text of a body.
 *
 * @throws {Refusal} 413 beyond `limit` bytes, 400 for what is not UTF-8.
 */
export async function readText(request: Request, limit: number = MAX_BODY): Promise<string> {
  if (Number(request.headers.get("content-length") ?? 0) > limit) throw tooLarge();
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let size = 0;
  let text = "";
  try {
    for await (const chunk of chunksOf(request)) {
      size += chunk.byteLength;
      if (size > limit) throw tooLarge();
      text += decoder.decode(chunk, { stream: true });
    }
    return text + decoder.decode();
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal(400, "structure", "Cannot read the body: it is cut off or not UTF-8");
  }
}

/**
 * A JSON object.
 *
 * @throws {Refusal}
 */
export async function readJson(request: Request): Promise<Record<string, unknown>> {
  const text = await readText(request);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Refusal(400, "structure", "Cannot read the body: it is not JSON"); // the parser's text would quote it
  }
  if (!isObject(value)) throw new Refusal(400, "structure", "Cannot read the body: it is not a resource");
  if (isDeeper(value)) throw new Refusal(400, "structure", `Cannot read the body: it is nested beyond ${MAX_DEPTH}`);
  return value;
}

/** A JSON object, not an array. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Level by level, not by recursion. */
function isDeeper(value: unknown): boolean {
  let level = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) return true;
    level = level.flatMap((one) => typeof one === "object" && one !== null ? Object.values(one) : []);
  }
  return false;
}

/** Leaving the loop early cancels the stream: nothing more of a refused body is read. */
async function* chunksOf({ body }: Request): AsyncGenerator<Uint8Array> {
  const reader = body?.getReader();
  if (reader === undefined) return;
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
  } finally {
    reader.cancel().catch(() => {}); // nobody is left who could use the reason
  }
}

function tooLarge(): Refusal {
  return new Refusal(413, "too-costly", `Cannot read the body: it is too large`);
}
