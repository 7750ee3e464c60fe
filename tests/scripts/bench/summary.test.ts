import { test } from "node:test";
import { assertEquals } from "@std/assert";
import type { CaseResult } from "../../../scripts/bench/result.ts";
import { formatSummary } from "../../../scripts/bench/summary.ts";

function ratio(name: string, median: number, pass: boolean): CaseResult {
  const spread = { median, min: median, max: median };
  const ratios = [
    { ...spread, against: "hand", kind: "speed" as const, target: 0.7, pass },
    { ...spread, against: "floor", kind: "speed" as const },
  ];
  return { name, title: `title of ${name}`, variants: {}, ratios };
}

function run(name: string, results: readonly CaseResult[]) {
  return { machine: { runtime: { name, version: "1.2" }, cpu: "2 × CPU", system: "linux x64" }, results };
}

test("formatSummary has a row per group, one for each other target, and bold figures for what was missed", () => {
  const [lookup, redeem] = [ratio("sqlite-lookup", 1.1, true), ratio("sqlite-redeem", 0.5, false)];
  const other: CaseResult = {
    name: "other",
    title: "something else",
    figures: [{ name: "of it", value: 0.5, unit: "% of it", atMost: 1, pass: true }],
  };
  const summary = formatSummary([run("Deno", [lookup, redeem, other]), run("Bun", [lookup])]);
  assertEquals(
    summary,
    `|  | target | Deno 1.2 | Bun 1.2 |
| --- | --- | --- | --- |
| SQLite lookup / redeem / append, against statements by hand | speed ≥ 0.7 | 1.10 / **0.50** | 1.10 / – |
| something else: of it | ≤ 1 % | 0.5 % | – |

Measured on 2 × CPU, linux x64.`,
  );
});
