import { BindingError } from "@fhir-ws/binding";
import { createMemorySubscriptionStore } from "@fhir-ws/binding/storage/memory";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { test } from "node:test";

/** What a store throws where another owns an id: all of them throw the same. */
async function refusal(): Promise<BindingError> {
  const store = createMemorySubscriptionStore();
  await store.put({ resourceType: "Subscription", id: "s1" }, { id: "alice" });
  return assertThrows(() => store.put({ resourceType: "Subscription", id: "s1" }, { id: "bob" }), BindingError);
}

test("BindingError of a store has every field that one of a host has", async () => {
  const [own, theirs] = [new BindingError("forbidden"), await refusal()];
  for (const name of ["name", "message", "code", "issues", "retryAfter"] as const) {
    assertEquals(theirs[name], own[name], name);
  }
  assertEquals(String(theirs), String(own));
});

test("BindingError is what instanceof says, and a class made of it is no other", async () => {
  class Refined extends BindingError {}
  assert(new Refined("forbidden") instanceof BindingError);
  assert(new Refined("forbidden") instanceof Refined);
  assertEquals((await refusal()) instanceof Refined, false);
  assertEquals(new BindingError("forbidden") instanceof Refined, false);
  for (const value of [new Error("Not allowed"), { name: "BindingError", code: "forbidden" }, undefined, "forbidden"]) {
    assertEquals(value instanceof BindingError, false);
  }
});
