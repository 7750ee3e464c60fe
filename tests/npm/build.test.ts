import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { compileWithDnt, type Dnt, loadDnt } from "../../scripts/npm/dnt.ts";
import { planPackage } from "../../scripts/npm/package.ts";
import { chooseTool, parseTool } from "../../scripts/npm/tool.ts";

const PROJECT = fileURLToPath(new URL("../../", import.meta.url));

const dnt: Dnt = { build: () => Promise.resolve() };
const reachable = () => Promise.resolve(dnt);
const unreachable = () => Promise.resolve("no such host");

describe("parseTool", () => {
  it("takes dnt, tsc or neither", () => {
    assertEquals([["--tool", "dnt"], ["--tool=tsc"], []].map(parseTool), ["dnt", "tsc", undefined]);
  });

  it("refuses any other tool and any other option", () => {
    assertThrows(() => parseTool(["--tool", "swc"]), TypeError, 'Cannot build with "swc": it is neither dnt nor tsc');
    assertThrows(() => parseTool(["--tools", "dnt"]), TypeError);
    assertThrows(() => parseTool(["dnt"]), TypeError);
  });
});

describe("chooseTool", () => {
  it("takes dnt where it can be loaded", async () => {
    for (const asked of ["dnt", undefined] as const) assertEquals(await chooseTool(asked, reachable), { dnt });
  });

  it("takes tsc where dnt cannot be loaded, and says so in one line", async () => {
    const note = "JSR cannot be reached, tsc builds in place of dnt: no such host";
    assertEquals(await chooseTool(undefined, unreachable), { note });
  });

  it("fails where dnt is forced and cannot be loaded", async () => {
    await assertRejects(() => chooseTool("dnt", unreachable), Error, "Cannot build with dnt: JSR cannot be reached");
  });

  it("loads nothing where tsc is forced", async () => {
    assertEquals(await chooseTool("tsc", () => Promise.reject(new Error("loaded"))), {});
  });
});

describe("loadDnt", () => {
  it("is the first line of why a module could not be found", async () => {
    const missing = Object.assign(new TypeError("no manifest\n  at line 1"), { code: "ERR_MODULE_NOT_FOUND" });
    assertEquals(await loadDnt(() => Promise.reject(missing)), "no manifest");
    assertEquals(await loadDnt(reachable), dnt);
  });

  it("throws what dnt itself throws", async () => {
    await assertRejects(() => loadDnt(() => Promise.reject(new TypeError("a mistake"))), TypeError, "a mistake");
  });
});

describe("compileWithDnt", () => {
  it("names every entry, and leaves nothing but modules", async () => {
    const folder = await mkdtemp(join(tmpdir(), "fhir-ws-dnt-"));
    const plan = await planPackage(PROJECT);
    const asked: Parameters<Dnt["build"]>[0][] = [];
    const written = ["esm/mod.js", "esm/package.json", "package.json", "package-lock.json", ".npmignore"];
    const build: Dnt["build"] = async (options) => {
      asked.push(options);
      for (const file of written.map((name) => join(options.outDir, name))) {
        await mkdir(dirname(file), { recursive: true });
        await writeFile(file, "");
      }
    };
    try {
      await compileWithDnt({ build }, PROJECT, plan, folder);
      assertEquals((await readdir(folder, { recursive: true })).toSorted(), ["esm", join("esm", "mod.js")]);
    } finally {
      await rm(folder, { recursive: true });
    }
    const [options] = asked;
    assertEquals(options?.entryPoints.map(({ name, path }) => [name, path]), [
      ...plan.entries.map(({ name, source }) => [name, join(PROJECT, source)]),
    ]);
    assertEquals([options?.shims, options?.polyfills, options?.package], [{}, false, {
      name: plan.name,
      version: plan.version,
    }]);
  });
});
