import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { readJunit } from "../../scripts/test/junit.ts";

const DENO = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="6" failures="3" errors="0" time="0.1">
  <testsuite name="./tests/a.test.ts" tests="4" disabled="1" errors="0" failures="2">
    <testcase name="plain &lt;b&gt; &amp; &quot;c&quot;" classname="./tests/a.test.ts" time="0.001" line="3" col="1">
    </testcase>
    <testcase name="left out" classname="./tests/a.test.ts"><skipped/></testcase>
    <testcase name="outer" classname="./tests/a.test.ts"><failure message="1 test step failed">…</failure></testcase>
    <testcase name="broken hook" classname="./tests/a.test.ts"><failure message="Error: hook">…</failure></testcase>
  </testsuite>
  <testsuite name="ext:deno_node/testing.ts" tests="3" disabled="0" errors="0" failures="1">
    <testcase name="outer &gt; one" classname="ext:deno_node/testing.ts"></testcase>
    <testcase name="outer &gt; two" classname="ext:deno_node/testing.ts"><error message="Cancelled"/></testcase>
    <testcase name="broken hook &gt; one" classname="ext:deno_node/testing.ts"></testcase>
  </testsuite>
</testsuites>`;

const NODE = `<testsuites>
  <testcase name="plain &lt;b> &amp; c" time="0.1" classname="test" file="/tests/a.test.ts"/>
  <testcase name="left out" time="0.1" classname="test" file="/tests/a.test.ts">
    <skipped type="skipped" message="no redis"/>
  </testcase>
  <testsuite name="outer" disabled="0" errors="0" tests="1" failures="1" skipped="0" hostname="vm">
    <testsuite name="inner" disabled="0" errors="0" tests="1" failures="1" skipped="0" hostname="vm">
      <testcase name="two" classname="outer.inner" file="/tests/a.test.ts" failure="x">
        <failure type="testCodeFailure" message="x">Error: x &lt;failure&gt;</failure>
      </testcase>
    </testsuite>
  </testsuite>
  <testsuite name="empty" disabled="0" errors="0" tests="0" failures="0" skipped="0" hostname="vm"/>
  <testcase name="./tests/empty.test.ts" classname="test" file="/tests/empty.test.ts"/>
  <testcase name="a &amp;quot;b&amp;quot;" classname="test" file="/tests/a.test.ts"/>
  <!-- tests 4 -->
</testsuites>`;

const BUN = `<testsuites name="bun test" tests="3" assertions="0" failures="1" skipped="1" time="0.08">
  <testsuite name="tests/a.test.ts" file="tests/a.test.ts" tests="3" failures="1" skipped="1" hostname="vm">
    <testcase name="plain" classname="" time="0.001" file="tests/a.test.ts" line="3" assertions="0" />
    <testcase name="left out" classname="" time="0" file="tests/a.test.ts"><skipped /></testcase>
    <testsuite name="outer" file="tests/a.test.ts" line="8" tests="1" failures="1" skipped="0" hostname="vm">
      <testcase name="two" classname="outer" file="tests/a.test.ts"><failure type="Error" message="x">x</failure></testcase>
    </testsuite>
  </testsuite>
</testsuites>`;

function summary(xml: string): string[] {
  return readJunit(xml).cases.map(({ name, file, state, reason }) =>
    [state, file, name, reason].filter(Boolean).join(" | ")
  );
}

test("readJunit reads a report of Deno, whose suites stand beside their tests", () => {
  assertEquals(summary(DENO), [
    'passed | ./tests/a.test.ts | plain <b> & "c"',
    "skipped | ./tests/a.test.ts | left out",
    "failed | ./tests/a.test.ts | broken hook | Error: hook",
    "passed | outer > one",
    "failed | outer > two | Cancelled",
    "passed | broken hook > one",
  ]);
});

test("readJunit reads a report of Node, with reasons and nested suites", () => {
  assertEquals(summary(NODE), [
    "passed | /tests/a.test.ts | plain <b> & c",
    "skipped | /tests/a.test.ts | left out | no redis",
    "failed | /tests/a.test.ts | outer > inner > two | x",
    'passed | /tests/a.test.ts | a "b"',
  ]);
});

test("readJunit reads a report of Bun, whose outermost suites are files", () => {
  assertEquals(summary(BUN), [
    "passed | tests/a.test.ts | plain",
    "skipped | tests/a.test.ts | left out",
    "failed | tests/a.test.ts | outer > two | x",
  ]);
});

test("readJunit names the files that have a test, be it only nested ones", () => {
  assertEquals([DENO, NODE, BUN].map((xml) => [...readJunit(xml).files]), [
    ["./tests/a.test.ts"],
    ["/tests/a.test.ts"],
    ["tests/a.test.ts"],
  ]);
});

test("readJunit finds nothing in what is no report", () => {
  assertEquals(readJunit(""), { cases: [], files: new Set<string>() });
});
