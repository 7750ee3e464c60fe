// What a host gives that cannot be used: it costs the socket that it was for, and nobody else anything.

import type { EventLog, EventPage, NotificationBus } from "@fhir-ws/binding";
import { createMemoryBus, createMemoryEventLog } from "@fhir-ws/binding/storage/memory";
import { assertEquals } from "@std/assert";
import { describe, test } from "node:test";
import { inHarness } from "./harness.ts";

/** A log that makes something else of what it says of one Subscription. */
function oddLog(id: string, { read, heads }: {
  readonly read?: (page: EventPage) => EventPage;
  readonly heads?: (head: number) => number;
}): EventLog {
  const log = createMemoryEventLog();
  const isOdd = (key: string): boolean => key.includes(`"${id}"`);
  return {
    ...log,
    read: async (key, after, limit) => {
      const page = await log.read(key, after, limit);
      return isOdd(key) && read !== undefined ? read(page) : page;
    },
    heads: async (keys) =>
      (await log.heads(keys)).map((head, n) => isOdd(keys[n] ?? "") && heads !== undefined ? heads(head) : head),
  };
}

/** What no JSON can be made of. */
const UNWRITABLE = {
  resourceType: "Encounter",
  toJSON: () => {
    throw new Error("odd");
  },
};

/** As a driver gives it that was told to: arithmetic with numbers throws. */
function asBigint(head: number): number {
  return BigInt(head) as unknown as number; // as only a host's mistake could
}

describe("a socket is closed with 1011, and no other is, when", () => {
  test(
    "it cannot say how much waits in it, and those that get the event after it get it",
    inHarness({ bugs: true }, async (h) => {
      const ids = ["s1", "s2", "s3"];
      for (const id of ids) await h.put(id);
      const sockets = [await h.bound(["s1"]), await h.bound(["s2"]), await h.bound(["s3"])];
      Object.defineProperty(sockets[1], "bufferedAmount", {
        get: () => {
          throw new Error("odd");
        },
      });
      await h.notify(ids);
      assertEquals(sockets.map((socket) => socket.story()), [["event s1 1"], ["close 1011"], ["event s3 1"]]);
      assertEquals(h.toldOf("error").map(({ during }) => during), ["internal"]);
    }),
  );

  test(
    "the log gives an event that cannot be written",
    inHarness({
      bugs: true,
      replay: { last: 1 },
      defaultContent: "full-resource",
      events: oddLog("s1", {
        read: (page) => ({ ...page, events: page.events.map((event) => ({ ...event, resource: UNWRITABLE })) }),
      }),
    }, async (h) => {
      for (const id of ["s1", "s2"]) {
        await h.put(id);
        await h.notify(id);
      }
      const [one, two] = [await h.open(), await h.open()];
      await one.say(`bind-with-token ${await h.mint(["s1"])}`);
      await two.say(`bind-with-token ${await h.mint(["s2"])}`);
      assertEquals([one.story(), two.story()], [["handshake s1 1", "close 1011"], ["handshake s2 1", "event s2 1"]]);
      assertEquals(h.toldOf("error").map(({ during }) => during), ["internal"]);
    }),
  );

  test(
    "the log's head is no number, at the bind",
    inHarness({ bugs: true, events: oddLog("s1", { heads: asBigint }) }, async (h) => {
      for (const id of ["s1", "s2"]) await h.put(id);
      const [one, two] = [await h.open(), await h.open()];
      await one.say(`bind-with-token ${await h.mint(["s1"])}`);
      await two.say(`bind-with-token ${await h.mint(["s2"])}`);
      assertEquals([one.story(), two.story()], [["close 1011"], ["handshake s2 0"]]);
    }),
  );

  let isOdd = false;
  test(
    "the log's head is no number, at a heartbeat",
    inHarness({ bugs: true, events: oddLog("s1", { heads: (head) => isOdd ? asBigint(head) : head }) }, async (h) => {
      for (const id of ["s1", "s2"]) await h.put(id, { heartbeatPeriod: 2 });
      const [one, two] = [await h.bound(["s1"]), await h.bound(["s2"])];
      isOdd = true;
      await h.advance(2000);
      assertEquals([one.story(), two.story()], [["close 1011"], ["heartbeat s2 0"]]);
    }),
  );
});

describe("a heartbeat that the socket does not take", () => {
  test(
    "is sent when it has drained, and once",
    inHarness(async (h) => {
      await h.put("s1", { heartbeatPeriod: 10 });
      const socket = await h.bound(["s1"], undefined, { reportsDrain: true });
      socket.full = true;
      await h.advance(10_000);
      assertEquals(socket.story(), []);
      await socket.drain();
      await h.advance(5000);
      assertEquals(socket.story(), ["heartbeat s1 0"]);
    }),
  );
});

describe("close() of a binder", () => {
  test(
    "closes no socket that is being closed already",
    inHarness(async (h) => {
      const socket = await h.open({ answersClose: false });
      await socket.say(new Uint8Array(1));
      const closed = h.binder.close();
      await h.advance(1000);
      await closed;
      assertEquals([socket.story(), socket.terminated], [["close 1003"], true]);
    }),
  );

  test(
    "tells of a socket that cannot be cut off, and is done all the same",
    inHarness(async (h) => {
      const socket = await h.open({ answersClose: false });
      socket.terminate = () => {
        throw new Error("no terminate today");
      };
      const closed = h.binder.close();
      await h.advance(1000);
      await closed;
      assertEquals(h.toldOf("error").map(({ during, cause }) => [during, String(cause)]), [
        ["send", "Error: no terminate today"],
      ]);
      assertEquals(h.binder.stats().sockets, 0);
    }),
  );

  test("tells of a bus that does not let it go, and is done all the same", async () => {
    const bus = createMemoryBus();
    const holding: NotificationBus = {
      ...bus,
      listen: async (listener) => {
        await bus.listen(listener);
        return () => {
          throw new Error("no way out");
        };
      },
    };
    await inHarness({ bus: holding }, async (h) => {
      await h.put("s1");
      const socket = await h.bound(["s1"]);
      await h.binder.close();
      assertEquals(socket.story(), ["close 1001 going away"]);
      assertEquals(h.toldOf("error").map(({ during, cause }) => [during, String(cause)]), [[
        "bus",
        "Error: no way out",
      ]]);
    })();
  });
});

describe("how far a caller had come", () => {
  test(
    "is forgotten after ten minutes, by whoever leaves next",
    inHarness({ replay: "missed" }, async (h) => {
      for (const id of ["s1", "s2"]) await h.put(id);
      (await h.bound(["s1"])).disconnect();
      await h.notify("s1");
      await h.advance(601_000);
      (await h.bound(["s2"])).disconnect();
      await h.notify("s2");
      const stories: [string, string[]][] = [["s1", ["handshake s1 1"]], ["s2", ["handshake s2 1", "event s2 1"]]];
      for (const [id, story] of stories) {
        const socket = await h.open();
        await socket.say(`bind-with-token ${await h.mint([id])}`);
        assertEquals(socket.story(), story);
      }
    }),
  );
});
