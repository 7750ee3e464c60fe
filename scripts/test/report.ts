import type { TestCase } from "./junit.ts";
import type { RuntimeName } from "./runtimes.ts";

/** How the suite went on one runtime, or why it was not run there. */
export type Outcome =
  | {
    readonly name: RuntimeName;
    readonly version: string;
    readonly cases: readonly TestCase[];
    readonly problems: readonly string[];
  }
  | { readonly name: RuntimeName; readonly missing: string };

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/**
 * Prints what was skipped, what failed, one line per runtime and the sums; returns the exit code. A missing runtime is a
 * failure where `isStrict`, as in CI.
 */
export function report(outcomes: readonly Outcome[], isStrict: boolean): number {
  console.log("\n---\n");
  for (const line of [...skippedLines(outcomes), ...outcomes.flatMap(failureLines)]) console.log(line);
  for (const outcome of outcomes) console.log(summaryLine(outcome, isStrict));
  const sums = outcomes.map((outcome) => count(outcome, isStrict)).reduce(add, { passed: 0, failed: 0, skipped: 0 });
  console.log(countsText(sums));
  return sums.failed > 0 || sums.passed === 0 ? 1 : 0;
}

function count(outcome: Outcome, isStrict: boolean): Counts {
  if ("missing" in outcome) return { passed: 0, failed: isStrict ? 1 : 0, skipped: 0 };
  function having(state: TestCase["state"], cases: readonly TestCase[]): number {
    return cases.filter((test) => test.state === state).length;
  }
  return {
    passed: having("passed", outcome.cases),
    failed: having("failed", outcome.cases) + outcome.problems.length,
    skipped: having("skipped", outcome.cases),
  };
}

function add(a: Counts, b: Counts): Counts {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped };
}

function countsText({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

function summaryLine(outcome: Outcome, isStrict: boolean): string {
  if (!("missing" in outcome)) return `${outcome.name} ${outcome.version}: ${countsText(count(outcome, isStrict))}`;
  return `${outcome.name}: not run${isStrict ? ", a failure because CI is set" : ""}: ${outcome.missing}`;
}

function failureLines(outcome: Outcome): string[] {
  if ("missing" in outcome) return [];
  const failed = outcome.cases.filter(({ state }) => state === "failed").map(({ name }) => name);
  return [...failed, ...outcome.problems].map((text) => `failed on ${outcome.name}: ${text}`);
}

/** One line per test; not every runtime tells the reason, so the first one that does speaks for all. */
function skippedLines(outcomes: readonly Outcome[]): string[] {
  const tests = new Map<string, { readonly on: RuntimeName[]; reason?: string | undefined }>();
  for (const outcome of outcomes) {
    if ("missing" in outcome) continue;
    for (const { name, reason } of outcome.cases.filter(({ state }) => state === "skipped")) {
      const known = tests.get(name) ?? { on: [] };
      known.on.push(outcome.name);
      known.reason ??= reason;
      tests.set(name, known);
    }
  }
  return Array.from(
    tests,
    ([name, { on, reason }]) => `skipped on ${on.join(", ")}: ${name}${reason ? `: ${reason}` : ""}`,
  );
}
