// The CapabilityStatement of a base: https://hl7.org/fhir/capabilitystatement.html

import type { FhirVersion } from "@fhir-ws/binding";
import { jsonResponse, methodNotAllowed } from "./outcome.ts";
import { acceptable } from "./rest.ts";

const EXTENSIONS = {
  websocket: "http://hl7.org/fhir/StructureDefinition/capabilitystatement-websocket",
  oauth: "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris",
};
const NUMBERS: Readonly<Record<FhirVersion, string>> = { R4: "4.0.1", R4B: "4.3.0", R5: "5.0.0" };
const BACKPORT =
  "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription-get-ws-binding-token";
const R5 = "http://hl7.org/fhir/OperationDefinition/Subscription-get-ws-binding-token";

/** What there is to say of a base. */
export interface About {
  readonly version: FhirVersion;
  readonly base: string;
  readonly websocketUrl: string;
  readonly tokenUrl: string;
  readonly since: Date;
}

/**
 * Answers `GET metadata`, whoever asks.
 *
 * @throws {Refusal} 405, 406
 */
export function answerMetadata(request: Request, about: About): Response {
  if (request.method !== "GET" && request.method !== "HEAD") throw methodNotAllowed("GET, HEAD, OPTIONS");
  return jsonResponse(capabilityStatement(about), { type: acceptable(request, about.version) });
}

function capabilityStatement({ version, base, websocketUrl, tokenUrl, since }: About): Record<string, unknown> {
  return {
    resourceType: "CapabilityStatement",
    status: "active",
    date: since.toISOString(),
    kind: "instance",
    software: { name: "Demo of @fhir-ws/binding" },
    implementation: { description: "A demonstration: its users and their secrets are public", url: base },
    fhirVersion: NUMBERS[version],
    format: ["application/fhir+json", "json"],
    rest: [{
      extension: [{ url: EXTENSIONS.websocket, valueUri: websocketUrl }],
      mode: "server",
      documentation: "Other resource types are created, read, updated and deleted in the same way; nothing is searched",
      security: {
        extension: [{ url: EXTENSIONS.oauth, extension: [{ url: "token", valueUri: tokenUrl }] }],
        cors: true,
        service: [{ text: "OAuth 2.0 client credentials" }],
        description: "A resource is seen by nobody but its creator",
      },
      resource: ["Patient", "Encounter", "Observation", "Subscription"].map((type) => resource(type, version)),
    }],
  };
}

function resource(type: string, version: FhirVersion): Record<string, unknown> {
  const operation = [{ name: "get-ws-binding-token", definition: version === "R5" ? R5 : BACKPORT }];
  return {
    type,
    interaction: ["create", "read", "update", "delete"].map((code) => ({ code })),
    versioning: "versioned",
    updateCreate: true,
    ...(type === "Subscription" && { operation }),
  };
}
