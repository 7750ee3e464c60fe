import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { readLcov } from "../../scripts/test/lcov.ts";

test("readLcov counts the lines of each file, and names those that were never reached", () => {
  const report = [
    ...[
      "SF:/p/src/a.ts",
      "FN:1,a",
      "FNDA:1,a",
      "DA:1,2",
      "DA:2,0",
      "DA:3,0",
      "DA:12,7",
      "LH:2",
      "LF:4",
      "end_of_record",
    ],
    ...["SF:/p/src/b.ts", "BRDA:1,0,0,-", "DA:10,10", "LH:1", "LF:1", "end_of_record", ""],
  ].join("\n");
  assertEquals([...readLcov(report)], [
    ["/p/src/a.ts", { lines: 4, missed: [2, 3] }],
    ["/p/src/b.ts", { lines: 1, missed: [] }],
  ]);
  assertEquals(readLcov("").size, 0);
});
