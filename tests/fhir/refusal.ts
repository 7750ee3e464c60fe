import type { FhirSubscription, FhirVersion } from "@fhir-ws/binding";
import { assertEquals } from "@std/assert";
import { assertRefused, call, makeHost, readAnswer } from "../operation/fake_host.ts";

/** Why a host's resource of this version cannot be bound, `undefined` when it can. */
export async function refusalOf(resource: unknown, version: FhirVersion): Promise<string | undefined> {
  const read = (): FhirSubscription => resource as FhirSubscription; // whatever a host's store may hold
  const host = makeHost({ fhirVersion: version, subscriptions: { read } });
  const response = await call(host, "Subscription/s1/$get-ws-binding-token");
  if (response.status === 200) {
    assertEquals((await readAnswer(response)).subscriptions, ["s1"]);
    return undefined;
  }
  const issue = await assertRefused(response, 422, "business-rule");
  assertEquals(issue.diagnostics, "Subscription/s1");
  assertEquals(host.grants, []);
  return issue.details.text.replace('Cannot bind Subscription "s1": ', "");
}
