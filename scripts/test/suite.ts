import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { readJunit, type TestCase } from "./junit.ts";
import type { Runtime, RuntimeName } from "./runtimes.ts";
import { judgeTold, overhear } from "./told.ts";

/** What a run of files told. */
export interface SuiteResult {
  readonly cases: readonly TestCase[];
  /** What went wrong beside failed tests; each counts as a failure. */
  readonly problems: readonly string[];
}

/** Milliseconds for all files together. */
const PATIENCE = 1_200_000;
/** Milliseconds for one test, where the runtime can limit it. */
const TEST_PATIENCE = 60_000;

/** Node 22 warns of its SQLite, also in the processes that tests start and listen to. */
const QUIET = { NODE_OPTIONS: "--disable-warning=ExperimentalWarning" };

interface Command {
  readonly report: string;
  readonly filter: string | undefined;
}

type Arguments = (command: Command) => readonly string[];

const ARGUMENTS: { readonly [name in RuntimeName]: Arguments } = {
  deno: ({ report, filter }) => ["test", "-A", `--junit-path=${report}`, ...option("--filter", filter)],
  node: ({ report, filter }) => [
    "--test",
    `--test-timeout=${TEST_PATIENCE}`,
    ...["--test-reporter=spec", "--test-reporter-destination=stdout"],
    ...["--test-reporter=junit", `--test-reporter-destination=${report}`],
    ...option("--test-name-pattern", filter && escapePattern(filter)),
  ],
  bun: ({ report, filter }) => [
    "test",
    `--timeout=${TEST_PATIENCE}`,
    ...["--reporter=junit", `--reporter-outfile=${report}`],
    ...option("--test-name-pattern", filter && escapePattern(filter)),
  ],
};

/**
 * What tests are told: where they find the executables of other runtimes (`TEST_DENO`, `TEST_NODE`, `TEST_BUN`), and
 * where they put what the library says (`TEST_PRODUCED`).
 */
export type Environment = Readonly<Record<string, string>>;

/** Runs test files, given relative to `root`, and checks that there was a test in each. */
export async function runTests(
  runtime: Runtime,
  root: string,
  files: readonly string[],
  filter: string | undefined,
  environment: Environment,
): Promise<SuiteResult> {
  const { cases, problems, seen } = await runReported(
    runtime,
    root,
    environment,
    (report) => [...ARGUMENTS[runtime.name]({ report, filter }), ...files.map((file) => `./${file}`)],
  );
  if (filter !== undefined) return { cases: cases.filter(({ name }) => name.includes(filter)), problems };
  // Node 22 names no files, and where nothing at all was reported the reason is known already.
  const empty = seen.size === 0 && (problems.length > 0 || cases.length > 0)
    ? []
    : files.filter((file) => !seen.has(file));
  return { cases, problems: [...problems, ...empty.map((file) => `${file}: no test ran`)] };
}

/** Runs the examples of Markdown and source files; only Deno can. */
export async function runDocumentation(runtime: Runtime, root: string, files: readonly string[]): Promise<SuiteResult> {
  return await runReported(
    runtime,
    root,
    {},
    (report) => ["test", "-A", "--doc", "--permit-no-files", `--junit-path=${report}`, ...files],
  );
}

async function runReported(
  runtime: Runtime,
  root: string,
  env: Environment,
  makeArgs: (report: string) => readonly string[],
): Promise<SuiteResult & { readonly seen: ReadonlySet<string> }> {
  const folder = await mkdtemp(join(tmpdir(), "fhir-ws-report-"));
  const report = join(folder, "junit.xml");
  try {
    const signal = AbortSignal.timeout(PATIENCE);
    const args = [...makeArgs(report)];
    const command = new Deno.Command(runtime.path, {
      args,
      cwd: root,
      env: { ...QUIET, ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      signal,
    });
    const { stdout, stderr, status } = command.spawn();
    const told = await Promise.all([
      overhear(stdout, Deno.stdout.writable, signal),
      overhear(stderr, Deno.stderr.writable, signal),
    ]);
    const { code } = await status;
    const written = await readFile(report, "utf8").catch(() => ""); // none was written: nothing ran
    const { cases, files } = readJunit(written);
    const seen = new Set(Array.from(files, (file) => relative(root, resolve(root, file))));
    const problems = signal.aborted ? ["did not end in time"] : exitProblems(code, cases);
    const judged = cases.length === 0 ? [] : [judgeTold([...told, written].join("\n"))];
    return { cases: [...cases, ...judged], seen, problems };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What a report does not tell: errors outside of every test, and that there was no report at all. */
function exitProblems(code: number, cases: readonly TestCase[]): string[] {
  return code !== 0 && !cases.some(({ state }) => state === "failed")
    ? [`exit code ${code} without a failed test`]
    : [];
}

function option(name: string, value: string | undefined): string[] {
  return value === undefined ? [] : [`${name}=${value}`];
}

function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
