import { execFile } from "node:child_process";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { assert } from "@std/assert";
import { executable } from "../../server/runtimes.ts";

const deno = executable("deno");
const skip = deno === undefined && !process.env.CI ? "no deno to start: TEST_DENO is not set" : false;

test("soak finds the events that a log has lost", { skip }, async () => {
  const script = fileURLToPath(new URL("lossy.ts", import.meta.url));
  const { stdout } = await promisify(execFile)(deno ?? "deno", [
    "run",
    "-A",
    "--v8-flags=--expose-gc",
    "--no-lock",
    script,
  ]);
  const violations: string[] = JSON.parse(stdout);
  assert(violations.some((what) => /^s\d+ jumps to event \d+, \d+ is missing/.test(what)), stdout);
});
