import type { SubscriptionStore } from "@fhir-ws/binding";
import { subscriptionStoreContract } from "@fhir-ws/binding/contracts";
import { createMemorySubscriptionStore } from "@fhir-ws/binding/storage/memory";
import { assertEquals, assertInstanceOf } from "@std/assert";
import { test } from "node:test";

test("subscriptionStoreContract names the error that it expected, with the one that came as its cause", async () => {
  const cause = new Error("duplicate key");
  const store = createMemorySubscriptionStore();
  const failing: SubscriptionStore = {
    ...store,
    put: (subscription, owner) => {
      try {
        store.put(subscription, owner);
      } catch {
        throw cause; // in place of "forbidden"
      }
    },
  };
  const failures = await Promise.all(
    subscriptionStoreContract.map(({ run }) => run(() => failing).then(() => undefined, (error: unknown) => error)),
  );
  const found = failures.filter((error) => error instanceof Error && error.cause === cause);
  assertEquals(found.length > 0, true);
  for (const error of found) {
    assertInstanceOf(error, Error);
    assertEquals(error.message, 'put of what another owns: expected BindingError "forbidden"');
  }
});
