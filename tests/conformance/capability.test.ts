import { test } from "node:test";
import { operationDefinition, subscriptionCapability, type SubscriptionOperation } from "@fhir-ws/binding/conformance";
import { assertEquals, assertFalse, assertThrows } from "@std/assert";
import { baseOf, FHIR_VERSIONS, WEBSOCKET_URL } from "../operation/fake_host.ts";

const IG = "http://hl7.org/fhir/uv/subscriptions-backport";
const CODES: readonly SubscriptionOperation[] = ["get-ws-binding-token", "status", "events"];
/** HL7's canonicals, and where a call affects the state. */
const CANONICALS = {
  R4: `${IG}/OperationDefinition/backport-subscription-`,
  R4B: `${IG}/OperationDefinition/backport-subscription-`,
  R5: "http://hl7.org/fhir/OperationDefinition/Subscription-",
};

for (const fhirVersion of FHIR_VERSIONS) {
  test(`subscriptionCapability names what a base of ${fhirVersion} has by HL7's canonicals`, () => {
    const { extension, resource } = subscriptionCapability({ fhirVersion, websocketUrl: WEBSOCKET_URL });
    assertEquals(extension, [{
      url: "http://hl7.org/fhir/StructureDefinition/capabilitystatement-websocket",
      valueUri: WEBSOCKET_URL,
    }]);
    assertEquals(resource.type, "Subscription");
    assertEquals(resource.operation, CODES.map((name) => ({ name, definition: CANONICALS[fhirVersion] + name })));
    const profile = fhirVersion === "R5" ? undefined : [`${IG}/StructureDefinition/backport-subscription`];
    assertEquals(resource.supportedProfile, profile);
    assertFalse("extension" in resource);
  });

  test(`subscriptionCapability names in ${fhirVersion} only what it was told of`, () => {
    const topics = ["http://example.org/SubscriptionTopic/a"];
    const { resource } = subscriptionCapability({
      fhirVersion,
      websocketUrl: WEBSOCKET_URL,
      operations: ["status"],
      topics,
    });
    assertEquals(resource.operation.map(({ name }) => name), ["status"]);
    const url = `${IG}/StructureDefinition/capabilitystatement-subscriptiontopic-canonical`;
    const listed = [{ url, valueCanonical: "http://example.org/SubscriptionTopic/a" }];
    assertEquals(resource.extension, fhirVersion === "R5" ? undefined : listed);
  });

  for (const code of CODES) {
    test(`operationDefinition of ${code} in ${fhirVersion} is the host's own, based on HL7's`, () => {
      const definition = operationDefinition({ base: baseOf(fhirVersion), fhirVersion }, code);
      assertEquals(definition.url, `${baseOf(fhirVersion)}/OperationDefinition/${definition.id}`);
      assertEquals(definition.base, CANONICALS[fhirVersion] + code);
      assertEquals(definition.code, code);
      assertEquals(definition.affectsState, fhirVersion === "R5" && code === "get-ws-binding-token");
      assertEquals([definition.system, definition.type, definition.instance], [false, code !== "events", true]);
      const scoped = definition.parameter.filter(({ scope }) => scope !== undefined).map(({ name }) => name);
      const ofType = { "get-ws-binding-token": ["id"], "status": ["id", "status"], "events": [] };
      assertEquals(scoped, fhirVersion === "R5" ? ofType[code] : []);
    });
  }
}

test("operationDefinition gives event numbers the type of their version", () => {
  const types = FHIR_VERSIONS.map((fhirVersion) =>
    operationDefinition({ base: baseOf(fhirVersion), fhirVersion }, "events").parameter[0]?.type
  );
  assertEquals(types, ["string", "string", "integer64"]);
});

test("operationDefinition throws for a base that clients could not use", () => {
  for (const base of ["", "/fhir", "https://example.org/fhir/"]) {
    assertThrows(() => operationDefinition({ base, fhirVersion: "R5" }, "status"), TypeError);
  }
});
