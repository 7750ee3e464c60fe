import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { parseOptions } from "../../../scripts/bench/options.ts";
import { formatSizing } from "../../../scripts/bench/sizing/lines.ts";
import type { Store } from "../../../scripts/bench/sizing/place.ts";
import type { Piece } from "../../../scripts/bench/sizing/sizing.ts";

test("formatSizing has a line for each figure, the median of its rounds with the least and the most, and a rule", () => {
  const lines = formatSizing(
    new Map<Store, ReadonlyMap<Piece, readonly number[]>>([
      ["memory", new Map([["one", [42, 41, 40]], ["many", [55.123, 54, 60.06]]])],
      ["postgres", new Map([["writes", [1456, 1399.9, 1500, 1401, 1402]], ["servers", [900]], ["one", [133]]])],
    ]),
  );
  assertEquals(lines.split("\n"), [
    "memory: an event of 1 KiB to 5,000 sockets of one process and one Subscription: 41 ms (40 to 42)",
    "memory: the same where each socket has a Subscription of its own: 55.1 ms (54 to 60.1)",
    "PostgreSQL: notify() over 1,000 Subscriptions: 1,400 events/s (1,400 to 1,500)",
    "PostgreSQL: written and delivered by three servers to 30 sockets: 900 events/s (900 to 900)",
    "PostgreSQL: an event of 1 KiB to 5,000 sockets of one process and one Subscription: 133 ms (133 to 133)",
    "Keep sockets × events/s of a process below 18,000.",
  ]);
});

test("parseOptions takes --sizing alone", () => {
  assertEquals(typeof parseOptions(["--sizing"]), "object");
  for (const other of ["--scaling", "--json", "--only=operation"]) {
    assertEquals(typeof parseOptions(["--sizing", other]), "string", other);
  }
});
