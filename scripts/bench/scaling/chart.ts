// The figures as a picture that stands on a card of its own, so that it can be read on light and dark pages.

import type { Kind } from "./point.ts";
import type { Scaling } from "./scaling.ts";

interface Series {
  readonly label: string;
  readonly colour: string;
  readonly dashes?: string;
  readonly kind: Kind;
  readonly figure: string;
}

interface Panel {
  readonly title: string;
  /** Values of the ticks, from the bottom to the top of the axis. */
  readonly ticks: readonly number[];
  readonly isLogarithmic: boolean;
  readonly left: number;
  readonly series: readonly Series[];
}

/** Colours that are told apart by all eyes: https://jfly.uni-koeln.de/color/ */
const [BLUE, ORANGE, GREEN, RED, PURPLE, GREY] = ["#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#57606a"];
const INK = "#24292f";
const LINE = "#d8dee4";
/** Figures of real sockets. */
const DASHES = "5 4";

const PANELS: readonly Panel[] = [
  {
    title: "Microseconds",
    ticks: [0.01, 0.1, 1, 10, 100, 1000],
    isLogarithmic: true,
    left: 64,
    series: [
      { label: "bind, real socket", colour: ORANGE, dashes: DASHES, kind: "real-many", figure: "bind" },
      { label: "bind", colour: ORANGE, kind: "many", figure: "bind" },
      { label: "token call", colour: BLUE, kind: "calls", figure: "call" },
      { label: "event for one of N Subscriptions", colour: PURPLE, kind: "many", figure: "event" },
      { label: "frame, real socket", colour: GREEN, dashes: DASHES, kind: "real-many", figure: "frame" },
      {
        label: "frame, real socket without the library",
        colour: GREY,
        dashes: DASHES,
        kind: "real-bare",
        figure: "frame",
      },
      { label: "frame, N Subscriptions", colour: GREEN, kind: "many", figure: "frame" },
      { label: "frame, one Subscription", colour: RED, kind: "one", figure: "frame" },
    ],
  },
  {
    title: "Bytes per bound socket",
    ticks: [0, 1000, 2000, 3000, 4000],
    isLogarithmic: false,
    left: 515,
    series: [
      { label: "N Subscriptions", colour: GREEN, kind: "many", figure: "memory" },
      { label: "one Subscription", colour: RED, kind: "one", figure: "memory" },
    ],
  },
];

const [WIDTH, HEIGHT] = [890, 430];
/** The plot of a panel. */
const PLOT = { top: 64, width: 330, height: 230 };
const FIRST_DECADE = 2;
const DECADES = 3;

export function drawChart(scaling: Scaling, machine: string): string {
  const title = "Cost by number of sockets and Subscriptions";
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="title desc"
  font-family="system-ui, sans-serif" font-size="12" fill="${INK}">
<title id="title">${title}</title>
<desc id="desc">${describe(scaling)}</desc>
<rect x="0.5" y="0.5" width="${WIDTH - 1}" height="${HEIGHT - 1}" rx="8" fill="#ffffff" stroke="${LINE}"/>
<text x="20" y="28" font-size="15" font-weight="600">${title}</text>
<text x="${WIDTH - 20}" y="28" text-anchor="end" fill="${GREY}">${escape(machine)}</text>
${PANELS.map((panel) => drawPanel(panel, scaling)).join("\n")}
</svg>
`;
}

function drawPanel(panel: Panel, scaling: Scaling): string {
  const { title, left, ticks, series } = panel;
  const { top, width, height } = PLOT;
  return `<text x="${left}" y="${top - 10}" font-weight="600">${title}</text>
${ticks.map((tick) => drawTick(panel, tick)).join("\n")}
${Array.from({ length: DECADES + 1 }, (_, n) => drawSize(left, 10 ** (FIRST_DECADE + n))).join("\n")}
<text x="${left + width / 2}" y="${top + height + 34}" text-anchor="middle" fill="${GREY}">N</text>
${series.map((one) => drawSeries(panel, one, scaling)).join("\n")}
${series.map((one, n) => drawLegend(one, left + (n % 2) * 176, top + height + 56 + (n >> 1) * 20)).join("\n")}`;
}

function drawTick(panel: Panel, tick: number): string {
  const { left } = panel;
  const y = yOf(panel, tick);
  return `<path d="M${left} ${y}h${PLOT.width}" stroke="${LINE}"/>
<text x="${left - 8}" y="${y + 4}" text-anchor="end">${tick.toLocaleString("en")}</text>`;
}

function drawSize(left: number, size: number): string {
  const x = xOf(left, size);
  const y = PLOT.top + PLOT.height;
  return `<text x="${x}" y="${y + 17}" text-anchor="middle">${size.toLocaleString("en")}</text>`;
}

function drawSeries(panel: Panel, { colour, dashes, kind, figure }: Series, scaling: Scaling): string {
  const points = [...scaling.get(kind) ?? []].flatMap(([size, { [figure]: value }]) =>
    value === undefined ? [] : [[xOf(panel.left, size), yOf(panel, value)] as const]
  );
  const path = points.map(([x, y], n) => `${n === 0 ? "M" : "L"}${x} ${y}`).join("");
  const dots = points.map(([x, y]) => `<circle cx="${x}" cy="${y}" r="3" fill="${colour}"/>`).join("");
  const dashed = dashes === undefined ? "" : ` stroke-dasharray="${dashes}"`;
  return `<path d="${path}" fill="none" stroke="${colour}" stroke-width="2"${dashed}/>${dots}`;
}

function drawLegend({ label, colour, dashes }: Series, x: number, y: number): string {
  const dashed = dashes === undefined ? "" : ` stroke-dasharray="${dashes}"`;
  return `<path d="M${x} ${y - 4}h20" stroke="${colour}" stroke-width="2"${dashed}/><text x="${
    x + 26
  }" y="${y}">${label}</text>`;
}

function xOf(left: number, size: number): number {
  return round(left + (Math.log10(size) - FIRST_DECADE) / DECADES * PLOT.width);
}

function yOf({ ticks, isLogarithmic }: Panel, value: number): number {
  const scale = isLogarithmic ? Math.log10 : (value: number) => value;
  const [low, high] = [scale(ticks[0] ?? 0), scale(ticks.at(-1) ?? 1)];
  const share = Math.min(1, Math.max(0, (scale(value) - low) / (high - low)));
  return round(PLOT.top + PLOT.height * (1 - share));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** What somebody hears who does not see it. */
function describe(scaling: Scaling): string {
  return PANELS.map(({ title, series }) => {
    const lines = series.map(({ label, kind, figure }) => {
      const values = [...scaling.get(kind) ?? []].map(([size, point]) => `${round(point[figure] ?? NaN)} at ${size}`);
      return `${label}: ${values.join(", ")}`;
    });
    return `${title}. ${lines.join("; ")}.`;
  }).join(" ");
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
