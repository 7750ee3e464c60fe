// Costs by size: `deno task bench --scaling`.

import { fileURLToPath } from "node:url";
import type { Kind, Point } from "./point.ts";

/** What all kinds and sizes came to, by kind and size. */
export type Scaling = ReadonlyMap<Kind, ReadonlyMap<number, Point>>;

export const SIZES: readonly number[] = [100, 1000, 10_000, 100_000];

/** Real sockets need a descriptor each, in both processes. */
const MOST_REAL = 10_000;

const KINDS: readonly Kind[] = ["calls", "one", "many", "real-one", "real-many", "real-bare"];

/** Measures on Deno. `onPoint` is told what comes next. */
export async function measureScaling(onPoint: (what: string) => void): Promise<Scaling> {
  const scaling = new Map<Kind, Map<number, Point>>();
  for (const kind of KINDS) {
    const points = new Map<number, Point>();
    for (const size of SIZES.filter((size) => size <= MOST_REAL || !kind.startsWith("real"))) {
      onPoint(`${kind}: ${size.toLocaleString("en")}`);
      points.set(size, await measurePoint(kind, size));
    }
    scaling.set(kind, points);
  }
  return scaling;
}

async function measurePoint(kind: Kind, size: number): Promise<Point> {
  const script = fileURLToPath(new URL("point.ts", import.meta.url));
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", script, kind, String(size)],
    stderr: "inherit",
  });
  const { success, stdout } = await command.output();
  if (!success) throw new Error(`Cannot measure ${kind} at ${size}: is "ulimit -n" above ${2 * size}?`);
  return JSON.parse(new TextDecoder().decode(stdout));
}
