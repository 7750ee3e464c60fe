// What those ship who import a few names of `.` and leave the rest to their bundler.

import { bundle } from "./bundle.ts";

/** One import, bundled alone, in bytes. */
export interface Use {
  readonly names: readonly string[];
  readonly minified: number;
  readonly gzipped: number;
  /** The modules of which something is left. */
  readonly shipped: readonly string[];
}

interface Bound {
  readonly names: readonly string[];
  /** Bytes, minified and gzipped. It may shrink, and must not grow. */
  readonly limit: number;
  /** Modules that it has no use for. */
  readonly never: RegExp;
}

const KIB = 1024;

const OPERATION: Omit<Bound, "names" | "limit"> = { never: /^esm\/src\/(?:socket|conformance|client)\// };
const SOCKETS: Omit<Bound, "names" | "limit"> = { never: /^esm\/src\/(?:operation|conformance|client)\// };

/** What a server of the operation, of the sockets and of the writes has each. */
export const BOUNDS: readonly Bound[] = [
  { names: ["handleGetWsBindingToken"], limit: 6.5 * KIB, ...OPERATION },
  { names: ["handleGetWsBindingToken", "createJwtSigner"], limit: 10.75 * KIB, ...OPERATION },
  { names: ["createSocketBinder"], limit: 16.25 * KIB, ...SOCKETS },
  { names: ["createNotifier"], limit: 2.5 * KIB, ...SOCKETS },
];

/** Bundles each import alone. `main` is the module of `.`. */
export async function measureUses(folder: string, main: string, esbuild: string): Promise<Use[]> {
  return await Promise.all(BOUNDS.map(async ({ names }) => {
    const text = `export { ${names.join(", ")} } from "./${main}";`;
    const { minified, gzipped, shipped } = await bundle(folder, text, esbuild);
    return { names, minified, gzipped, shipped };
  }));
}

/** The report, one line per import. */
export function useTable(uses: readonly Use[]): string[] {
  const rows = uses.map(({ names, minified, gzipped }) => {
    const figures = [minified, gzipped, boundOf(names).limit].map((bytes) => (bytes / KIB).toFixed(2));
    return [names.join(", "), ...figures];
  });
  return [["import from ., KiB", "minified", "gzipped", "limit"], ...rows].map(([names = "", ...cells]) =>
    names.padEnd(44) + cells.map((cell) => cell.padStart(10)).join("")
  );
}

/** Imports above their limits, and imports that bring what they have no use for. */
export function useProblems(uses: readonly Use[]): string[] {
  return uses.flatMap(({ names, gzipped, shipped }) => {
    const { limit, never } = boundOf(names);
    const shown = names.join(", ");
    const tooMuch = gzipped > limit ? [`"${shown}" ships ${gzipped} bytes, above ${limit}`] : [];
    return [...tooMuch, ...shipped.filter((path) => never.test(path)).map((path) => `"${shown}" ships ${path}`)];
  });
}

function boundOf(names: readonly string[]): Bound {
  const bound = BOUNDS.find((one) => one.names.join() === names.join());
  if (bound === undefined) throw new Error(`No bound for the import of ${names.join(", ")}`);
  return bound;
}
