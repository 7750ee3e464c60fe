/** A runtime that runs the suite. */
export type RuntimeName = "deno" | "node" | "bun";

export const RUNTIME_NAMES: readonly RuntimeName[] = ["deno", "node", "bun"];

export function isRuntimeName(name: string): name is RuntimeName {
  return RUNTIME_NAMES.some((known) => known === name);
}

/** A runtime that this machine has. */
export interface Runtime {
  readonly name: RuntimeName;
  readonly version: string;
  /** The executable itself, so that nothing runs through `npx` twice. */
  readonly path: string;
}

interface Source {
  /** Major and minor version. */
  readonly minimum: readonly [number, number];
  /** What `npx` is asked for where the `PATH` has none, or too old a one. */
  readonly npx: string;
}

const SOURCES: { readonly [name in "node" | "bun"]: Source } = {
  node: { minimum: [24, 0], npx: "node@24" },
  bun: { minimum: [1, 4], npx: "bun@1.4.5" },
};

/** The runtime, or why there is none. `major` asks for that version of Node and no later one. */
export async function findRuntime(name: RuntimeName, major?: number): Promise<Runtime | string> {
  if (name === "deno") return { name, version: Deno.version.deno, path: Deno.execPath() };
  function isWanted(version: string): boolean {
    return major === undefined || version.startsWith(`${major}.`);
  }
  const { npx, minimum } = major === undefined ? SOURCES[name] : { npx: `node@${major}`, minimum: [major, 0] as const };
  const local = await probe(name, name, [], minimum);
  if (typeof local === "object" && isWanted(local.version)) return local;
  const fetched = await probe(name, "npx", ["-y", npx], minimum);
  if (typeof fetched === "object") return fetched;
  return typeof local === "object" ? fetched : `${local}; ${fetched}`;
}

// Asks the runtime itself: `npx node@24` without install scripts silently starts whatever `node` is in the PATH, and
// without one there Deno starts itself as `node`.
const IDENTITY = `JSON.stringify({
  name: process.versions.bun ? "bun" : process.versions.deno ? "deno" : "node",
  version: process.versions.bun ?? process.versions.deno ?? process.versions.node,
  path: process.execPath,
})`;

async function probe(
  name: "node" | "bun",
  command: string,
  args: readonly string[],
  minimum: Source["minimum"],
): Promise<Runtime | string> {
  const shown = [command, ...args].join(" ");
  const found = await identify(command, [...args, "-p", IDENTITY]);
  if (found === undefined) return `"${shown}" does not run`;
  const [major = 0, minor = 0] = found.version.split(".").map(Number);
  const isNewEnough = major > minimum[0] || (major === minimum[0] && minor >= minimum[1]);
  return found.name === name && isNewEnough ? found : `"${shown}" is ${found.name} ${found.version}`;
}

async function identify(command: string, args: readonly string[]): Promise<Runtime | undefined> {
  try {
    const { success, stdout } = await new Deno.Command(command, { args: [...args], stderr: "null" }).output();
    return success ? JSON.parse(new TextDecoder().decode(stdout)) : undefined;
  } catch {
    // No such command, or something else than a JavaScript runtime answers to that name.
    return undefined;
  }
}
