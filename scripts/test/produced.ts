import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { judge } from "../../tests/conformance/judge.ts";
import { openSchemas } from "../../tests/conformance/schemas.ts";
import type { Produced } from "../../tests/tools/produced.ts";
import type { TestCase } from "./junit.ts";

const NAME = "every Parameters, OperationOutcome and notification is valid";

/** Where tests put what the library says, until it is judged. */
export interface Collection {
  /** What tells them. */
  readonly env: { readonly TEST_PRODUCED: string };
  /** One case for all of it, or one for each that is not valid. None when nothing was put there. */
  judge(): Promise<readonly TestCase[]>;
  remove(): Promise<void>;
}

export async function openCollection(): Promise<Collection> {
  const folder = await mkdtemp(join(tmpdir(), "fhir-ws-produced-"));
  return {
    env: { TEST_PRODUCED: folder },
    judge: async () => await judgeAll(await readAll(folder)),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** Each text once, whichever process has put it there. */
async function readAll(folder: string): Promise<readonly Produced[]> {
  const texts = new Map<string, Produced>();
  for (const name of (await readdir(folder)).sort()) {
    for (const line of (await readFile(join(folder, name), "utf8")).split("\n").filter(Boolean)) {
      const one: Produced = JSON.parse(line);
      texts.set(one.text, one);
    }
  }
  return [...texts.values()];
}

async function judgeAll(all: readonly Produced[]): Promise<readonly TestCase[]> {
  if (all.length === 0) return [];
  const schemas = await openSchemas();
  if (schemas.skip !== undefined) return [{ name: NAME, file: undefined, state: "skipped", reason: schemas.skip }];
  // One for each thing that is wrong, however often it was said.
  const failed = new Map<string, TestCase>();
  for (const { text, file } of all) {
    const wrong = (await judge(schemas, text)).join("; ");
    if (wrong === "" || failed.has(wrong)) continue;
    failed.set(wrong, { name: `${NAME}, but in ${file}: ${wrong}: ${withoutToken(text)}`, file, state: "failed" });
  }
  return failed.size > 0
    ? [...failed.values()]
    : [{ name: `${NAME}: ${all.length} texts`, file: undefined, state: "passed" }];
}

/** No output has a token in it, be it a test's. */
function withoutToken(text: string): string {
  return text.replace(/("name":"token","valueString":)"[^"]*"/, '$1"…"');
}
