import { describe, it } from "node:test";
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openCollection } from "../../scripts/test/produced.ts";
import { openSchemas } from "../conformance/schemas.ts";
import type { Produced } from "../tools/produced.ts";

const skip = (await openSchemas()).skip ?? false;

function said(code: string, text: string): Produced {
  const outcome = { resourceType: "OperationOutcome", issue: [{ severity: "error", code, details: { text } }] };
  return { text: JSON.stringify(outcome), file: "tests/a.test.ts" };
}

/** What a runner tells of what was said, by each of some processes. */
async function judged(...processes: readonly (readonly Produced[])[]) {
  const collection = await openCollection();
  try {
    for (const [n, lines] of processes.entries()) {
      const text = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
      await writeFile(join(collection.env.TEST_PRODUCED, `${n}.jsonl`), text);
    }
    return await collection.judge();
  } finally {
    await collection.remove();
  }
}

describe("openCollection", { skip }, () => {
  it("tells nothing where nothing was said", async () => {
    assertEquals(await judged(), []);
  });

  it("passes one test where all that was said is valid, whichever process said it", async () => {
    const [passed, ...others] = await judged([said("value", "a"), said("value", "b")], [said("value", "a")]);
    assertEquals([passed?.state, others], ["passed", []]);
    assertMatch(passed?.name ?? "", /: 2 texts$/);
  });

  it("fails one test for each thing that is wrong, however often it was said", async () => {
    const cases = await judged([said("value", "a"), said("gone", "b"), said("gone", "c")], [said("value", "")]);
    assertEquals(cases.map(({ state }) => state), ["failed", "failed"]);
    assertMatch(cases[0]?.name ?? "", /tests\/a\.test\.ts: R4: \/issue\/0\/code must be equal/);
  });

  it("tells of no token", async () => {
    const answer = { resourceType: "Parameters", parameter: [{ name: "token", valueString: "secret" }, {}] };
    const [failed] = await judged([{ text: JSON.stringify(answer), file: "tests/a.test.ts" }]);
    assertStringIncludes(failed?.name ?? "", '{"name":"token","valueString":"…"}');
  });
});
