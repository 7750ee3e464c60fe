import { assertEquals } from "@std/assert";
import { describe, it } from "node:test";
import type { FhirVersion } from "@fhir-ws/binding";
import { matches, readWatch } from "../../scripts/demo/matching.ts";

const TOPIC = "http://example.org/SubscriptionTopic/";
const patient = { resourceType: "Patient", id: "p1", active: true, gender: "female", count: 3, deceasedBoolean: false };

/** Whether a Subscription with this criteria, or topic in R5, is told of that patient. */
function tells(version: FhirVersion, text: unknown, resource: { resourceType: string } = patient): boolean {
  const name = version === "R5" ? "topic" : "criteria";
  const watch = readWatch({ resourceType: "Subscription", ...{ [name]: text } }, version);
  return watch !== undefined && matches(watch, resource);
}

describe("readWatch and matches", () => {
  for (
    const [criteria, told] of [
      ["Patient", true],
      ["Patient?", true],
      ["Observation", false],
      ["Patient?active=true", true],
      ["Patient?active=false", false],
      ["Patient?active=TRUE", false],
      ["Patient?deceasedBoolean=false", true],
      ["Patient?gender=female", true],
      ["Patient?gender=fem%61le", true],
      ["Patient?count=3", true],
      ["Patient?count=3.0", false],
      ["Patient?gender=female&active=true", true],
      ["Patient?gender=female&active=false", false],
      ["Patient?gender=female&gender=male", false],
      ["Patient?missing=x", false],
      ["Patient?toString=x", false],
      ["Patient?gender", false],
      ["Patient?name=[object%20Object]", false],
      [`${TOPIC}Patient`, true],
      [`${TOPIC}Observation`, false],
      [`${TOPIC}Patient?active=true`, false],
      [`${TOPIC}`, false],
      ["http://example.org/OtherTopic/Patient", false],
      ["", false],
      ["?active=true", false],
      [7, false],
      [undefined, false],
    ] as const
  ) {
    it(`R4 criteria ${JSON.stringify(criteria)} ${told ? "match" : "do not match"} the patient`, () => {
      assertEquals(tells("R4", criteria), told);
      assertEquals(tells("R4B", criteria), told);
    });
  }

  it("an object never matches when its text is asked for", () => {
    const named = { resourceType: "Patient", name: [{ family: "x" }], link: {} };
    assertEquals(tells("R4", "Patient?link=[object%20Object]", named), false);
    assertEquals(tells("R4", "Patient?name=[object%20Object]", named), false);
  });

  it("R5 reads the topic and no search", () => {
    assertEquals(tells("R5", `${TOPIC}Patient`), true);
    assertEquals(tells("R5", "Patient"), false);
    assertEquals(readWatch({ resourceType: "Subscription", ...{ criteria: `${TOPIC}Patient` } }, "R5"), undefined);
  });
});
