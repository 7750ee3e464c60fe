import { readFile } from "node:fs/promises";
import * as nodeModule from "node:module";
import { posix } from "node:path";
import { join } from "node:path";

/** A module as workerd loads it. */
export interface WorkerModule {
  readonly type: "ESModule";
  readonly path: string;
  readonly contents: string;
}

const RELATIVE = /\b(?:from|import)\s*"(\.[^"]+)"/g;

/** A module and all that it imports, without types; nothing is bundled. Paths are relative to `root`. Node only. */
export async function workerModules(root: string, entry: string): Promise<WorkerModule[]> {
  const modules = new Map<string, WorkerModule>();
  await add(entry);
  return [...modules.values()];

  async function add(path: string): Promise<void> {
    if (modules.has(path)) return;
    const contents = strip(await readFile(join(root, path), "utf8"));
    modules.set(path, { type: "ESModule", path, contents });
    for (const [, specifier = ""] of contents.matchAll(RELATIVE)) {
      await add(posix.join(posix.dirname(path), specifier));
    }
  }
}

function strip(source: string): string {
  const { stripTypeScriptTypes } = nodeModule as { stripTypeScriptTypes?: (code: string) => string };
  if (stripTypeScriptTypes === undefined) throw new Error("Cannot strip types: this runtime does not do it");
  return stripTypeScriptTypes(source);
}
