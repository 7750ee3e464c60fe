/** What a report in the format of lcov says of one file. */
export interface FileCoverage {
  /** Lines that hold something to run. */
  readonly lines: number;
  /** Those of them that nothing has reached, in their order; 1 is the first line of the file. */
  readonly missed: readonly number[];
}

/** Reads `deno coverage --lcov`, by the files as they are named there. */
export function readLcov(report: string): ReadonlyMap<string, FileCoverage> {
  const files = new Map<string, FileCoverage>();
  for (const record of report.split("end_of_record")) {
    const file = /^SF:(.+)$/m.exec(record)?.[1];
    if (file === undefined) continue;
    const lines = Array.from(record.matchAll(/^DA:(\d+),(\d+)/gm), ([, line, times]) => [Number(line), Number(times)]);
    const missed = lines.flatMap(([line = 0, times]) => times === 0 ? [line] : []);
    files.set(file.trim(), { lines: lines.length, missed });
  }
  return files;
}
