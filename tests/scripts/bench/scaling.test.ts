import { test } from "node:test";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { drawChart } from "../../../scripts/bench/scaling/chart.ts";
import type { Kind, Point } from "../../../scripts/bench/scaling/point.ts";
import type { Scaling } from "../../../scripts/bench/scaling/scaling.ts";
import { formatScaling } from "../../../scripts/bench/scaling/table.ts";

const SCALING: Scaling = new Map<Kind, ReadonlyMap<number, Point>>([
  ["calls", new Map([[100, { call: 15.24, wideCall: 1.31 }], [1000, { call: 14.8, wideCall: 1.28 }]])],
  ["one", new Map([[100, { bind: 17.1, frame: 0.298, event: 0.3, memory: 1466.4 }]])],
  ["many", new Map([[100, { bind: 18.2, frame: 1.35, event: 17.2, memory: 2757 }]])],
]);

test("formatScaling has a row per size, both ways of a figure, and dashes for what was not measured", () => {
  const [, , hundred = "", thousand = ""] = formatScaling(SCALING).split("\n");
  assertStringIncludes(hundred, "| 100 | 15 | 1.3 | 17 / 18 | 0.30 / 1.4 | 17 | 1,466 / 2,757 | – | – |");
  assertStringIncludes(thousand, "| 1,000 | 15 | 1.3 | – | – | – | – | – | – |");
});

test("drawChart draws within its picture, and says in words what it shows", () => {
  const chart = drawChart(SCALING, "a < b");
  assertMatch(chart, /<title id="title">.+<\/title>\n<desc id="desc">.*token call: 15\.2 at 100, 14\.8 at 1000/);
  assertStringIncludes(chart, "a &lt; b");
  assert(!chart.includes("NaN"));
  const [, width = "", height = ""] = /viewBox="0 0 (\d+) (\d+)"/.exec(chart) ?? [];
  for (const [, x, y] of chart.matchAll(/ (?:cx|x)="([\d.]+)" (?:cy|y)="([\d.]+)"/g)) {
    assert(Number(x) <= Number(width) && Number(y) <= Number(height), `${x}, ${y}`);
  }
  assertEquals(chart.match(/<circle/g)?.length, 8);
});
