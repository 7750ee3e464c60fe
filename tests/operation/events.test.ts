import { test } from "node:test";
import { setImmediate } from "node:timers";
import { BindingError, type BindingEvent } from "@fhir-ws/binding";
import { assert, assertEquals, assertFalse } from "@std/assert";
import { assertRefused, call, makeHost, readAnswer } from "./fake_host.ts";

test("handleGetWsBindingToken reports every refusal by its code and caller", async () => {
  const host = makeHost({ known: [] });
  await call(host);
  assertEquals(host.events.map(({ at: _, ...event }) => event), [
    { type: "refused", code: "not-found", caller: { id: "alice" } },
  ]);
});

test("handleGetWsBindingToken reports times by the host's clock", async () => {
  const events: BindingEvent[] = [];
  let time = 1000;
  await call(makeHost({ now: () => time++, onEvent: (event) => void events.push(event) }), "nowhere");
  assert(events[0] !== undefined && events[0].at >= 1000 && events[0].at < time);
});

test("handleGetWsBindingToken does not mind an onEvent that throws", async () => {
  const onEvent = () => {
    throw new Error("hunter2");
  };
  await readAnswer(await call(makeHost({ onEvent })));
  await assertRefused(await call(makeHost({ onEvent, known: [] })), 404, "not-found");
  await assertRefused(await call(makeHost({ onEvent, authenticate: () => Promise.reject(1) })), 503, "no-store");
});

test("handleGetWsBindingToken needs no onEvent", async () => {
  const { onEvent: _, ...ctx } = makeHost().ctx;
  await readAnswer(await call({ ctx }));
});

test("BindingError of a host carries further causes to onEvent alone", async () => {
  const options = { cause: new Error("hunter2") };
  const host = makeHost({ isEnabled: () => Promise.reject(new BindingError("forbidden", "No", options)) });
  const response = await call(host);
  assertFalse((await response.clone().text()).includes("hunter2"));
  await assertRefused(response, 403, "forbidden", "No");
});

test("handleGetWsBindingToken does not mind an onEvent that rejects", async () => {
  const onEvent = () => Promise.reject(new Error("hunter2"));
  await readAnswer(await call(makeHost({ onEvent })));
  // A rejection that nobody had caught would end the process here.
  await new Promise((resolve) => setImmediate(resolve));
  await assertRefused(await call(makeHost({ onEvent, known: [] })), 404, "not-found");
});

test("BindingError without issues has one of its own", () => {
  const { issues } = new BindingError("forbidden", "No", { issues: [] });
  assertEquals(issues, [{ code: "forbidden", text: "No" }]);
});
