import {
  BindingError,
  type BindingEvent,
  type BusMessage,
  createNotifier,
  type NotificationEvent,
  type NotifierOptions,
  type Revocation,
} from "@fhir-ws/binding";
import { createMemoryBus, createMemoryEventLog, createMemoryTokenStore } from "@fhir-ws/binding/storage/memory";
import { assert, assertEquals, assertExists, assertFalse, assertRejects, assertThrows } from "@std/assert";
import { describe, test } from "node:test";

const BASE = "https://example.org/fhir/R5";
const EVENT: NotificationEvent = { interaction: "create", focus: "Patient/p1", timestamp: "2030-01-01T00:00:00Z" };
const DOWN = new Error("down");

function keyOf(id: string, tenant: string | null = null, base: string = BASE): string {
  return JSON.stringify([base, tenant, id]);
}

interface World extends Pick<Required<NotifierOptions>, "events" | "bus" | "tokenStore"> {
  /** What the bus carried. */
  readonly heard: BusMessage[];
  /** What the stores were asked to do, in order, and the bus among them. */
  readonly steps: string[];
  readonly told: BindingEvent[];
  down: "log" | "store" | "bus" | undefined;
}

function makeWorld(): World {
  const [events, bus, tokenStore] = [createMemoryEventLog(), createMemoryBus(), createMemoryTokenStore()];
  function step<T>(part: NonNullable<World["down"]>, name: string, run: () => T): T {
    world.steps.push(name);
    if (world.down === part) throw DOWN;
    return run();
  }
  const world: World = {
    heard: [],
    steps: [],
    told: [],
    down: undefined,
    events: {
      ...events,
      append: (keys, event) => step("log", "append", () => events.append(keys, event)),
      drop: (key) => step("log", "drop", () => events.drop(key)),
    },
    bus: { ...bus, publish: (message) => step("bus", `publish ${message.type}`, () => bus.publish(message)) },
    tokenStore: {
      ...tokenStore,
      revoke: (subject) => step("store", `revoke ${subject}`, () => tokenStore.revoke(subject)),
    },
  };
  bus.listen((message) => void world.heard.push(message));
  return world;
}

function make(world: World, base = BASE) {
  return createNotifier({ ...world, base, onEvent: (event) => void world.told.push(event) });
}

describe("createNotifier", () => {
  for (const base of ["", "/fhir", "https://example.org/fhir/", "https://example.org/fhir?x", "ftp://example.org/x"]) {
    test(`throws TypeError for base "${base}"`, () => {
      assertThrows(() => make(makeWorld(), base), TypeError, "Cannot use base");
    });
  }

  test("throws TypeError for a base with credentials, which it does not repeat", () => {
    const error = assertThrows(() => make(makeWorld(), "https://user:secret@example.org/fhir"), TypeError);
    assertFalse(error.message.includes("secret"));
  });

  test("is pure", () => {
    const world = makeWorld();
    make(world);
    assertEquals(world.steps, []);
  });

  test("has no revoke without a token store", () => {
    const { tokenStore: _tokenStore, ...rest } = makeWorld();
    const notifier = createNotifier({ ...rest, base: BASE });
    assertFalse("revoke" in notifier);
  });
});

