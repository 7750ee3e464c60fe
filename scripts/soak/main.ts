/**
 * Lets thousands of clients loose on a server and looks for what must never happen: `deno task soak [--minutes n]
 * [--sockets n] [--seed n]`. Exit codes: 0 when nothing did, 1 with a line for each violation, 2 for wrong options.
 *
 * @module
 */
import { HELP, parseOptions } from "./options.ts";
import { formatResult } from "./report.ts";
import { soak } from "./soak.ts";

/** Milliseconds in which the process has to end by itself: whatever keeps it has been left open. */
const PATIENCE = 15_000;

const options = parseOptions(Deno.args);
if (options === "help") console.log(HELP);
else if ("mistake" in options) {
  console.error(`${options.mistake}\n${HELP}`);
  Deno.exitCode = 2;
} else {
  console.log(
    `seed ${options.seed}, ${options.sockets} sockets, ${options.minutes} minutes, Deno ${Deno.version.deno}`,
  );
  const result = await soak(options);
  console.log(formatResult(result));
  Deno.exitCode = result.violations.length > 0 ? 1 : 0;
  Deno.unrefTimer(setTimeout(() => {
    console.log("VIOLATION: the process does not end: something is left open");
    Deno.exit(1);
  }, PATIENCE));
}
