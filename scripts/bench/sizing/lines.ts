// The figures as lines for people, as the README quotes them.

import { SOCKETS, type Store, SUBSCRIPTIONS } from "./place.ts";
import type { Piece, Sizing } from "./sizing.ts";

const NAMES: { readonly [store in Store]: string } = { memory: "memory", postgres: "PostgreSQL", redis: "Redis" };

const PIECES: { readonly [piece in Piece]: { readonly title: string; readonly unit: string } } = {
  writes: { title: `notify() over ${format(SUBSCRIPTIONS)} Subscriptions`, unit: "events/s" },
  servers: { title: "written and delivered by three servers to 30 sockets", unit: "events/s" },
  one: { title: `an event of 1 KiB to ${format(SOCKETS)} sockets of one process and one Subscription`, unit: "ms" },
  many: { title: "the same where each socket has a Subscription of its own", unit: "ms" },
  "many-carried": { title: "… by a bus that carries the event", unit: "ms" },
};

/** A line for each figure, the median of its rounds with the least and the most, and the rule that follows. */
export function formatSizing(sizing: Sizing): string {
  const lines = [...sizing].flatMap(([store, pieces]) =>
    [...pieces].map(([piece, figures]) => {
      const { title, unit } = PIECES[piece];
      const range = `${format(Math.min(...figures))} to ${format(Math.max(...figures))}`;
      return `${NAMES[store]}: ${title}: ${format(median(figures))} ${unit} (${range})`;
    })
  );
  return [...lines, `Keep sockets × events/s of a process below ${format(mostFrames(sizing))}.`].join("\n");
}

/** Half of what a process sends in a second at the slowest store, in two digits: frames. */
function mostFrames(sizing: Sizing): number {
  const slowest = Math.max(...[...sizing.values()].map((pieces) => median(pieces.get("one") ?? [])));
  const frames = SOCKETS * 1000 / slowest / 2;
  const unit = 10 ** (Math.floor(Math.log10(frames)) - 1);
  return Math.floor(frames / unit) * unit;
}

function median(figures: readonly number[]): number {
  return figures.toSorted((a, b) => a - b)[figures.length >> 1] ?? NaN;
}

/** Three digits: what rounds differ by is more than that. */
function format(value: number): string {
  return value.toLocaleString("en", { maximumSignificantDigits: 3 });
}
