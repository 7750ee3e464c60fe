// One size, in a process of its own, so that no size pays for another: `point.ts <kind> <size>` prints a `Point`.

import process from "node:process";
import { measureCalls } from "./calls.ts";
import { measureCrowd } from "./crowd.ts";
import { measureBare, measureReal } from "./real.ts";

/** What costs are measured over. */
export type Kind = "calls" | "one" | "many" | "real-one" | "real-many" | "real-bare";

/** What one size came to, by name; microseconds or bytes. */
export type Point = Readonly<Record<string, number>>;

const KINDS: { readonly [kind in Kind]: (size: number) => Promise<Point> } = {
  "calls": measureCalls,
  "one": (size) => measureCrowd(size, 1),
  "many": (size) => measureCrowd(size, size),
  "real-one": (size) => measureReal(size, 1),
  "real-many": (size) => measureReal(size, size),
  "real-bare": measureBare,
};

const [, , kind, size] = process.argv;
// The parent writes it, and knows the names.
const measure = KINDS[kind as Kind];
console.log(JSON.stringify(await measure(Number(size))));
process.exit(0);
