// The client against the demo on the runtime that runs the tests.

import { assert, assertEquals } from "@std/assert";
import {
  type ReceivedNotification,
  type SocketEvent,
  subscribe,
  type SubscribeEvent,
  type SubscribeOptions,
} from "@fhir-ws/binding/client";
import { describe, it } from "node:test";
import { login, send, withProcess } from "../demo/process.ts";
import { subscription } from "../demo/running.ts";
import { produced, producedBy } from "../tools/produced.ts";

/** A client of the demo whose sockets and requests can be held up. */
interface Visitor {
  readonly base: string;
  readonly ids: readonly string[];
  readonly numbers: (number | undefined)[];
  readonly notifications: ReceivedNotification[];
  readonly events: SubscribeEvent[];
  readonly sockets: WebSocket[];
  readonly end: () => Promise<unknown>;
  count(type: SubscribeEvent["type"]): number;
  write(): Promise<void>;
  until(holds: () => boolean): Promise<void>;
  /** As a server does that goes away. */
  cut(): void;
  /** Requests wait until the gate is resolved. */
  readonly hold: { gate: Promise<unknown> };
}

async function visit(
  origin: string,
  version: string,
  count: number,
  options: Partial<SubscribeOptions> = {},
): Promise<Visitor> {
  const token = await login(origin, "alice");
  const base = `${origin}/fhir/${version}`;
  const ids: string[] = [];
  for (let n = 0; n < count; n++) {
    const { json } = await send(token, "POST", `${base}/Subscription`, subscription(version, "Patient"));
    ids.push(String(json.id));
  }
  const notifications: ReceivedNotification[] = [];
  const events: SubscribeEvent[] = [];
  const sockets: WebSocket[] = [];
  let looks: (() => void)[] = [];
  const happened = (): void => looks.forEach((look) => look());
  const hold = { gate: Promise.resolve() as Promise<unknown> };
  const running = subscribe({
    url: base,
    ids,
    backoff: { first: 0.05, longest: 0.2 },
    fetch: async (request) => {
      await hold.gate;
      request.headers.set("authorization", `Bearer ${token}`);
      return await producedBy(await fetch(request));
    },
    WebSocket: class extends WebSocket {
      constructor(url: string) {
        super(url);
        sockets.push(this);
        super.addEventListener("message", ({ data }) => produced(data));
      }
      override addEventListener(type: string, listener: (event: SocketEvent) => void): void {
        super.addEventListener(type, listener as EventListener); // the Web's events have these members
      }
    },
    onNotification: (notification) => {
      notifications.push(notification);
      happened();
    },
    onEvent: (event) => {
      events.push(event);
      happened();
    },
    ...options,
  });
  const visitor: Visitor = {
    ...{ base, ids, notifications, events, sockets, hold },
    get numbers() {
      return notifications.flatMap(({ events }) => events.map(({ number }) => number));
    },
    count: (type) => events.filter((event) => event.type === type).length,
    write: async () => {
      const { status } = await send(token, "POST", `${base}/Patient`, { resourceType: "Patient" });
      assertEquals(status, 201);
    },
    until: (holds) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (!holds()) return;
          looks = looks.filter((one) => one !== look);
          resolve();
        };
        looks.push(look);
        look();
      }),
    cut: () => sockets.at(-1)?.close(),
    end: () => {
      running.close();
      return running.closed;
    },
  };
  return visitor;
}

describe("subscribe", () => {
  for (const version of ["R4", "R4B", "R5"]) {
    it(`hears each event of the demo's ${version} once, also those of while it was away`, () =>
      withProcess(["--port", "0"], async (origin) => {
        const visitor = await visit(origin, version, 1);
        await visitor.until(() => visitor.count("bound") === 1);
        await visitor.write();
        await visitor.until(() => visitor.numbers.length === 1);
        const back = Promise.withResolvers<void>();
        visitor.hold.gate = back.promise;
        visitor.cut();
        await visitor.write();
        await visitor.write();
        back.resolve();
        await visitor.until(() => visitor.numbers.length === 3);
        await visitor.write();
        await visitor.until(() => visitor.numbers.length === 4);
        assertEquals(visitor.numbers, [1, 2, 3, 4]);
        assert(visitor.notifications.every(({ subscription }) => subscription === visitor.ids[0]));
        assertEquals([visitor.count("gap"), visitor.count("ended"), visitor.sockets.length], [0, 0, 2]);
        assertEquals(await visitor.end(), { reason: "closed" });
      }));
  }

  it("hears by text what the demo sends to several Subscriptions, through renewals", () =>
    withProcess(["--port", "0", "--token-lifetime", "4", "--tokens", "opaque", "--single-use"], async (origin) => {
      const visitor = await visit(origin, "R4", 2, { dialect: "text" });
      await visitor.until(() => visitor.count("bound") === 2);
      const heads = visitor.events.map((event) => event.type === "bound" ? event.head : undefined);
      for (let n = 1; visitor.count("bound") < 6; n++) {
        await visitor.write();
        await visitor.until(() => visitor.notifications.length === 2 * n);
        await new Promise((resolve) => setTimeout(resolve, 25)); // spares the machine
      }
      assertEquals([visitor.sockets.length, visitor.count("retry"), visitor.count("gap")], [1, 0, 0]);
      for (const id of visitor.ids) {
        const numbers = visitor.notifications.filter(({ subscription }) => subscription === id)
          .flatMap(({ events }) => events.map(({ number }) => number));
        assertEquals(numbers, numbers.map((_, n) => (heads[0] ?? 0) + n + 1));
      }
      await visitor.end();
    }));

  it("ends when its Subscription is deleted", () =>
    withProcess(["--port", "0"], async (origin) => {
      const visitor = await visit(origin, "R5", 1);
      await visitor.until(() => visitor.count("bound") === 1);
      const token = await login(origin, "alice");
      await send(token, "DELETE", `${visitor.base}/Subscription/${visitor.ids[0]}`);
      await visitor.until(() => visitor.count("ended") === 1);
      const [ended] = visitor.events.filter((event) => event.type === "ended");
      assert(ended?.type === "ended" && ended.final && ended.error.issues[0]?.code === "not-found");
    }));
});
