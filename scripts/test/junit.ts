/** One test as a JUnit report tells it. */
export interface TestCase {
  /** With the names of the suites around it: `outer > inner > test`. */
  readonly name: string;
  /** As the runtime writes it: absolute, relative or with `./`. Deno does not name the files of nested tests. */
  readonly file: string | undefined;
  readonly state: "passed" | "failed" | "skipped";
  /** Why it was skipped, where the runtime says so. */
  readonly reason?: string | undefined;
}

const TAG = /<(\/?)(testsuite|testcase|failure|error|skipped)\b((?:\s+[\w:-]+="[^"]*")*)\s*(\/?)>/g;
const ATTRIBUTE = /([\w:-]+)="([^"]*)"/g;

/** What a JUnit report tells. */
export interface JunitReport {
  readonly cases: readonly TestCase[];
  /** The files in which there was at least one test, as the runtime writes them. */
  readonly files: ReadonlySet<string>;
}

/**
 * Reads a JUnit report. Deno reports a test that has parts beside its parts, the others do not: such a test is counted
 * only when it failed and none of its parts did.
 */
export function readJunit(xml: string): JunitReport {
  const all = readCases(xml).filter((test) => !isEmptyFile(test));
  const parents = parentNames(all);
  const parentsOfFailed = parentNames(all.filter((test) => test.state === "failed"));
  return {
    cases: all.filter(({ name, state }) => !parents.has(name) || (state === "failed" && !parentsOfFailed.has(name))),
    files: new Set(all.flatMap(({ file }) => file ?? [])),
  };
}

function readCases(xml: string): TestCase[] {
  const suites: string[] = [];
  const cases: TestCase[] = [];
  for (const [, end, tag, attributeText = "", empty] of xml.matchAll(TAG)) {
    const attributes = readAttributes(attributeText);
    if (tag === "testsuite") {
      if (end) suites.pop();
      else suites.push(isFile(attributes) ? "" : attributes.name ?? "");
      if (!end && empty) suites.pop();
    } else if (tag === "testcase" && !end) {
      const name = [...suites, attributes.name ?? ""].filter(Boolean).join(" > ");
      cases.push({ name, file: attributes.file ?? denoFile(attributes), state: "passed" });
    } else if (!end) {
      const last = cases.pop();
      if (last === undefined) continue;
      const state = tag === "skipped" ? "skipped" : "failed";
      cases.push({ ...last, state, reason: attributes.message });
    }
  }
  return cases;
}

type Attributes = { readonly [name: string]: string | undefined };

function readAttributes(text: string): Attributes {
  return Object.fromEntries(Array.from(text.matchAll(ATTRIBUTE), ([, name, value = ""]) => [name, unescape(value)]));
}

/** Whether a suite is the file itself (Bun) or the module (Deno), which is no part of a test's name. */
function isFile({ name, file, disabled, hostname }: Attributes): boolean {
  return name === file || (disabled !== undefined && hostname === undefined);
}

function denoFile({ classname }: Attributes): string | undefined {
  return classname?.startsWith("./") ? classname : undefined;
}

const ENTITIES: Attributes = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };

function unescape(text: string): string {
  // Node escapes the quotes of an attribute before it escapes the ampersands.
  return text.replaceAll("&amp;quot;", '"').replace(/&(\w+);/g, (entity, name) => ENTITIES[name] ?? entity);
}

/** Node counts a file without tests as a test that is named like the file and passed. */
function isEmptyFile({ name, file, state }: TestCase): boolean {
  return state === "passed" && name.endsWith(".test.ts") && file !== undefined &&
    file.endsWith(name.replace(/^\./, ""));
}

function parentNames(cases: readonly TestCase[]): Set<string> {
  const names = new Set<string>();
  for (const { name } of cases) {
    for (let end = name.lastIndexOf(" > "); end > 0; end = name.lastIndexOf(" > ", end - 1)) {
      names.add(name.slice(0, end));
    }
  }
  return names;
}
