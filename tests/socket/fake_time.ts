import type { MaybePromise } from "@fhir-ws/binding";
import { setImmediate } from "node:timers";

/** Midnight of a new year: whole seconds make expiries easy to read. */
export const START = Date.UTC(2030, 0, 1);

interface Timer {
  readonly at: number;
  readonly run: () => void;
}

/**
 * Two clocks, as in every computer: one that the wall shows and somebody may set, and one that timers run by. Both stand
 * still until `advance`.
 */
export class FakeTime {
  /** Work of the fake host that will end by itself: `settle` waits for it. */
  #pending = 0;
  #wall = START;
  #elapsed = 0;
  #ids = 0;
  readonly #timers = new Map<number, Timer>();
  #fired = 0;

  readonly now = (): number => this.#wall;

  /** Timers that wait. */
  get armed(): number {
    return this.#timers.size;
  }

  /** Timers that have run. */
  get fired(): number {
    return this.#fired;
  }

  /** Puts itself in the place of `setTimeout`; returns how to leave it. */
  install(): () => void {
    const { setTimeout, clearTimeout } = globalThis;
    const fake = (run: (...args: unknown[]) => void, milliseconds = 0, ...args: unknown[]): number => {
      this.#ids += 1;
      this.#timers.set(this.#ids, { at: this.#elapsed + Math.max(0, milliseconds), run: () => run(...args) });
      return this.#ids;
    };
    globalThis.setTimeout = fake as unknown as typeof setTimeout; // each runtime returns something else; we a number
    globalThis.clearTimeout = ((id?: number) => void this.#timers.delete(id ?? 0)) as typeof clearTimeout;
    return () => Object.assign(globalThis, { setTimeout, clearTimeout });
  }

  /** Sets the wall clock by some milliseconds; timers do not notice. */
  setWall(by: number): void {
    this.#wall += by;
  }

  /** Lets time pass; after each timer everything that it set going comes to rest. */
  async advance(milliseconds: number): Promise<void> {
    const target = this.#elapsed + milliseconds;
    await this.settle();
    for (let next = this.#first(); next !== undefined && next[1].at <= target; next = this.#first()) {
      const [id, { at, run }] = next;
      this.#pass(at - this.#elapsed);
      this.#timers.delete(id);
      this.#fired += 1;
      run();
      await this.settle();
    }
    this.#pass(target - this.#elapsed);
    await this.settle();
  }

  /** Waits until all that can go on without time passing has gone on. */
  async settle(): Promise<void> {
    do await new Promise<void>((resolve) => setImmediate(() => resolve())); while (this.#pending > 0);
    await new Promise<void>((resolve) => setImmediate(() => resolve()));
  }

  /** Makes `settle` wait for a promise. */
  track<T>(work: MaybePromise<T>): MaybePromise<T> {
    if (!(work instanceof Promise)) return work;
    this.#pending += 1;
    return work.finally(() => {
      this.#pending -= 1;
    });
  }

  #first(): [number, Timer] | undefined {
    let first: [number, Timer] | undefined;
    for (const entry of this.#timers) if (first === undefined || entry[1].at < first[1].at) first = entry;
    return first;
  }

  #pass(milliseconds: number): void {
    this.#elapsed += milliseconds;
    this.#wall += milliseconds;
  }
}
