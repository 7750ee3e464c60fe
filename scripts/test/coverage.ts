import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { findFiles } from "./files.ts";
import { type FileCoverage, readLcov } from "./lcov.ts";
import { UNCOVERED, type Uncovered } from "./uncovered.ts";

/** Percent of the lines that must be reached. */
const LEAST = 95;
const MEASURED = ["src", "adapters"];

/** What the tests on Deno and the processes that they start run of `src` and `adapters`. */
export interface Coverage {
  /** Where Deno writes what was run. */
  readonly folder: string;
  /** Prints the share of each file, each line that was not reached with the reason, and says what is wrong with that. */
  report(): Promise<readonly string[]>;
  remove(): Promise<void>;
}

/** `isWhole`: all tests are run, so that what is missing means something. */
export async function openCoverage(project: string, isWhole: boolean): Promise<Coverage> {
  const folder = await mkdtemp(join(tmpdir(), "fhir-ws-coverage-"));
  return {
    folder,
    report: async () => {
      const texts = await readSources(project);
      const sources = await measure(project, folder, texts);
      console.log(`\n--- lines of ${MEASURED.join(" and ")} that the tests on Deno run\n`);
      for (const { file, lines, missed } of sources) console.log(`${share(lines, missed.length)}  ${file}`);
      console.log("\n--- lines that they do not run\n");
      for (const source of sources) for (const line of explain(source)) console.log(line);
      const [lines, missed] = sum(sources);
      console.log(`\n${share(lines, missed)}  of ${lines} lines`);
      return [
        ...findStale(texts).map(({ file, code }) => `coverage: "${code}" is not in ${file} any more`),
        ...isWhole && missed > lines * (1 - LEAST / 100) ? [`coverage: less than ${LEAST} % of the lines`] : [],
      ];
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** One file, with what it says. */
interface Source extends FileCoverage {
  readonly file: string;
  readonly text: readonly string[];
  /** Whether a test has loaded it. */
  readonly loaded: boolean;
}

type Texts = ReadonlyMap<string, readonly string[]>;

async function readSources(project: string): Promise<Texts> {
  const files = (await Promise.all(MEASURED.map((folder) => findFiles(project, folder, ".ts")))).flat();
  const texts = files.map(async (file) => [file, (await readFile(join(project, file), "utf8")).split("\n")] as const);
  return new Map(await Promise.all(texts));
}

async function measure(project: string, folder: string, texts: Texts): Promise<Source[]> {
  const report = join(folder, "lcov");
  const root = pathToFileURL(project).href.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&").replace(/\/?$/, "/");
  const include = `--include=^${root}(?:${MEASURED.join("|")})/`;
  const args = ["coverage", "--lcov", `--output=${report}`, include, folder];
  const { success, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd: project }).output();
  if (!success) throw new Error(`Cannot read the coverage: ${new TextDecoder().decode(stderr)}`);
  const entries = Array.from(readLcov(await readFile(report, "utf8")));
  const found = new Map(entries.map(([path, coverage]) => [relative(project, path).replaceAll("\\", "/"), coverage]));
  return Array.from(texts, ([file, text]) => {
    const coverage = found.get(file);
    return { file, text, loaded: coverage !== undefined, ...coverage ?? neverLoaded(file, text) };
  });
}

/** Of a file that no test loads every line is missed, unless there is nothing to load. */
function neverLoaded(file: string, text: readonly string[]): FileCoverage {
  if (UNCOVERED.some((one) => one.file === file && one.code === undefined)) return { lines: 0, missed: [] };
  const missed = text.flatMap((line, n) => line.trim() === "" ? [] : [n + 1]);
  return { lines: missed.length, missed };
}

/** Each range of lines that was not reached: where it is, how it begins and why. */
function explain({ file, text, missed, loaded }: Source): string[] {
  if (!loaded && missed.length > 0) return [`${file}  is loaded by no test`];
  const known = UNCOVERED.filter((one) => one.file === file);
  return rangesOf(missed).map(([first, last]) => {
    const lines = text.slice(first - 1, last);
    const found = known.find(({ code }) => code === undefined || lines.some((line) => line.includes(code)));
    const begin = lines.find((line) => /\w/.test(line))?.trim() ?? "}";
    const where = first === last ? first : `${first}-${last}`;
    return `${file}:${where}  ${begin}\n    ${
      found?.reason ?? "NO REASON: test it, or tell why in scripts/test/uncovered.ts"
    }`;
  });
}

function rangesOf(lines: readonly number[]): [first: number, last: number][] {
  const ranges: [number, number][] = [];
  for (const line of lines) {
    const range = ranges.at(-1);
    if (range?.[1] === line - 1) range[1] = line;
    else ranges.push([line, line]);
  }
  return ranges;
}

function findStale(texts: Texts): Uncovered[] {
  return UNCOVERED.filter(({ file, code = "" }) => !texts.get(file)?.some((line) => line.includes(code)));
}

function sum(sources: readonly Source[]): [lines: number, missed: number] {
  return sources.reduce(([lines, missed], one) => [lines + one.lines, missed + one.missed.length], [0, 0]);
}

/** Rounded down: only all is 100. */
function share(lines: number, missed: number): string {
  const percent = lines === 0 ? 100 : Math.floor(1000 * (lines - missed) / lines) / 10;
  return `${percent.toFixed(1).padStart(5)} %`;
}
