// Connections and listeners that fail while a bus begins to hear, without any engine.

import type { BusMessage } from "@fhir-ws/binding";
import { createPostgresBus } from "@fhir-ws/binding/bus/postgres";
import { createRedisBus, type NodeRedisSubscriber } from "@fhir-ws/binding/bus/redis";
import { assertEquals, assertRejects } from "@std/assert";
import { EventEmitter } from "node:events";
import { describe, it } from "node:test";

/** A connection to a Redis of its own, which subscribes as a test says. */
class FakeRedis extends EventEmitter implements NodeRedisSubscriber {
  readonly hearers = new Set<(message: string) => void>();
  readonly #outcomes: (Error | undefined)[];

  constructor(...outcomes: (Error | undefined)[]) {
    super();
    this.#outcomes = outcomes;
  }
  /** Nothing but PUBLISH. */
  sendCommand([, , message = ""]: string[]): Promise<unknown> {
    for (const hear of this.hearers) hear(message);
    return Promise.resolve(this.hearers.size);
  }
  subscribe(_: string, listener: (message: string) => void): Promise<unknown> {
    const failure = this.#outcomes.shift();
    if (failure !== undefined) return Promise.reject(failure);
    this.hearers.add(listener);
    return Promise.resolve();
  }
  unsubscribe(_: string, listener: (message: string) => void): Promise<unknown> {
    this.hearers.delete(listener);
    return Promise.resolve();
  }
}

describe("createRedisBus", () => {
  it("throws at a listener what keeps it from listening, and can be asked again", async () => {
    const redis = new FakeRedis(new Error("no such channel"));
    const bus = createRedisBus(redis, redis);
    const heard: [who: string, message: BusMessage][] = [];
    await assertRejects(async () => await bus.listen((message) => heard.push(["first", message])), Error, "no such");
    assertEquals(redis.listenerCount("ready") + redis.listenerCount("reconnecting"), 0);
    const unlisten = await bus.listen((message) => heard.push(["second", message]));
    await bus.publish({ type: "changed", key: "a" });
    assertEquals(heard, [["second", { type: "changed", key: "a" }]]);
    unlisten();
    assertEquals(redis.hearers.size, 0);
  });

  it("tells to resync once for each loss, however often the connection says that it is ready", async () => {
    const redis = new FakeRedis();
    const bus = createRedisBus(redis, redis);
    const heard: BusMessage[] = [];
    const unlisten = await bus.listen((message) => heard.push(message));
    for (const event of ["ready", "reconnecting", "ready", "ready"]) redis.emit(event);
    await new Promise((resolve) => setTimeout(resolve));
    assertEquals(heard, [{ type: "resync" }]);
    unlisten();
  });

  it("goes on when a listener throws, and when who is told of it throws as well", async () => {
    const redis = new FakeRedis();
    const bus = createRedisBus(redis, redis, {
      onError: () => {
        throw new Error("a reporter");
      },
    });
    const heard: BusMessage[] = [];
    await bus.listen(() => {
      throw new Error("a listener");
    });
    await bus.listen((message) => heard.push(message));
    await bus.publish({ type: "resync" });
    assertEquals(heard, [{ type: "resync" }]);
  });
});

describe("createPostgresBus", () => {
  it("throws at a listener when its connection is lost as soon as it listens, and can be asked again", async () => {
    class FakePostgres extends EventEmitter {
      readonly #lost: boolean;
      constructor(lost: boolean) {
        super();
        this.#lost = lost;
      }
      query(): Promise<unknown> {
        if (this.#lost) this.emit("end");
        return Promise.resolve([]);
      }
      end(): Promise<void> {
        return Promise.resolve();
      }
    }
    const connections: FakePostgres[] = [];
    const connect = (): Promise<FakePostgres> => {
      const connection = new FakePostgres(connections.length === 0);
      connections.push(connection);
      return Promise.resolve(connection);
    };
    const bus = createPostgresBus({ query: () => Promise.resolve({ rows: [] }) }, connect);
    const heard: BusMessage[] = [];
    await assertRejects(async () => await bus.listen(() => {}), Error, "the connection was lost at once");
    const unlisten = await bus.listen((message) => heard.push(message));
    connections[1]?.emit("notification", { channel: "fhir_ws", payload: '[{"type":"changed","key":"a"}]' });
    assertEquals([connections.length, heard], [2, [{ type: "changed", key: "a" }]]);
    unlisten();
  });
});
