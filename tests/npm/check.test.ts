// What each part of the check says of a package that is wrong. That it says nothing of ours, the check itself shows.

import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { run } from "../../scripts/npm/command.ts";
import { compileProblems, makeConsumer, runProblems } from "../../scripts/npm/consumers.ts";
import { fileProblems } from "../../scripts/npm/files.ts";
import type { PackagePlan } from "../../scripts/npm/package.ts";
import { pack, tarballProblems } from "../../scripts/npm/tarball.ts";
import { COMPILERS } from "../../scripts/npm/tools.ts";

const PLAN: PackagePlan = {
  name: "demo",
  version: "1.0.0",
  entries: [{ name: ".", source: "mod.ts", module: "esm/mod.js", types: "esm/mod.d.ts" }],
  manifest: {},
};

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "fhir-ws-check-"));
});
afterEach(() => rm(root, { recursive: true }));

async function write(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), text);
  }
}

describe("run", () => {
  it("tells what was printed, and whether the program succeeded", async () => {
    const script = "process.stdin.pipe(process.stdout); console.error('!'); process.exitCode = +process.argv[1]";
    for (const code of [0, 3]) {
      const ended = await run("node", ["-e", script, `${code}`], { input: "said" });
      assertEquals(ended, { success: code === 0, stdout: "said", text: "said!" });
    }
  });

  it("tells why a program could not run or was ended", async () => {
    assertEquals((await run(join(root, "none"), [])).success, false);
    assertStringIncludes((await run(join(root, "none"), [])).text, "ENOENT");
    const { success, text } = await run("node", ["-e", "setInterval(() => {}, 1000)"], { timeout: 50 });
    assertEquals(success, false);
    assertStringIncludes(text, "Command failed");
  });
});

describe("fileProblems", () => {
  const right = [
    "package.json",
    "README.md",
    "LICENSE",
    "esm/mod.js",
    "esm/mod.d.ts",
    "esm/src/a.js",
    "esm/src/a.d.ts",
  ];
  const modules = {
    "mod.ts": "",
    "src/a.ts": "",
    "adapters/.keep": "",
    "esm/mod.d.ts": "",
    "esm/src/a.js": "",
    "esm/src/a.d.ts": "",
  };

  it("accepts what was to be built, and reads no import in a comment", async () => {
    await write({ ...modules, "esm/mod.js": '/* import "demo"; */\nexport * from "./src/a.js";' });
    assertEquals(await fileProblems(root, root, right), []);
  });

  it("tells what is missing and what is too much", async () => {
    await write({ ...modules, "esm/mod.js": "" });
    const packed = [...right.filter((name) => name !== "LICENSE"), "esm/b.js"];
    assertEquals(await fileProblems(root, root, packed), ["LICENSE is missing", "esm/b.js is too much"]);
  });

  for (const text of ['import "./b.js";', 'export { b } from "./b.js";', 'const b = await import("./b.js");']) {
    it(`tells of a dead import: ${text}`, async () => {
      await write({ ...modules, "esm/mod.js": text });
      assertEquals(await fileProblems(root, root, right), [
        'esm/mod.js imports "./b.js", which is no file of the package',
      ]);
    });
  }
});

describe("pack", () => {
  it("makes the tarball that is published, and fails without a description", async () => {
    await assertRejects(() => pack(root, root), Error, "Cannot pack");
    await write({ "package.json": '{"name":"demo","version":"1.0.0","files":["esm"]}', "esm/mod.js": "", "b.js": "" });
    const { path, files } = await pack(root, root);
    assertEquals([path, files.toSorted()], [join(root, "demo-1.0.0.tgz"), ["esm/mod.js", "package.json"]]);
    const consumer = await makeConsumer(path);
    await consumer.remove();
    await assertRejects(() => makeConsumer(join(root, "none.tgz")), Error, "Cannot install the package");
  });
});

describe("tarballProblems", () => {
  it("tells what a tool has found", async () => {
    await write({ "publint/src/cli.js": "", "@arethetypeswrong/cli/dist/index.js": "console.log(1); process.exit(1)" });
    assertEquals(await tarballProblems("demo.tgz", root), ["attw: 1"]);
  });
});

describe("compileProblems", () => {
  it("tells which compiler finds what, by which way of resolving", async () => {
    const says = "console.log('TS1', require('./tsconfig.json').compilerOptions.skipLibCheck); process.exit(2)";
    for (const name of Object.keys(COMPILERS)) {
      const body = name === "typescript-6" ? says.replace("./", `${root}/`) : "";
      await write({ [`${name}/bin/tsc`]: body });
    }
    const found = await compileProblems({ root, remove: () => Promise.resolve() }, PLAN, root);
    assertEquals(found, ["nodenext", "bundler", "types of node"].map((name) => `typescript-6, ${name}: TS1 false`));
  });
});

describe("runProblems", () => {
  const node = { shown: "node", found: { name: "node", version: "", path: "node" } } as const;
  const none = { shown: "bun", found: "there is none" };

  it("tells where the package does not run", async () => {
    await write({ "package.json": '{"type":"module"}' });
    const [problem = "", ...others] = await runProblems({ root, remove: () => Promise.resolve() }, PLAN, [node], true);
    assertStringIncludes(problem, "Cannot find package 'demo'");
    assertEquals(others, []);
  });

  it("takes a missing runtime for a problem where it is strict", async () => {
    const consumer = { root, remove: () => Promise.resolve() };
    assertEquals(await runProblems(consumer, PLAN, [none], true), ["bun: there is none"]);
    assertEquals(await runProblems(consumer, PLAN, [none], false), []);
  });
});
