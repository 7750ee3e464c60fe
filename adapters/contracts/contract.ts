import type { MaybePromise } from "../../src/types.ts";

/**
 * What the thing under test is asked to honour. It is shaped like the options of this package's own stores, so that
 * `(setup) => createMemoryEventLog(setup)` is a factory.
 */
export interface ContractSetup {
  /** Milliseconds since the epoch: the contract's own clock, which it moves. */
  readonly now: () => number;
  /** Events to keep per key; set by contracts that need `pruning`. */
  readonly maxEvents?: number;
  /** Seconds to keep an event; set by contracts that need `pruning`. */
  readonly maxAge?: number;
}

/** One promise of an interface. */
export interface Contract<Subject> {
  /** Reads on after the name of what is tested: `gives the grant back as it was put`. */
  readonly name: string;
  /**
   * What is made must be able to do: honour the contract's `clock`, prune by its limits and clock (`pruning`), or carry
   * `events` and not only their numbers. Whoever tests what is made in another way filters such contracts out.
   */
  readonly needs?: "clock" | "pruning" | "events";
  /**
   * Resolves when the promise is kept, and throws an `Error` that says what was seen instead. It calls `make` once, for
   * a fresh and empty instance; closing what it made is the caller's business.
   */
  run(make: (setup: ContractSetup) => MaybePromise<Subject>): Promise<void>;
}

/** A clock that stands still until it is moved. */
export interface Clock {
  readonly now: () => number;
  advance(seconds: number): void;
}

/** Starts at the real time: a store may also expire things by a clock of its own. */
export function createClock(): Clock {
  let now = Date.now();
  return {
    now: () => now,
    advance(seconds) {
      now += seconds * 1000;
    },
  };
}

/** Throws unless both are the same JSON; the order of an object's members does not matter. */
export function expectEqual(actual: unknown, expected: unknown, what: string): void {
  const [seen, wanted] = [canonical(actual), canonical(expected)];
  if (seen !== wanted) throw new Error(`${what}: expected ${shorten(wanted)}, got ${shorten(seen)}`);
}

function canonical(value: unknown): string {
  return JSON.stringify(value, sortMembers) ?? "undefined";
}

function sortMembers(_name: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1));
}

function shorten(text: string): string {
  return text.length > 500 ? `${text.slice(0, 500)}…` : text;
}
