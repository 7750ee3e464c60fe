import { createRedisBus } from "@fhir-ws/binding/bus/redis";
import { notificationBusContract } from "@fhir-ws/binding/contracts";
import type { NotificationBus, NotificationEvent } from "@fhir-ws/binding";
import { assertEquals, assertInstanceOf } from "@std/assert";
import { after, before, describe, test } from "node:test";
import { uniqueName } from "../several/engines.ts";
import { type Connection, libraries, type Library, send } from "../storage/redis_clients.ts";
import { eventFor, firstError, listen, numbersIn } from "./channels.ts";

const EVENT: NotificationEvent = { interaction: "create", focus: "Patient/p1" };

function testLibrary({ open }: Library): void {
  let publisher: Connection;
  let subscriber: Connection;
  before(async () => {
    [publisher, subscriber] = [await open(), await open()];
  });
  after(() => {
    publisher.close();
    subscriber.close();
  });

  function makeBus(options: { channel?: string; onError?: (cause: unknown) => void } = {}): NotificationBus {
    return createRedisBus(publisher.client, subscriber.client, { channel: uniqueName(), ...options });
  }

  for (const { name, run } of notificationBusContract) test(`createRedisBus ${name}`, () => run(() => makeBus()));

  test("createRedisBus tells the host what a listener threw", async () => {
    const { told, onError } = firstError();
    const bus = makeBus({ onError });
    const unlisten = await bus.listen(() => {
      throw new Error("a listener");
    });
    await bus.publish({ type: "resync" });
    const cause = await told;
    assertInstanceOf(cause, Error);
    assertEquals(cause.message, "a listener");
    unlisten();
  });

  test("createRedisBus carries events up to 64 KiB, and any number of keys", async () => {
    const bus = makeBus();
    const ear = await listen(bus);
    const middling = { ...EVENT, resource: { resourceType: "Basic", id: "x".repeat(60_000) } };
    const big = { ...EVENT, resource: { resourceType: "Basic", id: "x".repeat(70_000) } };
    await bus.publish({ ...eventFor(1), event: middling });
    await bus.publish({ ...eventFor(1), event: big });
    assertEquals(await ear.until(({ length }) => length === 2), [{ ...eventFor(1), event: middling }, eventFor(1)]);
    const many = eventFor(5000, (n) => `["https://example.org/fhir",null,"${n}"]`);
    await bus.publish({ ...many, event: EVENT });
    const heard = await ear.until((heard) => numbersIn(heard).size === 5001);
    assertEquals(numbersIn(heard.slice(2)), numbersIn([many]));
    assertEquals(heard.slice(2).filter((one) => one.type !== "event" || one.event === undefined), []);
    ear.unlisten();
  });

  test("createRedisBus ignores what is no message", async () => {
    const channel = uniqueName();
    const bus = makeBus({ channel });
    const ear = await listen(bus);
    for (const text of ["nonsense", "{}", "[null]", '[{"type":"changed"}]']) {
      await send(publisher.client, "PUBLISH", channel, text);
    }
    await bus.publish({ type: "changed", key: "last" });
    assertEquals(await ear.until(({ length }) => length > 0), [{ type: "changed", key: "last" }]);
    ear.unlisten();
  });

  test("createRedisBus tells to resync each time that its connection was lost and has come back", async () => {
    const name = uniqueName();
    const own = await open(name);
    const bus = createRedisBus(publisher.client, own.client, { channel: uniqueName() });
    const ear = await listen(bus);
    for (const times of [1, 2]) {
      const list = String(await send(publisher.client, "CLIENT", "LIST"));
      const [, id = ""] = new RegExp(`^id=(\\d+) .*name=${name} `, "m").exec(list) ?? [];
      assertEquals(await send(publisher.client, "CLIENT", "KILL", "ID", id), 1);
      await ear.until((heard) => heard.filter(({ type }) => type === "resync").length === times);
      await bus.publish({ type: "changed", key: `after ${times}` });
      await ear.until((heard) => heard.at(-1)?.type === "changed");
    }
    assertEquals(ear.heard.map(({ type }) => type), ["resync", "changed", "resync", "changed"]);
    ear.unlisten();
    own.close();
  });

  test("createRedisBus subscribes only while somebody listens", async () => {
    const channel = uniqueName();
    async function subscribers(): Promise<unknown> {
      return (await send(publisher.client, "PUBSUB", "NUMSUB", channel) as unknown[])[1];
    }
    const bus = makeBus({ channel });
    await bus.publish({ type: "resync" });
    assertEquals(await subscribers(), 0);
    const ears = [await listen(bus), await listen(bus)];
    assertEquals(await subscribers(), 1);
    ears[0]!.unlisten();
    assertEquals(await subscribers(), 1);
    ears[1]!.unlisten();
    ears[1]!.unlisten();
    while (await subscribers() !== 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const again = await listen(bus);
    await bus.publish({ type: "changed", key: "a" });
    assertEquals(await again.until(({ length }) => length > 0), [{ type: "changed", key: "a" }]);
    again.unlisten();
  });
}

describe("Redis", () => {
  for (const library of libraries) {
    // The reason is also in the name, since Deno does not report it.
    if (library.skip) test(`by ${library.name}: ${library.skip}`, { skip: library.skip }, () => {});
    else describe(`by ${library.name}`, () => testLibrary(library));
  }
});
