import { test } from "node:test";
import { assertEquals, assertObjectMatch } from "@std/assert";
import { parseOptions } from "../../../scripts/soak/options.ts";

test("parseOptions reads fractions of minutes, sockets and the seed", () => {
  const options = parseOptions(["--minutes", "0.5", "--sockets", "20", "--seed", "7"]);
  assertEquals(options, { minutes: 0.5, sockets: 20, seed: 7 });
});

test("parseOptions soaks for one minute with 2,000 sockets unless told otherwise", () => {
  assertObjectMatch(parseOptions([]) as object, { minutes: 1, sockets: 2000 }); // neither help nor a mistake
});

for (const args of [["--minutes", "0"], ["--minutes", "x"], ["--sockets", "1"], ["--seed", "a"], ["--nope"], ["1"]]) {
  test(`parseOptions refuses ${args.join(" ")}`, () => {
    assertEquals(Object.keys(parseOptions(args)), ["mistake"]);
  });
}
