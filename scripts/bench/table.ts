import type { CaseResult, FigureResult, Ratio, Spread, TimeResult } from "./result.ts";

/** A case as text for people. */
export function formatResult(result: CaseResult): string {
  return "figures" in result ? formatFigures(result) : formatTimes(result);
}

function formatFigures({ name, title, figures }: FigureResult): string {
  const lines = figures.map(({ name, value, unit, atMost, pass }) => {
    const line = `  ${name}: ${value.toLocaleString("en", { maximumSignificantDigits: 4 })} ${unit}`.trimEnd();
    return atMost === undefined ? line : `${line}, target at most ${atMost}: ${pass ? "pass" : "MISS"}`;
  });
  return [`${name}: ${title}`, ...lines, ""].join("\n");
}

function formatTimes({ name, title, variants, ratios }: TimeResult): string {
  const rows = Object.entries(variants).map(([variant, time]) => [
    variant,
    `${Math.round(1e9 / time.median).toLocaleString("en")}/s`,
    formatSpread(time, formatTime),
  ]);
  const width = Math.max(...rows.map(([variant = ""]) => variant.length));
  return [
    `${name}: ${title}`,
    ...rows.map(([variant = "", rate = "", time]) => `  ${variant.padEnd(width)} ${rate.padStart(12)}  ${time}`),
    ...ratios.map((ratio) => `  ${formatRatio(ratio)}`),
    "",
  ].join("\n");
}

function formatRatio(ratio: Ratio): string {
  const figures = formatSpread(ratio, (value) => value.toFixed(2));
  const line = `${ratio.kind} of ours by ${ratio.against}: ${figures}`;
  if (ratio.target === undefined) return line;
  const limit = `${ratio.kind === "cost" ? "at most" : "at least"} ${ratio.target.toFixed(2)}`;
  return `${line}, target ${limit}: ${ratio.pass ? "pass" : "MISS"}`;
}

function formatSpread({ median, min, max }: Spread, format: (value: number) => string): string {
  return `${format(median)} (${format(min)} to ${format(max)})`;
}

function formatTime(nanoseconds: number): string {
  if (nanoseconds < 1e3) return `${nanoseconds.toFixed(1)} ns`;
  return nanoseconds < 1e6 ? `${(nanoseconds / 1e3).toFixed(1)} µs` : `${(nanoseconds / 1e6).toFixed(2)} ms`;
}
