import type { BusMessage } from "@fhir-ws/binding";
import type { Callback, FakeHost } from "../socket/fake_host.ts";

/** A call of the library that stands before a gate. */
export interface Gate {
  readonly args: readonly unknown[];
  /** Lets it look at what it is about, and hold the answer back until `open`. */
  look(): void;
  /** Lets it go, with what it saw when it looked, else with what is true now. */
  open(): void;
  /** Lets it fail. */
  fail(): void;
}

/** Puts a gate before every call of one kind, in the order of the calls. */
export function gateAll(host: FakeHost, name: Callback): Gate[] {
  const gates: Gate[] = [];
  host.on(name, async (proceed, args) => {
    const look = Promise.withResolvers<void>();
    const leave = Promise.withResolvers<void>();
    gates.push({
      args,
      look: look.resolve,
      open() {
        look.resolve();
        leave.resolve();
      },
      fail() {
        look.resolve();
        leave.reject(new Error(`${name} is down`));
      },
    });
    await look.promise;
    const answer = await proceed();
    await leave.promise;
    return answer;
  });
  return gates;
}

/** Makes every call of one kind answer with this, whatever it has to be by type. */
export function answer(host: FakeHost, name: Callback, give: (...args: readonly unknown[]) => unknown): void {
  host.on(name, (_proceed, args) => give(...args) as never); // one behaviour serves calls of all types
}

/** Stands between the bus and the binder: a message that is not passed on is lost. */
export function intercept(host: FakeHost, handle: (pass: () => void, message: BusMessage) => void): void {
  host.on("hear", (proceed, [message]) => {
    handle(() => void proceed(), message as BusMessage); // nothing else is heard
    return undefined as never; // nobody asks what came of a message
  });
}
