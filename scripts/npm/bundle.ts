import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { run } from "./command.ts";

/** A module with all that it imports, as it is shipped; in bytes. */
export interface Bundle {
  readonly minified: number;
  readonly gzipped: number;
  /** All that was read, relative to the package. */
  readonly modules: readonly string[];
  /** Those of which something is left. */
  readonly shipped: readonly string[];
}

/** Bundles the text of a module that lies in the folder. `esbuild` is its command line program. */
export async function bundle(folder: string, text: string, esbuild: string): Promise<Bundle> {
  const scratch = await mkdtemp(join(tmpdir(), "fhir-ws-size-"));
  try {
    const [out, meta] = [join(scratch, "out.js"), join(scratch, "meta.json")];
    const options = ["--bundle", "--minify", "--format=esm", "--log-level=error"];
    const args = [esbuild, ...options, `--outfile=${out}`, `--metafile=${meta}`];
    const ended = await run("node", args, { cwd: folder, input: text });
    if (!ended.success) throw new Error(`Cannot bundle "${text}": ${ended.text}`);
    const { inputs, outputs }: Report = JSON.parse(await readFile(meta, "utf8"));
    const left = Object.values(outputs).flatMap((output) => Object.entries(output.inputs));
    const content = await readFile(out);
    return {
      minified: content.byteLength,
      gzipped: gzipSync(content, { level: 9 }).byteLength,
      modules: Object.keys(inputs).filter((path) => path !== "<stdin>").sort(),
      shipped: left.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([path]) => path).sort(),
    };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** What of esbuild's report is read. */
interface Report {
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly outputs: Readonly<Record<string, { readonly inputs: Readonly<Record<string, { bytesInOutput: number }>> }>>;
}
