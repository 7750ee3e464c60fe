/**
 * Builds the npm package into `npm/`: `deno task build:npm [--tool dnt|tsc]`. It is built with dnt, or with TypeScript's
 * own compiler where JSR cannot be reached.
 *
 * @module
 */
import { cp, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { compileWithDnt, loadDnt } from "./dnt.ts";
import { COPIED, planPackage } from "./package.ts";
import { compileWithTsc } from "./tsc.ts";

async function main(args: readonly string[]): Promise<void> {
  const { values: { tool } } = parseArgs({ args: [...args], options: { tool: { type: "string" } } });
  if (tool !== undefined && tool !== "dnt" && tool !== "tsc") {
    throw new TypeError(`Cannot build with "${tool}": it is neither dnt nor tsc`);
  }
  const project = fileURLToPath(new URL("../..", import.meta.url));
  const folder = join(project, "npm");
  const plan = await planPackage(project);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder);

  const dnt = tool === "tsc" ? undefined : await loadDnt();
  if (dnt === undefined && tool === "dnt") throw new Error("Cannot build with dnt: JSR cannot be reached");
  if (dnt !== undefined) {
    await compileWithDnt(dnt, project, plan, folder);
  } else {
    if (tool === undefined) console.log("JSR cannot be reached: tsc builds in place of dnt");
    await compileWithTsc(project, plan, folder);
  }

  await writeFile(join(folder, "package.json"), JSON.stringify(plan.manifest, null, 2) + "\n");
  for (const file of COPIED) await cp(join(project, file), join(folder, file));
  console.log(`Built ${plan.name}@${plan.version} in npm/ with ${dnt ? "dnt" : "tsc"}`);
}

await main(Deno.args);
