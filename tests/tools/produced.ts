// What the library and its demo say while tests run: the runner looks at all of it when they have ended, so that FHIR's
// schemas are read once and not by every file. Without the runner nothing is kept.

import { appendFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

/** One answer or frame, and the test file that saw it first. */
export interface Produced {
  readonly text: string;
  readonly file: string;
}

const folder = process.env.TEST_PRODUCED;
const known = new Set<string>();
/** What makes two texts differ that are alike: tokens, ids, numbers and times. */
const VARYING = /ey[\w-]+\.[\w-]+\.[\w-]+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d+/g;
const TEST = /tests\/[\w/]+\.test\.ts/;

/** Keeps an answer or a frame, unless it is not JSON or one like it was kept before. */
export function produced(text: unknown): void {
  if (folder === undefined || typeof text !== "string" || !text.startsWith("{")) return;
  const shape = text.replaceAll(VARYING, "0");
  if (known.has(shape)) return;
  known.add(shape);
  const [file = ""] = TEST.exec(new Error().stack ?? "") ?? TEST.exec(process.argv[1] ?? "") ?? [];
  const line: Produced = { text, file };
  appendFileSync(join(folder, `${process.pid}.jsonl`), `${JSON.stringify(line)}\n`);
}

/** Keeps the body of an answer, which can still be read. */
export async function producedBy(response: Response): Promise<Response> {
  if (folder !== undefined) produced(await response.clone().text());
  return response;
}
