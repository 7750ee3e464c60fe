import { assert, assertEquals } from "@std/assert";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { planPackage } from "../../scripts/npm/package.ts";
import { type EntrySize, sizeProblems } from "../../scripts/npm/size.ts";
import { BOUNDS, useProblems, useTable } from "../../scripts/npm/uses.ts";

const PROJECT = fileURLToPath(new URL("../../", import.meta.url));
const plan = await planPackage(PROJECT);

describe("planPackage", () => {
  it("has the entries of deno.json, each with its types before its module", async () => {
    const config = JSON.parse(await readFile(`${PROJECT}/deno.json`, "utf8"));
    const { exports } = plan.manifest as { exports: Record<string, unknown> };
    assertEquals(Object.keys(exports), [...Object.keys(config.exports), "./package.json"]);
    assertEquals(JSON.stringify(exports["."]), '{"types":"./esm/mod.d.ts","default":"./esm/mod.js"}');
    assertEquals(exports["./storage/memory"], {
      types: "./esm/adapters/storage/memory.d.ts",
      default: "./esm/adapters/storage/memory.js",
    });
  });

  it("takes name, version and license from deno.json, and has no dependency", () => {
    const { name, version, license, ...rest } = plan.manifest;
    assertEquals([name, license], ["@fhir-ws/binding", "MIT"]);
    assertEquals(version, plan.version);
    assertEquals(Object.keys(rest).filter((key) => /dependencies/i.test(key)), []);
    assertEquals([rest.type, rest.sideEffects], ["module", false]);
  });
});

describe("sizeProblems", () => {
  function problems(name: string, size: Partial<EntrySize>): string[] {
    const entry = plan.entries.find((one) => one.name === name);
    assert(entry !== undefined);
    return sizeProblems([{ name, raw: 1, minified: 1, gzipped: 1, modules: [entry.module], ...size }], plan.entries);
  }

  it("tells of an entry above its limit", () => {
    assertEquals(problems("./server/deno", { gzipped: 2560 }), []);
    assertEquals(problems("./server/deno", { gzipped: 2561 }), ['"./server/deno" has 2561 bytes, above 2560']);
  });

  const needed: readonly (readonly [entry: string, module: string])[] = [
    [".", "esm/src/socket/binder.js"],
    [".", "esm/src/conformance/check.js"],
    ["./client", "esm/src/client/link.js"],
    ["./conformance", "esm/src/fhir/version.js"],
    ["./storage/sqlite", "esm/adapters/storage/sqlite_schema.js"],
    ["./storage/memory", "esm/src/errors.js"],
    ["./bus/redis", "esm/adapters/storage/redis_client.js"],
    ["./contracts", "esm/adapters/contracts/tokens.js"],
    ["./server/node", "esm/adapters/server/guard.js"],
  ];
  for (const [entry, module] of needed) {
    it(`lets "${entry}" have ${module}`, () => assertEquals(problems(entry, { modules: [module] }), []));
  }

  const foreign: readonly (readonly [entry: string, module: string])[] = [
    [".", "esm/adapters/storage/memory.js"],
    ["./client", "esm/src/socket/binder.js"],
    ["./client", "esm/mod.js"],
    [".", "esm/src/conformance/definition.js"],
    ["./conformance", "esm/src/fhir/subscription.js"],
    ["./storage/memory", "esm/src/token/jwt.js"],
    ["./storage/sqlite", "esm/adapters/storage/kv_log.js"],
    ["./bus/redis", "esm/adapters/storage/redis.js"],
    ["./server/deno", "esm/adapters/server/node.js"],
  ];
  for (const [entry, module] of foreign) {
    it(`tells that "${entry}" pulls in ${module}`, () => {
      assertEquals(problems(entry, { modules: [module] }), [`"${entry}" pulls in ${module}`]);
    });
  }
});

describe("useProblems", () => {
  const uses = BOUNDS.map(({ names }) => ({ names, minified: 1, gzipped: 1, shipped: ["esm/src/errors.js"] }));

  it("tells of an import above its limit", () => {
    assertEquals(useProblems(uses), []);
    for (const { names, limit } of BOUNDS) {
      const shown = names.join(", ");
      assertEquals(useProblems([{ names, minified: 1, gzipped: limit + 1, shipped: [] }]), [
        `"${shown}" ships ${limit + 1} bytes, above ${limit}`,
      ]);
    }
  });

  it("tells of an import that ships what it has no use for", () => {
    const foreign = {
      handleGetWsBindingToken: "socket/binder",
      createSocketBinder: "operation/handler",
      createNotifier: "conformance/capability",
    };
    for (const [name, module] of Object.entries(foreign)) {
      const shipped = [`esm/src/${module}.js`];
      assertEquals(useProblems([{ names: [name], minified: 1, gzipped: 1, shipped }]), [
        `"${name}" ships ${shipped[0]}`,
      ]);
    }
  });

  it("has a line for each in the report", () => {
    assertEquals(useTable(uses).map((line) => line.split("  ")[0]), [
      "import from ., KiB",
      ...BOUNDS.map(({ names }) => names.join(", ")),
    ]);
  });
});
