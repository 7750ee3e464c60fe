import { test } from "node:test";
import { BindingError, type BindingErrorCode } from "@fhir-ws/binding";
import { assertEquals } from "@std/assert";
import { assertRefused, call, makeHost, OPERATION, readFixture } from "../operation/fake_host.ts";

const CODES: Readonly<Record<string, BindingErrorCode>> = {
  "401-login": "login-required",
  "403-forbidden": "forbidden",
  "404-not-found": "not-found",
};

/** Every member that a published OperationOutcome of this kind has. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shapeOf);
  if (typeof value !== "object" || value === null) return typeof value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, shapeOf(member)]));
}

for (const [fixture, code] of Object.entries(CODES)) {
  test(`an OperationOutcome for ${code} has the members of the published one`, async () => {
    const sample = JSON.parse(await readFixture(`responses/operationoutcome-${fixture}.json`));
    const response = await call(
      makeHost({
        ...(code === "login-required" && { authenticate: () => undefined }),
        ...(code === "forbidden" && { isEnabled: () => Promise.reject(new BindingError("forbidden")) }),
      }),
      code === "not-found" ? "nowhere" : undefined,
    );
    assertEquals(shapeOf(await response.json()), shapeOf(sample));
  });
}

test("an OperationOutcome leaves out what is not known", async () => {
  const response = await call(makeHost(), OPERATION, { method: "PUT" });
  assertEquals(await response.json(), {
    resourceType: "OperationOutcome",
    issue: [{ severity: "error", code: "not-supported", details: { text: "The method is not supported here" } }],
  });
});

test("an OperationOutcome names the Subscription in diagnostics and the parameter in expression", async () => {
  const response = await call(makeHost(), `${OPERATION}?id=nobodys`);
  assertEquals(await response.json(), {
    resourceType: "OperationOutcome",
    issue: [{
      severity: "error",
      code: "not-found",
      details: { text: "Error reading subscription: Not found" },
      diagnostics: "Subscription/nobodys",
      expression: ["http.id"],
    }],
  });
});

test("an OperationOutcome of a fault of our own is fatal and says nothing of it", async () => {
  const host = makeHost({ now: () => NaN });
  const issue = await assertRefused(await call(host), 500, "exception", "Unexpected error");
  const sample = JSON.parse(await readFixture("responses/operationoutcome-500-exception.json")).issue[0];
  assertEquals(issue, sample);
});

test("an OperationOutcome for a forbidden callback has the issues that the host gave", async () => {
  const issues = [
    { code: "forbidden", text: "Not this one", subscription: "abc123", expression: "http.id" },
    { code: "not-eligible", subscription: "def456" },
  ] as const;
  const host = makeHost({ isEnabled: () => Promise.reject(new BindingError("forbidden", "No", { issues })) });
  const response = await call(host);
  assertEquals(response.status, 403);
  assertEquals((await response.json()).issue, [
    {
      severity: "error",
      code: "forbidden",
      details: { text: "Not this one" },
      diagnostics: "Subscription/abc123",
      expression: ["http.id"],
    },
    {
      severity: "error",
      code: "business-rule",
      details: { text: "Cannot bind the Subscription" },
      diagnostics: "Subscription/def456",
    },
  ]);
});
