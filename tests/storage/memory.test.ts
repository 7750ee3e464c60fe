import {
  eventLogContract,
  notificationBusContract,
  subscriptionStoreContract,
  tokenStoreContract,
} from "@fhir-ws/binding/contracts";
import {
  createMemoryBus,
  createMemoryEventLog,
  createMemorySubscriptionStore,
  createMemoryTokenStore,
} from "@fhir-ws/binding/storage/memory";
import type { BusMessage, NotificationEvent } from "@fhir-ws/binding";
import { assert, assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import { describe, test } from "node:test";

const EVENT: NotificationEvent = { interaction: "create", focus: "Patient/p1" };

describe("createMemorySubscriptionStore", () => {
  for (const { name, run } of subscriptionStoreContract) test(name, () => run(() => createMemorySubscriptionStore()));

  test("throws TypeError when a Subscription has no id", () => {
    const store = createMemorySubscriptionStore();
    assertThrows(() => store.put({ resourceType: "Subscription" }, { id: "alice" }), TypeError, "it has no id");
  });
});

describe("createMemoryTokenStore", () => {
  for (const { name, run } of tokenStoreContract) test(name, () => run(createMemoryTokenStore));

  test("forgets a redemption long after its expiry, when others are made", async () => {
    let now = 0;
    const store = createMemoryTokenStore({ now: () => now });
    await store.redeem("t1", "first", 3600);
    now = 48 * 3_600_000;
    assertEquals(await store.redeem("t1", "second", 3600), false);
    for (let n = 0; n < 2; n++) await store.redeem(`other-${n}`, "attempt", 49 * 3600);
    assertEquals(await store.redeem("t1", "second", 3600), true);
  });
});

describe("createMemoryEventLog", () => {
  for (const { name, run } of eventLogContract) test(name, () => run(createMemoryEventLog));

  test("throws RangeError when a limit is not positive", () => {
    for (const maxEvents of [0, -1, 1.5, NaN]) assertThrows(() => createMemoryEventLog({ maxEvents }), RangeError);
    for (const maxAge of [0, -1, NaN]) assertThrows(() => createMemoryEventLog({ maxAge }), RangeError);
  });

  test("appends nothing when the event cannot be written as JSON", async () => {
    const log = createMemoryEventLog();
    const resource = { resourceType: "Basic", extra: 1n };
    assertThrows(() => log.append(["a"], { ...EVENT, resource }), TypeError);
    assertEquals(await log.append(["a"], EVENT), [1]);
  });

  test("shares one copy of the resource among all keys", async () => {
    const log = createMemoryEventLog();
    await log.append(["a", "b"], { ...EVENT, resource: { resourceType: "Patient", id: "p1" } });
    const [a, b] = [await log.read("a", 0, 1), await log.read("b", 0, 1)];
    assertStrictEquals(a.events[0]?.resource, b.events[0]?.resource);
  });

  test("leaves no gap in a page when the clock was set back", async () => {
    let now = 1_000_000;
    const log = createMemoryEventLog({ maxAge: 60, now: () => now });
    await log.append(["a"], EVENT);
    now -= 50_000;
    await log.append(["a"], EVENT);
    now += 70_000;
    assertEquals((await log.read("a", 0, 9)).events.map(({ number }) => number), [1, 2]);
    now += 50_000;
    assertEquals(await log.read("a", 0, 9), { events: [], oldest: 3, head: 2 });
  });
});

describe("createMemoryBus", () => {
  for (const { name, run } of notificationBusContract) test(name, () => run(createMemoryBus));

  test("has delivered when publish returns, and throws then what listeners threw", () => {
    const bus = createMemoryBus();
    const heard: string[] = [];
    const failure = new Error("listener");
    bus.listen(() => {
      throw failure;
    });
    bus.listen((message) => void heard.push(message.type));
    const error = assertThrows(() => void bus.publish({ type: "resync" }));
    assertInstanceOf(error, AggregateError);
    assertEquals(error.errors, [failure]);
    assertEquals(heard, ["resync"]);
  });

  test("delivers again after a listener threw", () => {
    const bus = createMemoryBus();
    const heard: BusMessage[] = [];
    let throwing = true;
    bus.listen((message) => {
      heard.push(message);
      if (throwing) throw new Error("listener");
    });
    assertThrows(() => void bus.publish({ type: "changed", key: "a" }));
    throwing = false;
    void bus.publish({ type: "changed", key: "b" });
    assertEquals(heard.length, 2);
  });

  test("lets a listener that joins during a delivery hear the next message first", () => {
    const bus = createMemoryBus();
    const late: BusMessage[] = [];
    let joined = false;
    bus.listen(() => {
      if (!joined) bus.listen((message) => void late.push(message));
      joined = true;
    });
    void bus.publish({ type: "changed", key: "a" });
    void bus.publish({ type: "changed", key: "b" });
    assert(joined);
    assertEquals(late, [{ type: "changed", key: "b" }]);
  });
});