describe("notify", () => {
  test("numbers from 1 without gaps, for each Subscription its own", async () => {
    const notifier = make(makeWorld());
    assertEquals(await notifier.notify(["s1"], EVENT), [1]);
    assertEquals(await notifier.notify(["s1", "s2"], EVENT), [2, 1]);
    assertEquals(await notifier.notify(["s2", "s1"], EVENT), [2, 3]);
  });

  test("gives a Subscription that is named twice one number, twice", async () => {
    const world = makeWorld();
    assertEquals(await make(world).notify(["s1", "s2", "s1"], EVENT), [1, 1, 1]);
    assertEquals(await world.events.heads([keyOf("s1"), keyOf("s2")]), [1, 1]);
    assertEquals(world.heard.map((message) => message.type === "event" && message.keys), [[keyOf("s1"), keyOf("s2")]]);
  });

  test("does nothing for no Subscription", async () => {
    const world = makeWorld();
    assertEquals(await make(world).notify([], EVENT), []);
    assertEquals(world.steps, []);
  });

  test("keeps bases and tenants apart", async () => {
    const world = makeWorld();
    const [r4, r5] = [make(world, "https://example.org/fhir/R4"), make(world)];
    await r4.notify(["s1"], EVENT);
    await r5.notify(["s1"], EVENT, "north");
    assertEquals(await r5.notify(["s1"], EVENT), [1]);
    assertEquals(await r5.notify(["s1"], EVENT, "north"), [2]);
    assertEquals(await r5.notify(["s1"], EVENT, ""), [1]);
    assertEquals(
      world.heard.map((message) => message.type === "event" && message.keys),
      [
        [keyOf("s1", null, "https://example.org/fhir/R4")],
        [keyOf("s1", "north")],
        [keyOf("s1")],
        [keyOf("s1", "north")],
        [keyOf("s1", "")],
      ],
    );
  });

  test("logs first, then tells the bus all that a binder needs", async () => {
    const world = makeWorld();
    await make(world).notify(["s1", "s2"], EVENT);
    assertEquals(world.steps, ["append", "publish event"]);
    assertEquals(world.heard, [{ type: "event", keys: [keyOf("s1"), keyOf("s2")], numbers: [1, 1], event: EVENT }]);
  });

  test("adds the time where there is none, the same in the log and on the bus", async () => {
    const world = makeWorld();
    const { timestamp: _timestamp, ...untimed } = EVENT;
    const before = Date.now();
    await make(world).notify(["s1"], untimed);
    const { events: [logged] } = await world.events.read(keyOf("s1"), 0, 1);
    assertExists(logged?.timestamp);
    const [message] = world.heard;
    assert(message?.type === "event");
    assertEquals(message.event?.timestamp, logged.timestamp);
    assert(Date.parse(logged.timestamp) >= before && Date.parse(logged.timestamp) <= Date.now());
    assertEquals(untimed, { interaction: "create", focus: "Patient/p1" });
  });

  const wrong: readonly (readonly [string, object])[] = [
    ["focus", {}],
    ["focus", { focus: "" }],
    ["focus", { focus: "Patient" }],
    ["focus", { focus: "Patient/" }],
    ["focus", { focus: "/Patient/p1" }],
    ["focus", { focus: "Patient/p_1" }],
    ["focus", { focus: `Patient/${"a".repeat(65)}` }],
    ["focus", { focus: "Patient/p1/_history/1" }],
    ["focus", { focus: "https://example.org/fhir/R5/Patient/p1" }],
    ["focus", { focus: ["Patient/p1"] }],
    ["interaction", { focus: "Patient/p1" }],
    ["interaction", { focus: "Patient/p1", interaction: "patch" }],
    ["interaction", { focus: "Patient/p1", interaction: "toString" }],
    ...["2030-01-01", "now", "2030-01-01T00:00Z", "", 7].map((timestamp) =>
      ["timestamp", { ...EVENT, timestamp }] as const
    ),
    ...["Patient/p1", {}, [null], ["Patient/p1"], [{}], [{ reference: "" }], [{ reference: 7 }]].map((
      additionalContext,
    ) => ["additionalContext", { ...EVENT, additionalContext }] as const),
  ];
  for (const [what, event] of wrong) {
    test(`rejects with TypeError an event with a wrong ${what}: ${JSON.stringify(event)}`, async () => {
      const world = makeWorld();
      // As JavaScript may.
      await assertRejects(() => make(world).notify(["s1"], event as NotificationEvent), TypeError, what);
      assertEquals(world.steps, []);
    });
  }

  test("rejects when the log is down, and tells nobody", async () => {
    const world = makeWorld();
    world.down = "log";
    assertEquals(await assertRejects(() => make(world).notify(["s1"], EVENT)), DOWN);
    assertEquals([world.steps, world.heard], [["append"], []]);
  });

  test("resolves when the bus is down, since the event stands, and reports it", async () => {
    const world = makeWorld();
    world.down = "bus";
    assertEquals(await make(world).notify(["s1"], EVENT), [1]);
    assertEquals(world.told.map(({ type, ...event }) => [type, "during" in event && event.during]), [["error", "bus"]]);
    assert(world.told[0]?.type === "error");
    assertEquals(world.told[0].cause, DOWN);
  });

  test("rejects when a bus that is part of a transaction is down, and reports it", async () => {
    const world = makeWorld();
    world.down = "bus";
    const notifier = createNotifier({
      ...world,
      base: BASE,
      bus: { ...world.bus, isTransactional: true },
      onEvent: (event) => void world.told.push(event),
    });
    const error = await assertRejects(() => notifier.notify(["s1"], EVENT), BindingError);
    assertEquals([error.code, error.cause], ["unavailable", DOWN]);
    assertEquals(world.told.map(({ type }) => type), ["error"]);
    await assertRejects(() => notifier.deleted("s1"), BindingError);
    await assertRejects(() => notifier.revoke({ token: "t1" }), BindingError);
  });

  test("bears an onEvent that throws, and none", async () => {
    const world = makeWorld();
    world.down = "bus";
    const throwing = createNotifier({
      ...world,
      base: BASE,
      onEvent: () => {
        throw new Error("the audit trail is full");
      },
    });
    assertEquals(await throwing.notify(["s1"], EVENT), [1]);
    assertEquals(await createNotifier({ ...world, base: BASE }).notify(["s1"], EVENT), [2]);
  });
});

