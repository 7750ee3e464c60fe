import { describe, it } from "node:test";
import { assertEquals, assertGreater } from "@std/assert";
import { FHIR_VERSIONS, readFixture } from "../operation/fake_host.ts";
import { judge } from "./judge.ts";
import { openSchemas } from "./schemas.ts";

const schemas = await openSchemas();
const skip = schemas.skip ?? false;
const KINDS = ["handshake", "heartbeat", "event-empty", "event-id-only", "event-full-resource"];

/** What breaks any notification of each version. */
const BREAKS: Readonly<Record<string, Readonly<Record<string, (frame: string) => string>>>> = {
  R4: {
    "another type of Bundle": (frame) => frame.replace('"history"', '"collection"'),
    "no response": (frame) => frame.replace('"response"', '"answer"'),
    "a type that nobody knows": (frame) => frame.replace(/("name": "type",\s+"valueCode": )"/, '$1"x-'),
  },
  R4B: {
    "another type of Bundle": (frame) => frame.replace('"history"', '"subscription-notification"'),
    "no response": (frame) => frame.replace('"response"', '"answer"'),
    "no status": (frame) => frame.replace('"SubscriptionStatus"', '"Patient"'),
  },
  R5: {
    "another type of Bundle": (frame) => frame.replace('"subscription-notification"', '"history"'),
    "a number of events that is none": (frame) => frame.replace(/("eventsSinceSubscriptionStart": )"\d+"/, "$1true"),
    "no status": (frame) => frame.replace('"SubscriptionStatus"', '"Patient"'),
  },
};

describe("judge", { skip }, () => {
  for (const version of FHIR_VERSIONS) {
    for (const kind of KINDS) {
      it(`passes the ${kind} of ${version}'s reference, and nothing that is wrong with it`, async () => {
        const frame = await readFixture(`notifications/${version}/${kind}.json`);
        assertEquals(await judge(schemas, frame), []);
        for (const [what, broken] of Object.entries(BREAKS[version] ?? {})) {
          assertGreater((await judge(schemas, broken(frame))).length, 0, what);
        }
      });
    }
  }

  it("sees what is wrong with a Parameters and an OperationOutcome, and leaves all else alone", async () => {
    const outcome = { resourceType: "OperationOutcome", issue: [{ severity: "error", code: "not-found" }] };
    const parameters = { resourceType: "Parameters", parameter: [{ name: "token", valueString: "t" }] };
    const patient = { resourceType: "Patient", active: "yes" };
    const listed = { resourceType: "Bundle", type: "searchset", entry: [{ resource: patient }] };
    for (const good of [outcome, parameters, patient, listed, { type: "pong" }]) {
      assertEquals(await judge(schemas, JSON.stringify(good)), []);
    }
    const bad = [
      { ...outcome, issue: [{ severity: "error", code: "gone" }] },
      { ...outcome, issue: [] },
      { ...parameters, parameter: [{ name: "token", valueString: "" }] },
      { resourceType: "Bundle", type: "history", entry: [] },
      { resourceType: "Bundle", type: "history", entry: [{ resource: patient }] },
    ];
    for (const one of bad) assertGreater((await judge(schemas, JSON.stringify(one))).length, 0, JSON.stringify(one));
  });
});
