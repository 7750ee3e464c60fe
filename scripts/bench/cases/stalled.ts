// Whether one who does not read keeps the others waiting.

import type { BenchCase, Figure } from "../bench_case.ts";
import { createCrowd, type Crowd, Sink } from "../sockets/crowd.ts";

export const cases: readonly BenchCase[] = [
  {
    name: "stalled",
    title: "a reader that stalls for ten seconds among 1,000 of one Subscription",
    weigh: weighStalled,
  },
];

const SOCKETS = 1000;
const STALL = 10_000;
/** Milliseconds from one event to the next. */
const PAUSE = 5;
const SEND_BUFFER = 65_536;
const EVENT = {
  interaction: "update",
  focus: "Patient/p1",
  resource: { resourceType: "Patient", id: "p1", note: "x".repeat(960) },
} as const;

/** A reader stalls in one of two crowds, then in the other: no two are quite as fast. */
async function weighStalled(): Promise<readonly Figure[]> {
  const [one, other] = [await fill(), await fill()];
  for (let n = 0; n < 100; n++) for (const { tell } of [one, other]) await tell(); // warms up
  const stalls = [await stall(one, other), await stall(other, one)];
  for (const { crowd } of [one, other]) await crowd.binder.close();
  const ratio = Math.sqrt(stalls.reduce((product, { ratio }) => product * ratio, 1));
  const untaken = Math.max(...stalls.map(({ untaken }) => untaken));
  return [
    { name: "median delay of the others", value: ratio, unit: "×", atMost: 1.2 },
    { name: "what it holds, by its send buffer", value: untaken / SEND_BUFFER, unit: "×", atMost: 1.1 },
  ];
}

/** Events for both, in turn: what slows one slows the other. */
async function stall(held: Filled, free: Filled): Promise<{ readonly ratio: number; readonly untaken: number }> {
  for (const { delays } of [held, free]) delays.length = 0;
  const { first } = held;
  first.stalled = true;
  const end = performance.now() + STALL;
  for (let events = 0; performance.now() < end; events++) {
    for (const { tell } of events % 2 === 0 ? [free, held] : [held, free]) {
      await pause(PAUSE); // before each: the second would find the processor warm
      await tell();
    }
  }
  const { bufferedAmount: untaken, frames } = first;
  first.release();
  for (let n = 0; n < 100 && first.frames < free.first.frames; n++) await pause(PAUSE);
  if (frames === first.frames) throw new Error("Cannot measure: nobody has stalled");
  if (first.frames !== free.first.frames) throw new Error("Cannot measure: the reader has missed something");
  return { ratio: median(held.delays) / median(free.delays), untaken };
}

interface Filled {
  readonly crowd: Crowd;
  /** The one that may stall. */
  readonly first: Reader;
  /** Milliseconds from each event to each socket but that. */
  readonly delays: number[];
  tell(): Promise<void>;
}

async function fill(): Promise<Filled> {
  const crowd = await createCrowd(undefined, { limits: { sendBuffer: SEND_BUFFER } });
  const token = await crowd.mint(["s1"]);
  const delays: number[] = [];
  let told = 0;
  const first = new Reader(() => {});
  for (let n = 0; n < SOCKETS; n++) {
    // It is the first in line: whoever comes after it would have to wait for it.
    const reader = n === 0 ? first : new Reader(() => delays.push(performance.now() - told));
    await crowd.bind(`bind-with-token ${token}`, 1, reader);
  }
  return {
    crowd,
    first,
    delays,
    async tell() {
      told = performance.now();
      await crowd.notifier.notify(["s1"], EVENT);
    },
  };
}

/** A socket whose peer may stop reading. */
class Reader extends Sink {
  stalled = false;
  bufferedAmount = 0;
  frames = 0;
  readonly #took: () => void;

  constructor(took: () => void) {
    super();
    this.#took = took;
  }

  override send(text: string): void {
    super.send(text);
    this.frames++;
    if (this.stalled) this.bufferedAmount += text.length;
    this.#took();
  }

  release(): void {
    this.stalled = false;
    this.bufferedAmount = 0;
    this.session?.drained();
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
