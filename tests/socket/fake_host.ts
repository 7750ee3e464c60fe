import type { MaybePromise } from "@fhir-ws/binding";
import type { FakeTime } from "./fake_time.ts";

/** Every call that leaves the library; `hear` is a message of the bus on its way in. */
export type Callback =
  | "authenticate"
  | "rate-limit"
  | "read"
  | "activate"
  | "verify"
  | "redeem"
  | "generations"
  | "surviving"
  | "revocations"
  | "may-receive"
  | "append"
  | "log"
  | "heads"
  | "drop"
  | "publish"
  | "listen"
  | "hear";

/** What is done instead of a call; `proceed` is the call itself. */
export type Behaviour = <T>(proceed: () => MaybePromise<T>, args: readonly unknown[]) => MaybePromise<T>;

/** Calls that wait for the test. */
export interface Hold {
  /** How many wait now. */
  readonly waiting: number;
  /** Lets the first go on, or fails it. */
  releaseOne(failure?: { readonly cause: unknown }): void;
  /** Lets all go on, those to come as well. */
  release(): void;
}

/** The host's callbacks: counted, and made to fail, hang or wait as a test says. */
export class FakeHost {
  readonly calls: { readonly name: Callback; readonly args: readonly unknown[] }[] = [];
  readonly #time: FakeTime;
  readonly #behaviours = new Map<Callback, Behaviour>();
  readonly #holds = new Set<Hold>();

  constructor(time: FakeTime) {
    this.#time = time;
  }

  /** Makes a call the host's own. */
  run<T>(name: Callback, proceed: () => MaybePromise<T>, ...args: readonly unknown[]): MaybePromise<T> {
    this.calls.push({ name, args });
    const tracked = () => this.#time.track(proceed());
    const behaviour = this.#behaviours.get(name);
    return behaviour === undefined ? tracked() : behaviour(tracked, args);
  }

  count(name: Callback): number {
    return this.calls.filter((call) => call.name === name).length;
  }

  /** Replaces what a callback does. */
  on(name: Callback, behaviour: Behaviour): void {
    this.#behaviours.set(name, behaviour);
  }

  /** It throws, or rejects where that is asked for. */
  fail(name: Callback, cause: unknown = new Error(`${name} is down`), how: "throws" | "rejects" = "rejects"): void {
    this.on(name, () => {
      if (how === "throws") throw cause;
      return Promise.reject(cause);
    });
  }

  /** The bus loses what it should bring. */
  deafen(): void {
    this.on("hear", <T>() => undefined as T); // what a listener returns is not looked at
  }

  /** It never answers. */
  hang(name: Callback): void {
    this.on(name, () => new Promise(() => {}));
  }

  /** It answers after some milliseconds of fake time, with what was true when it was asked. */
  slow(name: Callback, milliseconds: number): void {
    this.on(name, async (proceed) => {
      const answer = await proceed();
      await new Promise((resolve) => setTimeout(resolve, milliseconds));
      return answer;
    });
  }

  /**
   * It waits until it is released: `before` it looks at anything, or `after`, with an answer from the time when it was
   * asked.
   */
  hold(name: Callback, when: "before" | "after" = "before"): Hold {
    const queue: { resolve(): void; reject(cause: unknown): void }[] = [];
    const wait = () => new Promise<void>((resolve, reject) => queue.push({ resolve, reject }));
    this.on(name, async (proceed) => {
      if (when === "before") {
        await wait();
        return await proceed();
      }
      const answer = await proceed();
      await wait();
      return answer;
    });
    const hold: Hold = {
      get waiting() {
        return queue.length;
      },
      releaseOne: (failure) => {
        const first = queue.shift();
        if (failure === undefined) first?.resolve();
        else first?.reject(failure.cause);
      },
      release: () => {
        this.heal(name);
        for (const { resolve } of queue.splice(0)) resolve();
      },
    };
    this.#holds.add(hold);
    return hold;
  }

  /** It works again. Calls that hang go on hanging. */
  heal(name: Callback): void {
    this.#behaviours.delete(name);
  }

  healAll(): void {
    for (const hold of this.#holds) hold.release();
    this.#behaviours.clear();
  }
}
