import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { ALICE, assertRefused, call, makeHost, readAnswer } from "./fake_host.ts";

for (const [seconds, header] of [[1, "1"], [0.001, "1"], [59.5, "60"], [3600, "3600"], [Infinity, "86400"]] as const) {
  test(`handleGetWsBindingToken sends a caller away for ${header} s when rateLimit says ${seconds}`, async () => {
    const asked: unknown[][] = [];
    const host = makeHost({ rateLimit: (...args) => (asked.push(args), seconds) });
    const response = await call(host);
    assertEquals(response.headers.get("retry-after"), header);
    assertEquals(response.headers.get("ratelimit"), `"default";r=0;t=${header}`);
    await assertRefused(response, 429, "throttled");
    assertEquals(asked, [[ALICE, "issue"]]);
  });
}

test("handleGetWsBindingToken lets a caller pass when rateLimit says undefined, 0 or less", async () => {
  for (const seconds of [undefined, 0, -1, NaN]) await readAnswer(await call(makeHost({ rateLimit: () => seconds })));
});