describe("changed", () => {
  test("tells the bus, and touches nothing else", async () => {
    const world = makeWorld();
    await make(world).changed("s1", "north");
    assertEquals(world.steps, ["publish changed"]);
    assertEquals(world.heard, [{ type: "changed", key: keyOf("s1", "north") }]);
  });

  test("rejects when the bus is down: nothing else would find it soon", async () => {
    const world = makeWorld();
    world.down = "bus";
    assertEquals(await assertRejects(() => make(world).changed("s1")), DOWN);
  });
});

describe("deleted", () => {
  test("kills the tokens, drops the log, then tells the bus", async () => {
    const world = makeWorld();
    const notifier = make(world);
    await notifier.notify(["s1"], EVENT);
    world.steps.length = 0;
    await notifier.deleted("s1");
    assertEquals(world.steps, [`revoke sub:${keyOf("s1")}`, "revoke all", "drop", "publish changed"]);
    assertEquals(world.heard.at(-1), { type: "changed", key: keyOf("s1") });
    assertEquals(await notifier.notify(["s1"], EVENT), [1]);
  });

  test("leaves the same id of another tenant alone", async () => {
    const world = makeWorld();
    const notifier = make(world);
    await notifier.notify(["s1"], EVENT);
    await notifier.deleted("s1", "north");
    assertEquals(await notifier.notify(["s1"], EVENT), [2]);
    assertEquals(await world.tokenStore.generations([`sub:${keyOf("s1")}`, `sub:${keyOf("s1", "north")}`]), [0, 1]);
  });

  test("drops the log without a token store as well", async () => {
    const { tokenStore: _tokenStore, ...world } = makeWorld();
    await createNotifier({ ...world, base: BASE }).deleted("s1");
    assertEquals(world.steps, ["drop", "publish changed"]);
  });

  test("rejects when the store or the log is down, and may be called again", async () => {
    for (const down of ["store", "log"] as const) {
      const world = makeWorld();
      world.down = down;
      assertEquals(await assertRejects(() => make(world).deleted("s1")), DOWN);
      assertEquals(world.heard, []);
      world.down = undefined;
      await make(world).deleted("s1");
      assertEquals(world.heard.length, 1);
    }
  });

  test("resolves when only the bus is down, and reports it", async () => {
    const world = makeWorld();
    world.down = "bus";
    await make(world).deleted("s1");
    assertEquals(world.told.map(({ type }) => type), ["error"]);
  });
});

describe("revoke", () => {
  const subjects: readonly (readonly [Revocation, string])[] = [
    [{ token: "jti-1" }, "tok:jti-1"],
    [{ subscription: "s1" }, `sub:${keyOf("s1")}`],
    [{ subscription: "s1", tenant: "north" }, `sub:${keyOf("s1", "north")}`],
    [{ caller: "alice" }, 'caller:[null,"alice"]'],
    [{ caller: "alice", tenant: "north" }, 'caller:["north","alice"]'],
    [{ caller: 'a"]b', tenant: "" }, 'caller:["","a\\"]b"]'],
  ];
  for (const [what, subject] of subjects) {
    test(`${JSON.stringify(what)} counts ${subject}, then all, then tells the bus`, async () => {
      const world = makeWorld();
      await make(world).revoke(what);
      assertEquals(world.steps, [`revoke ${subject}`, "revoke all", "publish revoked"]);
      assertEquals(world.heard, [{ type: "revoked", subject }]);
      assertEquals(await world.tokenStore.generations([subject, "all"]), [1, 1]);
    });
  }

  test("of a caller is the same on every base", async () => {
    const world = makeWorld();
    await make(world, "https://example.org/fhir/R4").revoke({ caller: "alice" });
    assertEquals(await world.tokenStore.generations(['caller:[null,"alice"]']), [1]);
  });

  test("rejects when the store is down, and tells nobody", async () => {
    const world = makeWorld();
    world.down = "store";
    assertEquals(await assertRejects(() => make(world).revoke({ token: "jti-1" })), DOWN);
    assertEquals(world.heard, []);
  });

  test("resolves when only the bus is down: what is revoked is dead, and it is reported", async () => {
    const world = makeWorld();
    world.down = "bus";
    await make(world).revoke({ token: "jti-1" });
    assertEquals(await world.tokenStore.generations(["tok:jti-1"]), [1]);
    assertEquals(world.told.map(({ type }) => type), ["error"]);
  });
});
