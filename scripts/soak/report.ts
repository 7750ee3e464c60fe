import type { Held } from "./measure.ts";
import type { SoakResult } from "./soak.ts";

/** Kinds of violations that are shown, each by its first. */
const SHOWN = 20;

/** A soak as text for people. */
export function formatResult(result: SoakResult): string {
  const { violations, clients, server, written, before, after, peak } = result;
  const kinds = kindsOf(violations);
  const shown = kinds.slice(0, SHOWN).map(([first, n]) => `VIOLATION${n > 1 ? ` (${n} of this kind)` : ""}: ${first}`);
  if (kinds.length > SHOWN) shown.push(`… and ${kinds.length - SHOWN} more kinds`);
  return [
    `clients: ${formatCounts(clients)}`,
    `server: ${formatCounts(server)}`,
    `events written: ${formatNumber(written)}; most at once: ${formatCounts(new Map(Object.entries(peak)))}`,
    `before: ${formatHeld(before)}; after: ${formatHeld(after)}`,
    ...shown,
    violations.length === 0
      ? "no event lost, doubled or out of order, none past its binding's end, nothing left behind"
      : `${formatNumber(violations.length)} violations`,
  ].join("\n");
}

/** Those that differ in numbers alone are of one kind. */
function kindsOf(violations: readonly string[]): [first: string, count: number][] {
  const kinds = new Map<string, [string, number]>();
  for (const what of violations) {
    const kind = kinds.get(what.replace(/\d+/g, "0")) ?? [what, 0];
    kind[1]++;
    kinds.set(what.replace(/\d+/g, "0"), kind);
  }
  return [...kinds.values()];
}

function formatCounts(counts: ReadonlyMap<string, number>): string {
  return [...counts].sort(([a], [b]) => a < b ? -1 : 1).map(([name, n]) => `${name} ${formatNumber(n)}`).join(", ");
}

function formatHeld({ heap, resident, descriptors }: Held): string {
  const open = descriptors === undefined ? "descriptors unknown" : `${descriptors} descriptors`;
  return `heap ${formatMegabytes(heap)}, resident ${formatMegabytes(resident)}, ${open}`;
}

function formatMegabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function formatNumber(n: number): string {
  return n.toLocaleString("en");
}
