// A machine without PostgreSQL and Redis, as far as tests can tell.

import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import process from "node:process";
import { fileURLToPath } from "node:url";

function probe(env: { readonly [name: string]: string }): ReturnType<typeof spawnSync> {
  const script = fileURLToPath(new URL("probe.ts", import.meta.url));
  const runtime = "Deno" in globalThis ? ["run", "-A", "--quiet"] : [];
  // Port 1 is nobody's.
  const nowhere = { POSTGRES_URL: "postgres://127.0.0.1:1/test", REDIS_URL: "redis://127.0.0.1:1", ...env };
  return spawnSync(process.execPath, [...runtime, script], { env: { ...process.env, ...nowhere }, encoding: "utf8" });
}

describe("a missing engine", () => {
  test("is a reason to skip that names it", () => {
    const { status, stdout } = probe({ CI: "" });
    const [postgres, redis] = JSON.parse(String(stdout));
    assertMatch(postgres, /^no PostgreSQL at 127\.0\.0\.1:1: ./);
    assertMatch(redis, /^no Redis at 127\.0\.0\.1:1: ./);
    assertEquals(status, 0);
  });

  test("is a failure in CI", () => {
    const { status, stdout, stderr } = probe({ CI: "true" });
    assertMatch(String(stderr), /no (?:PostgreSQL|Redis) at 127\.0\.0\.1:1: /);
    assertEquals(stdout, "");
    assertNotEquals(status, 0);
  });
});
