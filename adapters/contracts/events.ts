import type { EventLog, EventPage, LoggedEvent, NotificationEvent } from "../../src/types.ts";
import { type Contract, createClock, expectEqual } from "./contract.ts";

/** Pages are asked for with this limit where it does not matter. */
const ALL = 1000;

/**
 * What an `EventLog` promises.
 *
 * @example
 * ```ts
 * import { eventLogContract } from "@fhir-ws/binding/contracts";
 * import { createMemoryEventLog } from "@fhir-ws/binding/storage/memory";
 *
 * for (const contract of eventLogContract) await contract.run((setup) => createMemoryEventLog(setup));
 * ```
 */
export const eventLogContract: readonly Contract<EventLog>[] = [
  {
    name: "numbers the events of each key 1, 2, 3",
    async run(make) {
      const log = await make(createClock());
      expectEqual(await log.append(["a"], sample(1)), [1], "the first of a");
      expectEqual(await log.append(["a"], sample(2)), [2], "the second of a");
      expectEqual(await log.append(["b", "a"], sample(3)), [1, 3], "the first of b, third of a");
      expectEqual(await log.append(["c", "b", "a"], sample(4)), [1, 2, 4], "one for all");
      expectEqual(await log.read("a", 0, ALL), page([1, 2, 3, 4], [1, 2, 3, 4]), "a");
      expectEqual(await log.read("b", 0, ALL), page([3, 4], [1, 2]), "b");
      expectEqual(await log.read("c", 0, ALL), page([4], [1]), "c");
    },
  },
  {
    name: "gives an event back as it was appended",
    async run(make) {
      const log = await make(createClock());
      const event: NotificationEvent = {
        interaction: "update",
        focus: "Observation/ü-\u{1F489}",
        resource: rich("o1"),
        timestamp: "2026-01-02T03:04:05.678Z",
        additionalContext: [{ reference: "Patient/p1", resource: rich("p1") }, { reference: "Practitioner/d1" }],
      };
      await log.append(["a", "b"], event);
      for (const key of ["a", "b"]) {
        expectEqual((await log.read(key, 0, ALL)).events, [{ ...event, number: 1 }], `the event of ${key}`);
      }
    },
  },
  {
    name: "keeps a copy of its own",
    async run(make) {
      const log = await make(createClock());
      const resource = { resourceType: "Patient", id: "p1", name: ["before"] };
      await log.append(["a"], { interaction: "create", focus: "Patient/p1", resource });
      resource.name.push("after");
      const [event] = (await log.read("a", 0, ALL)).events;
      expectEqual(event?.resource, { resourceType: "Patient", id: "p1", name: ["before"] }, "the resource");
    },
  },
  {
    name: "appends once to a key that is given twice, and to none when there is none",
    async run(make) {
      const log = await make(createClock());
      expectEqual(await log.append(["a", "b", "a"], sample(1)), [1, 1, 1], "numbers");
      expectEqual(await log.append(["a"], sample(2)), [2], "the next number");
      expectEqual(await log.append([], sample(3)), [], "numbers of no key");
      expectEqual(await log.read("a", 0, ALL), page([1, 2], [1, 2]), "a");
    },
  },
  {
    name: "gives an empty page for a key that it does not know",
    async run(make) {
      const log = await make(createClock());
      await log.append(["a"], sample(1));
      for (const key of ["b", "A", "", "a%", "__proto__"]) {
        expectEqual(await log.read(key, 0, ALL), { events: [], oldest: 1, head: 0 }, `read of ${JSON.stringify(key)}`);
      }
      expectEqual(await log.read("b", 7, ALL), { events: [], oldest: 1, head: 0 }, "read after 7");
    },
  },
  {
    name: "reads in pages",
    async run(make) {
      const log = await make(createClock());
      for (let n = 1; n <= 25; n++) await log.append(["a"], sample(n));
      expectEqual(await log.read("a", 0, 10), page(range(1, 10), range(1, 10), 25), "the first ten");
      expectEqual(await log.read("a", 10, 10), page(range(11, 20), range(11, 20), 25), "the next ten");
      expectEqual(await log.read("a", 20, 10), page(range(21, 25), range(21, 25), 25), "the rest");
      expectEqual(await log.read("a", 24, 1), page([25], [25], 25), "the last");
      expectEqual(await log.read("a", 25, 10), page([], [], 25), "after the head");
      expectEqual(await log.read("a", 99, 10), page([], [], 25), "far after the head");
      expectEqual(await log.read("a", 0, 0), page([], [], 25), "a page of none");
    },
  },
  {
    name: "keeps keys apart that look alike",
    async run(make) {
      const log = await make(createClock());
      const keys = [
        "a",
        "ab",
        "A",
        "a\u0000",
        "a%",
        "a_",
        "a'b",
        'a"b',
        "a\\b",
        "ä",
        "a\u0308",
        '["https://e.org",null,"1"]',
      ];
      for (const [index, key] of keys.entries()) {
        expectEqual(await log.append([key], sample(index)), [1], `the number under ${JSON.stringify(key)}`);
      }
      expectEqual(await log.append(keys, sample(99)), keys.map(() => 2), "one for all");
      for (const [index, key] of keys.entries()) {
        expectEqual(await log.read(key, 0, ALL), page([index, 99], [1, 2]), `read of ${JSON.stringify(key)}`);
      }
    },
  },
  {
    name: "gives heads in the order of the keys, repeats and all",
    async run(make) {
      const log = await make(createClock());
      const keys = range(1, 250).map((n) => `key-${n}`);
      await log.append(keys, sample(1));
      await log.append(["key-250"], sample(2));
      expectEqual(await log.heads([]), [], "of no key");
      expectEqual(await log.heads(["key-250", "new", "key-1", "key-250"]), [2, 0, 1, 2], "of some twice");
      expectEqual(await log.heads(keys), keys.map((key) => key === "key-250" ? 2 : 1), "of many");
    },
  },
  {
    name: "appends to two thousand keys at once",
    async run(make) {
      const log = await make(createClock());
      const keys = range(1, 2000).map((n) => `key-${n}`);
      await log.append(["key-7"], sample(1));
      expectEqual(await log.append(keys, sample(2)), keys.map((key) => key === "key-7" ? 2 : 1), "numbers");
      expectEqual(await log.read("key-7", 0, ALL), page([1, 2], [1, 2]), "a key that had one before");
      expectEqual(await log.read("key-2000", 0, ALL), page([2], [1]), "the last key");
      expectEqual(await log.heads(["key-1", "key-7", "key-2000"]), [1, 2, 1], "heads");
    },
  },
  {
    name: "starts again at 1 after a drop, and leaves other keys alone",
    async run(make) {
      const log = await make(createClock());
      for (let n = 1; n <= 3; n++) await log.append(["a", "b"], sample(n));
      await log.drop("a");
      await log.drop("unknown");
      expectEqual(await log.read("a", 0, ALL), { events: [], oldest: 1, head: 0 }, "a after the drop");
      expectEqual(await log.heads(["a", "b"]), [0, 3], "heads after the drop");
      expectEqual(await log.append(["a", "b"], sample(4)), [1, 4], "the next event");
      expectEqual(await log.read("a", 0, ALL), page([4], [1]), "a after the next event");
      expectEqual(await log.read("b", 0, ALL), page([1, 2, 3, 4], [1, 2, 3, 4]), "b");
    },
  },
  {
    name: "gives concurrent appends numbers without gap or repeat",
    async run(make) {
      const log = await make(createClock());
      const keys = [["a"], ["a", "b"], ["b", "a"], ["b"]];
      const appends = range(0, 99).map(async (n) => await log.append(keys[n % 4] ?? [], sample(n)));
      const numbers = await Promise.all(appends);
      for (const key of ["a", "b"]) {
        const given = numbers.map((of, n) => of[keys[n % 4]?.indexOf(key) ?? -1]);
        const { events, head } = await log.read(key, 0, ALL);
        expectEqual(given.filter((n) => n !== undefined).sort((x, y) => x - y), range(1, 75), `numbers of ${key}`);
        expectEqual(head, 75, `head of ${key}`);
        expectEqual(events, range(1, 75).map((n) => logged(given.indexOf(n), n)), `events of ${key}`);
      }
    },
  },
  {
    name: "keeps the newest events when there are too many, and shows what is gone",
    needs: "pruning",
    async run(make) {
      const log = await make({ ...createClock(), maxEvents: 3 });
      await log.append(["b"], sample(0));
      for (let n = 1; n <= 10; n++) await log.append(["a"], sample(n));
      await log.append(["a", "b"], sample(11));
      expectEqual(await log.read("a", 0, ALL), { ...page([9, 10, 11], [9, 10, 11]), oldest: 9 }, "from the start");
      expectEqual(await log.read("a", 9, 1), { ...page([10], [10], 11), oldest: 9 }, "in the middle");
      expectEqual(await log.read("a", 11, ALL), { events: [], oldest: 9, head: 11 }, "after the head");
      expectEqual(await log.read("b", 0, ALL), page([0, 11], [1, 2]), "a key with few");
    },
  },
  {
    name: "forgets old events and never their numbers",
    needs: "pruning",
    async run(make) {
      const { now, advance } = createClock();
      const log = await make({ now, maxAge: 60 });
      await log.append(["a", "b"], sample(1));
      await log.append(["a", "c"], sample(2));
      advance(50);
      await log.append(["a"], sample(3));
      advance(11);
      await log.append(["b"], sample(4));
      expectEqual(await log.read("a", 0, ALL), { events: [logged(3, 3)], oldest: 3, head: 3 }, "a, with one left");
      expectEqual(await log.read("b", 0, ALL), { events: [logged(4, 2)], oldest: 2, head: 2 }, "b, with a new one");
      expectEqual(await log.read("c", 0, ALL), { events: [], oldest: 2, head: 1 }, "c, with none left");
      advance(3600);
      expectEqual(await log.append(["a"], sample(5)), [4], "the next number of a");
      expectEqual(await log.read("a", 0, ALL), { events: [logged(5, 4)], oldest: 4, head: 4 }, "a, an hour later");
      expectEqual(await log.read("b", 1, ALL), { events: [], oldest: 3, head: 2 }, "b, an hour later");
      expectEqual(await log.heads(["a", "b", "c"]), [4, 2, 1], "heads");
    },
  },
];

function sample(n: number): NotificationEvent {
  return { interaction: "create", focus: `Patient/p${n}` };
}

function logged(n: number, number: number): LoggedEvent {
  return { ...sample(n), number };
}

/** The samples `n` under their `numbers`, of a log that nothing was pruned from. */
function page(n: readonly number[], numbers: readonly number[], head: number = numbers.at(-1) ?? 0): EventPage {
  return { events: numbers.map((number, index) => logged(n[index] ?? NaN, number)), oldest: 1, head };
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

function rich(id: string): { resourceType: string; id: string } {
  const value = { amount: 1.5, none: null, yes: true, text: "ü \u{1F489} \"'%_\\\n", list: [[], {}, [0]] };
  return { resourceType: "Basic", id, ...value };
}
