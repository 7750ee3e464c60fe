import type { Kind } from "./point.ts";
import { type Scaling, SIZES } from "./scaling.ts";

interface Column {
  readonly title: string;
  readonly cells: readonly (readonly [kind: Kind, figure: string])[];
  readonly unit: string;
}

/** Two figures in a cell: all sockets on one Subscription, each on one of its own; a third one without the library. */
const COLUMNS: readonly Column[] = [
  { title: "token call", cells: [["calls", "call"]], unit: "µs" },
  { title: "… per id of 100", cells: [["calls", "wideCall"]], unit: "µs" },
  { title: "bind", cells: [["one", "bind"], ["many", "bind"]], unit: "µs" },
  { title: "event for all, per frame", cells: [["one", "frame"], ["many", "frame"]], unit: "µs" },
  { title: "event for one of N", cells: [["many", "event"]], unit: "µs" },
  { title: "memory per socket", cells: [["one", "memory"], ["many", "memory"]], unit: "bytes" },
  { title: "real bind", cells: [["real-one", "bind"], ["real-many", "bind"]], unit: "µs" },
  {
    title: "real frame / bare",
    cells: [["real-one", "frame"], ["real-many", "frame"], ["real-bare", "frame"]],
    unit: "µs",
  },
];

/** The table as Markdown. */
export function formatScaling(scaling: Scaling): string {
  const rows = [
    ["N", ...COLUMNS.map(({ title, unit }) => `${title}, ${unit}`)],
    ["-:", ...COLUMNS.map(() => "-:")],
    ...SIZES.map((size) => [size.toLocaleString("en"), ...COLUMNS.map((column) => formatCell(scaling, column, size))]),
  ];
  return rows.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function formatCell(scaling: Scaling, { cells }: Column, size: number): string {
  const values = cells.map(([kind, figure]) => scaling.get(kind)?.get(size)?.[figure]);
  if (values.every((value) => value === undefined)) return "–";
  return values.map((value) => value === undefined ? "–" : formatValue(value)).join(" / ");
}

function formatValue(value: number): string {
  if (value < 1) return value.toFixed(2);
  return value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString("en");
}
