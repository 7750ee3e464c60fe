// What the program around a client does wrong: it is told, and as little as possible comes of it.

import { subscribe, type SubscribeOptions } from "@fhir-ws/binding/client";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "node:test";
import { goodServer, json, notification, parameters, watch } from "./stub.ts";

/** Runs with something else as a global, and puts it back. */
async function withGlobal<Name extends "WebSocket" | "queueMicrotask">(
  name: Name,
  value: (typeof globalThis)[Name] | undefined,
  run: () => Promise<void> | void,
): Promise<void> {
  const before = Object.getOwnPropertyDescriptor(globalThis, name);
  assert(before !== undefined);
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  try {
    await run();
  } finally {
    Object.defineProperty(globalThis, name, before);
  }
}

describe("subscribe", () => {
  it("throws where there is no WebSocket, unless it is given one", async () => {
    const options: SubscribeOptions = { url: "https://example.org/fhir", ids: ["s1"], onNotification: () => {} };
    await withGlobal("WebSocket", undefined, async () => {
      assertThrows(() => subscribe(options), TypeError, "there is no WebSocket here");
      const client = watch(goodServer());
      await client.until(() => client.all("bound").length === 1);
      client.close();
    });
  });

  it('ends with "unexpected" and the cause when the sockets it was given fail', async () => {
    const cause = new Error("half a socket");
    class HalfSocket {
      addEventListener(): void {
        throw cause;
      }
      send(): void {}
      close(): void {}
    }
    const client = watch({ answer: () => json(parameters()), hear: () => {} }, { WebSocket: HalfSocket });
    const end = await client.closed;
    assert(end.reason === "failed");
    assertEquals([end.error.code, end.error.cause], ["unexpected", cause]);
  });

  it("leaves what a callback throws to the runtime, and goes on", async () => {
    const { queueMicrotask } = globalThis;
    const thrown: unknown[] = [];
    const catching = (task: () => void): void =>
      queueMicrotask(() => {
        try {
          task();
        } catch (error) {
          thrown.push(error);
        }
      });
    await withGlobal("queueMicrotask", catching, async () => {
      const numbers: (number | undefined)[] = [];
      const cause = new Error("a callback");
      const server = goodServer({
        hear: (socket) => {
          socket.tell(notification("handshake", 0));
          for (const number of [1, 2]) socket.tell(notification("event-notification", number, [number]));
        },
      });
      const client = watch(server, {
        onNotification: ({ events }) => {
          numbers.push(...events.map(({ number }) => number));
          if (numbers.length === 1) throw cause;
        },
      });
      await client.until(() => numbers.length === 2);
      client.close();
      assertEquals([numbers, thrown], [[1, 2], [cause]]);
      assertEquals(await client.closed, { reason: "closed" });
    });
  });
});
