import type { BusMessage, NotificationBus } from "../../src/types.ts";
import { type Contract, type ContractSetup, expectEqual } from "./contract.ts";

/** Milliseconds after which a message counts as lost. */
const PATIENCE = 2000;
const SETUP: ContractSetup = { now: Date.now };
const RESYNC: BusMessage = { type: "resync" };
const MESSAGES: readonly BusMessage[] = [
  { type: "event", keys: ["a", '["https://example.org/fhir","ü",""]'], numbers: [1, 2 ** 40] },
  { type: "changed", key: "a\"'\\\n" },
  { type: "revoked", subject: "tok:t1" },
  RESYNC,
];
const WITH_EVENT: BusMessage = {
  type: "event",
  keys: ["a"],
  numbers: [2],
  event: {
    interaction: "update",
    focus: "Patient/p1",
    resource: { resourceType: "Patient", id: "p1" },
    timestamp: "2026-01-02T03:04:05.678Z",
    additionalContext: [{ reference: "Practitioner/ü\u{1F489}" }],
  },
};

/**
 * What a `NotificationBus` promises while nothing fails. A bus may also lose, delay or double messages: what its
 * network can do to it is for tests of its own.
 *
 * @example
 * ```ts
 * import { notificationBusContract } from "@fhir-ws/binding/contracts";
 * import { createMemoryBus } from "@fhir-ws/binding/storage/memory";
 *
 * for (const contract of notificationBusContract) await contract.run(() => createMemoryBus());
 * ```
 */
export const notificationBusContract: readonly Contract<NotificationBus>[] = [
  {
    name: "carries every kind of message to the publisher's own process",
    async run(make) {
      const bus = await make(SETUP);
      const ear = await listen(bus);
      for (const message of MESSAGES) await bus.publish(message);
      expectEqual(await ear.hears(MESSAGES.length), MESSAGES, "messages");
      ear.unlisten();
    },
  },
  {
    name: "carries an event with its numbers",
    needs: "events",
    async run(make) {
      const bus = await make(SETUP);
      const ear = await listen(bus);
      await bus.publish(WITH_EVENT);
      expectEqual(await ear.hears(1), [WITH_EVENT], "messages");
      ear.unlisten();
    },
  },
  {
    name: "calls every listener, one that listens twice twice",
    async run(make) {
      const bus = await make(SETUP);
      const ears = [await listen(bus), await listen(bus)];
      const twice: BusMessage[] = [];
      const hear = (message: BusMessage): void => void twice.push(message);
      const unlisten = [await bus.listen(hear), await bus.listen(hear)];
      const last = await listen(bus);
      await bus.publish(RESYNC);
      for (const ear of [...ears, last]) expectEqual(await ear.hears(1), [RESYNC], "messages of one listener");
      expectEqual(twice, [RESYNC, RESYNC], "messages of the one that listens twice");
      unlisten[0]?.();
      await bus.publish(RESYNC);
      await last.hears(2);
      expectEqual(twice.length, 3, "messages of the one that still listens once");
      unlisten[1]?.();
      for (const ear of [...ears, last]) ear.unlisten();
    },
  },
  {
    name: "keeps the order of one publisher",
    async run(make) {
      const bus = await make(SETUP);
      const ear = await listen(bus);
      const messages = Array.from({ length: 100 }, (_, index): BusMessage => ({ type: "changed", key: `k${index}` }));
      await Promise.all(messages.map((message) => bus.publish(message)));
      expectEqual(await ear.hears(100), messages, "messages");
      ear.unlisten();
    },
  },
  {
    name: "keeps the order for all when a listener publishes",
    async run(make) {
      const bus = await make(SETUP);
      const published: Promise<void>[] = [];
      const unlisten = await bus.listen((message) => {
        if (message.type === "changed") published.push(Promise.resolve(bus.publish({ type: "revoked", subject: "b" })));
      });
      const ear = await listen(bus);
      await bus.publish({ type: "changed", key: "a" });
      expectEqual((await ear.hears(2)).map(({ type }) => type), ["changed", "revoked"], "messages");
      await Promise.all(published);
      unlisten();
      ear.unlisten();
    },
  },
  {
    name: "calls nobody who has stopped listening, not even during a delivery",
    async run(make) {
      const bus = await make(SETUP);
      const heard: string[] = [];
      const unlistenOnce = await bus.listen(() => {
        heard.push("once");
        unlistenOnce();
        unlistenNever();
      });
      const unlistenNever = await bus.listen(() => void heard.push("never"));
      const ear = await listen(bus);
      await bus.publish(RESYNC);
      await bus.publish(RESYNC);
      await ear.hears(2);
      expectEqual(heard, ["once"], "calls of those that stopped");
      unlistenOnce();
      ear.unlisten();
      // Whoever listens last is called last: once it has heard, the message has passed everybody.
      const next = await listen(bus);
      await bus.publish(RESYNC);
      await next.hears(1);
      expectEqual(ear.heard.length, 2, "messages of the one that stopped");
      next.unlisten();
    },
  },
  {
    name: "lets all hear when one listener throws",
    async run(make) {
      const bus = await make(SETUP);
      const unlisten = await bus.listen(() => {
        throw new Error("a listener of the contract throws");
      });
      const ear = await listen(bus);
      // How the bus reports it is its own business; it may throw it at the publisher.
      await Promise.resolve().then(() => bus.publish(RESYNC)).catch(() => {});
      expectEqual(await ear.hears(1), [RESYNC], "messages of the other");
      unlisten();
      ear.unlisten();
    },
  },
];

interface Ear {
  readonly heard: readonly BusMessage[];
  /** What was heard, once there are so many messages. */
  hears(count: number): Promise<readonly BusMessage[]>;
  unlisten(): void;
}

async function listen(bus: NotificationBus): Promise<Ear> {
  const heard: BusMessage[] = [];
  let wake = (): void => {};
  const unlisten = await bus.listen((message) => {
    heard.push(message);
    wake();
  });
  function hears(count: number): Promise<readonly BusMessage[]> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`Cannot hear: ${heard.length} of ${count} messages came in ${PATIENCE} ms`)),
        PATIENCE,
      );
      wake = () => {
        if (heard.length < count) return;
        clearTimeout(timer);
        resolve(heard);
      };
      wake();
    });
  }
  return { heard, hears, unlisten };
}
