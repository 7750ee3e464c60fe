// The same Subscription has the same key wherever it is named.

import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { test } from "node:test";
import { subscriptionKey, subscriptionKeys } from "../../src/event/key.ts";

test("subscriptionKeys gives what subscriptionKey gives for each, whatever the names", () => {
  const name = fc.string({ unit: "binary" });
  fc.assert(
    fc.property(name, fc.option(name, { nil: undefined }), fc.array(name), (base, tenant, ids) => {
      assertEquals(subscriptionKeys(base, tenant, ids), ids.map((id) => subscriptionKey(base, tenant, id)));
    }),
    { seed: 20_300_103 },
  );
});
