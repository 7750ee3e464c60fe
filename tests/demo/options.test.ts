import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { describe, it } from "node:test";
import { parseOptions } from "../../scripts/demo/options.ts";

const DEFAULTS = {
  port: 8103,
  host: "127.0.0.1",
  db: ":memory:",
  tokens: "jwt",
  singleUse: false,
  tokenLifetime: 3600,
  bindDeadline: 30,
};

describe("parseOptions", () => {
  it("has the defaults of the contract when nothing is given", () => {
    assertEquals<unknown>(parseOptions([]), { options: DEFAULTS });
  });

  for (
    const [args, part] of [
      [["--port", "0"], { port: 0 }],
      [["--port=65535"], { port: 65535 }],
      [["--host", "0.0.0.0"], { host: "0.0.0.0" }],
      [["--host", "::1"], { host: "::1" }],
      [["--public-url", "https://demo.example.org/"], { publicUrl: "https://demo.example.org" }],
      [["--public-url", "https://example.org/a/b"], { publicUrl: "https://example.org/a/b" }],
      [["--db", "data/demo=1.db"], { db: "data/demo=1.db" }],
      [["--db=data/demo=1.db"], { db: "data/demo=1.db" }],
      [["--tokens", "opaque"], { tokens: "opaque" }],
      [["--single-use"], { singleUse: true }],
      [["--token-lifetime", "60", "--token-lifetime", "90"], { tokenLifetime: 90 }],
      [["--bind-deadline", "1", "--single-use"], { bindDeadline: 1, singleUse: true }],
    ] as const
  ) {
    it(`reads ${args.join(" ")}`, () => {
      assertEquals<unknown>(parseOptions(args), { options: { ...DEFAULTS, ...part } });
    });
  }

  for (
    const args of [
      ["--prot", "1"],
      ["8103"],
      [""],
      ["--port"],
      ["--port", "-1"],
      ["--port", "65536"],
      ["--port", "1e3"],
      ["--port", "80 "],
      ["--host", ""],
      ["--host", "a/b"],
      ["--public-url", "example.org"],
      ["--public-url", "ftp://example.org"],
      ["--public-url", "https://user:secret@example.org"],
      ["--public-url", "https://example.org/?a"],
      ["--db", ""],
      ["--tokens", "paseto"],
      ["--single-use=yes"],
      ["--token-lifetime", "0"],
      ["--token-lifetime", "86401"],
      ["--bind-deadline", "0.5"],
    ]
  ) {
    it(`refuses ${JSON.stringify(args)} in one line`, () => {
      const line = parseOptions(args);
      assert("mistake" in line);
      assertStringIncludes(line.mistake, "Cannot start: ");
      assertEquals(line.mistake.split("\n").length, 1);
    });
  }

  it("explains every option when asked for help", () => {
    const line = parseOptions(["--port", "1", "--help"]);
    assert("help" in line);
    for (
      const name of ["port", "host", "public-url", "db", "tokens", "single-use", "token-lifetime", "bind-deadline"]
    ) assertStringIncludes(line.help, `--${name} `);
  });
});
