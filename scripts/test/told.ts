import { stripVTControlCharacters } from "node:util";
import type { TestCase } from "./junit.ts";

const NAME = "no token and no key stands in what the tests print, throw and report";

/** How secrets look, whoever has written them down. */
const SECRETS: Readonly<Record<string, RegExp>> = {
  "a JWT": /eyJ[\w-]{8,}\.eyJ[\w-]{8,}/,
  "the claims of a binding token": /eyJpc3MiOi[\w-]{20,}/,
  "an opaque token": /(?<![\w-])(?=[\w-]{43}(?![\w-]))(?=(?:[\w-]*[A-Z]){5})(?=(?:[\w-]*[a-z]){5})[\w-]*\d/,
  "the private part of a JWK": /(?<![\w$])(?:d|k|p|q|dp|dq|qi)["']?\s*:\s*["'][\w-]{20,}/,
  "a key in PEM": /PRIVATE KEY-----/,
  "the bytes of a secret": /Uint8Array\(\d+\) \[\s*\d+,/,
};

/** Copies a stream to another as it comes, until its end or until it is told to stop, and gives its text. */
export async function overhear(
  from: ReadableStream<Uint8Array<ArrayBuffer>>,
  to: WritableStream<Uint8Array<ArrayBuffer>>,
  signal: AbortSignal,
): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  const ear = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform(chunk, controller) {
      text += decoder.decode(chunk, { stream: true });
      controller.enqueue(chunk);
    },
  });
  try {
    await from.pipeThrough(ear).pipeTo(to, { preventClose: true, preventAbort: true, signal });
  } catch (cause) {
    if (!signal.aborted) throw cause; // a process that a test has left behind may hold the stream open
  }
  return text;
}

/** Searches all that a suite has told; what is found is named, not repeated. */
export function findSecrets(told: string): readonly string[] {
  const text = stripVTControlCharacters(told);
  return Object.entries(SECRETS).flatMap(([what, pattern]) => {
    const at = text.search(pattern);
    return at < 0 ? [] : [`${what} in line ${text.slice(0, at).split("\n").length}`];
  });
}

/** One case for all of it. */
export function judgeTold(told: string): TestCase {
  const found = findSecrets(told);
  return found.length === 0
    ? { name: NAME, file: undefined, state: "passed" }
    : { name: `${NAME}, but ${found.join(", ")}`, file: undefined, state: "failed" };
}
