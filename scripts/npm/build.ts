/**
 * Builds the npm package into `npm/`: `deno task build:npm [--tool dnt|tsc]`. It is built with dnt, or with TypeScript's
 * own compiler where JSR cannot be reached.
 *
 * @module
 */
import { cp, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compileWithDnt, loadDnt } from "./dnt.ts";
import { COPIED, planPackage } from "./package.ts";
import { chooseTool, parseTool } from "./tool.ts";
import { compileWithTsc } from "./tsc.ts";

async function main(args: readonly string[]): Promise<void> {
  const { dnt, note } = await chooseTool(parseTool(args), loadDnt);
  if (note !== undefined) console.log(note);
  const project = fileURLToPath(new URL("../..", import.meta.url));
  const folder = join(project, "npm");
  const plan = await planPackage(project);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder);

  if (dnt !== undefined) await compileWithDnt(dnt, project, plan, folder);
  else await compileWithTsc(project, plan, folder);

  await writeFile(join(folder, "package.json"), JSON.stringify(plan.manifest, null, 2) + "\n");
  for (const file of COPIED) await cp(join(project, file), join(folder, file));
  console.log(`Built ${plan.name}@${plan.version} in npm/ with ${dnt ? "dnt" : "tsc"}`);
}

await main(Deno.args);
