import type { EventLog, MaybePromise } from "@fhir-ws/binding";
import { createDraws, type Draws, type Shares } from "./random.ts";

/** What may go wrong with a call: it throws, rejects, never answers, or answers late with what was true in time. */
export type LogFault = "throw" | "reject" | "hang" | "delay";

export interface FaultyLogOptions {
  readonly seed: number;
  readonly faults: { readonly [method in keyof EventLog]?: Shares<LogFault> };
  /** Milliseconds of the longest delay. Default 1000. */
  readonly longest?: number;
}

export interface FaultyLog extends EventLog, Pick<Draws<LogFault>, "heal" | "counts"> {}

/** An event log that fails now and then: the same calls with the same seed fail the same way. */
export function createFaultyLog(log: EventLog, { seed, faults, longest = 1000 }: FaultyLogOptions): FaultyLog {
  const { draw, delay, heal, counts } = createDraws<LogFault>(seed);

  function call<T>(method: keyof EventLog, proceed: () => MaybePromise<T>): MaybePromise<T> {
    const fault = draw(faults[method]);
    if (fault === undefined) return proceed();
    if (fault === "throw") throw new Error(`${method} fails by seed ${seed}`);
    if (fault === "reject") return Promise.reject(new Error(`${method} fails by seed ${seed}`));
    return fault === "hang" ? new Promise<T>(() => {}) : later(proceed);
  }

  async function later<T>(proceed: () => MaybePromise<T>): Promise<T> {
    const answer = await proceed();
    await new Promise<void>((resolve) => setTimeout(resolve, delay(longest)));
    return answer;
  }

  return {
    heal,
    counts,
    append: (keys, event) => call("append", () => log.append(keys, event)),
    read: (key, after, limit) => call("read", () => log.read(key, after, limit)),
    heads: (keys) => call("heads", () => log.heads(keys)),
    drop: (key) => call("drop", () => log.drop(key)),
  };
}
