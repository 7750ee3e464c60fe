// All targets of all runtimes in one table, as the README has it.

import type { CaseResult } from "./result.ts";
import type { Run } from "./runs.ts";

/** Targets that share a row, in the order in which their figures stand in it; all others have a row each. */
const ROWS: readonly { readonly title: string; readonly parts: readonly string[] }[] = [
  { title: "HS256 sign / verify, against `jose`", parts: ["hs256-sign jose", "hs256-verify jose"] },
  {
    title: "ES256 sign / verify and EdDSA sign / verify, against bare WebCrypto",
    parts: ["es256-sign floor", "es256-verify floor", "eddsa-sign floor", "eddsa-verify floor"],
  },
  {
    title: "sign / verify, against a token as Medplum makes it",
    parts: ["medplum-sign medplum", "medplum-verify medplum"],
  },
  { title: "the operation, against the least that must be done", parts: ["operation floor"] },
  {
    title: "an event to 2,000 / 5,000 sockets of one Subscription and to as many of one each, against a bare loop",
    parts: ["fan-out-one bare", "fan-out-one-more bare", "fan-out-many bare", "fan-out-many-more bare"],
  },
  { title: "10,000 events replayed, against a loop by hand", parts: ["replay by hand"] },
  {
    title: "SQLite lookup / redeem / append, against statements by hand",
    parts: ["sqlite-lookup hand", "sqlite-redeem hand", "sqlite-append hand"],
  },
  {
    title: "Deno KV lookup / redeem / append, against calls by hand",
    parts: ["kv-lookup hand", "kv-redeem hand", "kv-append hand"],
  },
  {
    title: "from process to process by PostgreSQL / Redis, against statements by hand",
    parts: ["several-postgres hand", "several-redis hand"],
  },
  { title: "100,000 idle bindings with a heartbeat a minute", parts: ["idle of one core, over a minute"] },
  {
    title: "heap of a bound socket / its growth by 100,000 binds and unbinds",
    parts: ["heap a bound socket above a bare one", "heap after 100,000 binds and unbinds"],
  },
  {
    title: "access reads for an event to 1 / 100 / 10,000 sockets of a caller",
    parts: ["recheck reads with 1 sockets", "recheck reads with 100 sockets", "recheck reads with 10000 sockets"],
  },
  {
    title: "beside one stalled reader among 1,000: median delay of the others / send buffers that it holds",
    parts: ["stalled median delay of the others", "stalled what it holds, by its send buffer"],
  },
];

/** A figure that has a target. */
interface Judged {
  /** What it is asked for by. */
  readonly part: string;
  readonly title: string;
  readonly target: string;
  readonly value: string;
  readonly pass: boolean;
}

/** The table as Markdown; what missed its target is in bold. */
export function formatSummary(runs: readonly Run[]): string {
  const judged = runs.map(({ results }) => new Map(results.flatMap(judgedOf).map((one) => [one.part, one])));
  const known = new Map(judged.flatMap((all) => [...all.values()]).map((one) => [one.part, one]));
  const grouped = new Set(ROWS.flatMap(({ parts }) => parts));
  const rows = [
    ...ROWS.map((row) => ({ ...row, parts: row.parts.filter((part) => known.has(part)) })).filter(({ parts }) =>
      parts.length > 0
    ),
    ...[...known.values()].filter(({ part }) => !grouped.has(part)).map(({ part, title }) => ({
      title,
      parts: [part],
    })),
  ];
  const lines = [
    ["", "target", ...runs.map(({ machine: { runtime: { name, version } } }) => `${name} ${version}`)],
    ["---", "---", ...runs.map(() => "---")],
    ...rows.map(({ title, parts }) => [
      title,
      joinTargets(parts.map((part) => known.get(part)?.target ?? "")),
      ...judged.map((all) => formatCell(parts, all)),
    ]),
  ];
  const [run] = runs;
  const place = run === undefined ? "" : `Measured on ${run.machine.cpu}, ${run.machine.system}.`;
  return [...lines.map((cells) => `| ${cells.join(" | ")} |`), "", place].join("\n");
}

function formatCell(parts: readonly string[], all: ReadonlyMap<string, Judged>): string {
  if (!parts.some((part) => all.has(part))) return "–";
  return parts.map((part) => {
    const one = all.get(part);
    return one === undefined ? "–" : one.pass ? one.value : `**${one.value}**`;
  }).join(" / ");
}

function judgedOf(result: CaseResult): Judged[] {
  if ("figures" in result) {
    return result.figures.flatMap(({ name, value, unit, atMost, pass }) =>
      atMost === undefined || pass === undefined ? [] : [{
        part: `${result.name} ${name}`,
        title: `${result.title}: ${name}`,
        target: `≤ ${withUnit(atMost, unit)}`,
        value: withUnit(value, unit),
        pass,
      }]
    );
  }
  return result.ratios.flatMap(({ against, kind, median, target, pass }) =>
    target === undefined || pass === undefined ? [] : [{
      part: `${result.name} ${against}`,
      title: `${result.title}, against ${against}`,
      target: kind === "cost" ? `cost ≤ ${target}` : `speed ≥ ${target}`,
      value: median.toFixed(2),
      pass,
    }]
  );
}

function withUnit(value: number, unit: string): string {
  const number = value.toLocaleString("en", { maximumSignificantDigits: value < 100 ? 2 : 4 });
  const [first = ""] = unit.split(" ");
  return first === "" ? number : `${number} ${first}`;
}

/** One target where all have the same. */
function joinTargets(targets: readonly string[]): string {
  const [first = ""] = targets;
  if (targets.every((target) => target === first)) return first;
  return targets.map((target, n) => n === 0 ? target : target.replace(/^(?:cost|speed) /, "")).join(" / ");
}
