// How large each entry is for those who bundle it, and whether it pulls in only what it needs.

import { stat } from "node:fs/promises";
import { join } from "node:path";
import { bundle } from "./bundle.ts";
import type { Entry, PackagePlan } from "./package.ts";

/** One entry with all that it imports, in bytes. */
export interface EntrySize {
  readonly name: string;
  /** The modules as they are published. */
  readonly raw: number;
  readonly minified: number;
  readonly gzipped: number;
  /** The modules, relative to the package. */
  readonly modules: readonly string[];
}

const KIB = 1024;

/** What an entry should weigh at most, minified and gzipped; the first pattern that matches counts. */
const AIMS: readonly (readonly [name: RegExp, bytes: number])[] = [
  [/^\.$/, 14 * KIB],
  [/^\.\/client$/, 4 * KIB],
  [/^\.\/contracts$/, 8 * KIB], // suites for tests: nobody ships them
  [/^/, 2.5 * KIB],
];

/** Entries that are above their aim. They may shrink and then leave this list, and must not grow beyond it. */
const CEILINGS: Readonly<Record<string, number>> = {
  ".": 25.75 * KIB,
  "./client": 5 * KIB,
  "./storage/sqlite": 2.7 * KIB,
  "./storage/kv": 3 * KIB,
  "./storage/postgres": 3.5 * KIB,
};

/** Bundles every entry. `esbuild` is its command line program. */
export async function measure(folder: string, plan: PackagePlan, esbuild: string): Promise<EntrySize[]> {
  return await Promise.all(plan.entries.map(async ({ name, module }) => {
    const { minified, gzipped, modules } = await bundle(folder, `export * from "./${module}";`, esbuild);
    const raw = await Promise.all(modules.map(async (path) => (await stat(join(folder, path))).size));
    return { name, raw: raw.reduce((sum, bytes) => sum + bytes, 0), minified, gzipped, modules };
  }));
}

/** The report, one line per entry. */
export function sizeTable(sizes: readonly EntrySize[]): string[] {
  const rows = sizes.map(({ name, raw, minified, gzipped }) => {
    const figures = [raw, minified, gzipped, aimOf(name), limitOf(name)].map((bytes) => (bytes / KIB).toFixed(2));
    return [name, ...figures, gzipped > aimOf(name) ? "  above its aim" : ""];
  });
  return [["entry, KiB", "raw", "minified", "gzipped", "aim", "limit", ""], ...rows].map(([name = "", ...cells]) =>
    name.padEnd(20) + cells.map((cell) => cell.padStart(10)).join("").trimEnd()
  );
}

/** Entries above their limits, and entries that pull in what they do not need. */
export function sizeProblems(sizes: readonly EntrySize[], entries: readonly Entry[]): string[] {
  return sizes.flatMap(({ name, gzipped, modules }) => {
    const tooMuch = gzipped > limitOf(name) ? [`"${name}" has ${gzipped} bytes, above ${limitOf(name)}`] : [];
    const own = entries.find((entry) => entry.name === name)?.module ?? "";
    const foreign = modules.filter((path) => !isNeeded(own, path, entries));
    return [...tooMuch, ...foreign.map((path) => `"${name}" pulls in ${path}`)];
  });
}

function aimOf(name: string): number {
  return AIMS.find(([pattern]) => pattern.test(name))?.[1] ?? 0;
}

function limitOf(name: string): number {
  return Math.max(aimOf(name), CEILINGS[name] ?? 0);
}

/** What several adapters stand on. */
const SHARED: readonly RegExp[] = [
  /^esm\/src\/errors\.js$/,
  /^esm\/adapters\/server\/(?:guard|fetch_listener|standard_socket)\.js$/,
  /^esm\/adapters\/bus\/(?:batches|listeners|message)\.js$/,
  /^esm\/adapters\/storage\/(?:event_page|limits)\.js$/,
];

/** What a server says of itself once: it takes from the core what knows of versions and checks options. */
const CONFORMANCE = /^esm\/src\/(?:conformance\/(?!check\.js)|fhir\/version\.js$|setup\.js$)/;

/** The client stands alone: browsers load it. */
const CLIENT = /^esm\/src\/client\//;

/** The core needs no adapter and no client; an adapter needs the modules that bear its name (`redis_client`), and never an entry. */
function isNeeded(own: string, path: string, entries: readonly Entry[]): boolean {
  if (path === own) return true;
  if (own.startsWith("esm/src/client/")) return CLIENT.test(path);
  if (own === "esm/src/conformance/mod.js") return CONFORMANCE.test(path);
  if (own === "esm/mod.js") return /^esm\/src\/(?!client\/|conformance\/(?!check\.js))/.test(path);
  if (entries.some(({ module }) => module === path)) return false;
  const [, folder = "", name = ""] = /^(.*\/)([^/]+)\.js$/.exec(own) ?? [];
  const isNamesake = path.startsWith("esm/adapters/") && path.includes(`/${name}_`);
  const isPart = name === "mod" && path.startsWith(folder);
  return isNamesake || isPart || SHARED.some((pattern) => pattern.test(path));
}
