import { createBroadcastBus } from "@fhir-ws/binding/bus/broadcast";
import { notificationBusContract } from "@fhir-ws/binding/contracts";
import { assertEquals, assertInstanceOf } from "@std/assert";
import { describe, test } from "node:test";
import { Worker } from "node:worker_threads";
import { uniqueName } from "../several/engines.ts";
import { firstError, listen } from "./channels.ts";

describe("createBroadcastBus", () => {
  for (const { name, run } of notificationBusContract) test(name, () => run(() => createBroadcastBus(uniqueName())));

  test("tells the host what a listener threw", async () => {
    const { told, onError } = firstError();
    const bus = createBroadcastBus(uniqueName(), { onError });
    const unlisten = await bus.listen(() => {
      throw new Error("a listener");
    });
    await bus.publish({ type: "resync" });
    const cause = await told;
    assertInstanceOf(cause, Error);
    assertEquals(cause.message, "a listener");
    unlisten();
  });

  test("ignores what is no message", async () => {
    const name = uniqueName();
    const bus = createBroadcastBus(name);
    const ear = await listen(bus);
    const other = new BroadcastChannel(name);
    for (const data of [null, 1, "resync", [], {}, { type: "changed" }]) other.postMessage(data);
    other.postMessage({ type: "changed", key: "last" });
    assertEquals(await ear.until(({ length }) => length > 0), [{ type: "changed", key: "last" }]);
    other.close();
    ear.unlisten();
  });

  test("carries messages between threads, both ways", async () => {
    const name = uniqueName();
    const bus = createBroadcastBus(name);
    const ear = await listen(bus);
    const worker = new Worker(new URL("broadcast_worker.ts", import.meta.url), { workerData: name });
    await ear.until((heard) => heard.some((one) => one.type === "changed" && one.key === "ready"));
    await bus.publish({ type: "revoked", subject: "tok:t1" });
    const heard = await ear.until((heard) => heard.at(-1)?.type === "event");
    assertEquals(heard.slice(1), [
      { type: "revoked", subject: "tok:t1" },
      { type: "event", keys: ["tok:t1"], numbers: [1], event: { interaction: "create", focus: "Patient/p1" } },
    ]);
    await worker.terminate();
    ear.unlisten();
  });
});
