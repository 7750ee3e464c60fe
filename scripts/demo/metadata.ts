// The CapabilityStatement of a base: https://hl7.org/fhir/capabilitystatement.html

import {
  type FhirVersion,
  operationDefinition,
  subscriptionCapability,
  type SubscriptionOperation,
} from "@fhir-ws/binding/conformance";
import { jsonResponse, methodNotAllowed } from "./outcome.ts";
import { acceptable, type RestParts } from "./rest.ts";

const OAUTH = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris";
const NUMBERS: Readonly<Record<FhirVersion, string>> = { R4: "4.0.1", R4B: "4.3.0", R5: "5.0.0" };
const OPERATIONS: ReadonlyMap<string, SubscriptionOperation> = new Map([
  ["Subscription-get-ws-binding-token", "get-ws-binding-token"],
  ["Subscription-status", "status"],
  ["Subscription-events", "events"],
]);

/** Those that an example needs; any other is served as well. */
const TYPES = ["Patient", "Encounter", "Observation"];
const INTERACTIONS = {
  interaction: ["create", "read", "update", "delete"].map((code) => ({ code })),
  versioning: "versioned",
  updateCreate: true,
};

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

/** The operation whose definition is at this path below a base. */
export function definedOperation([type, id = "", ...more]: readonly string[]): SubscriptionOperation | undefined {
  return type === "OperationDefinition" && more.length === 0 ? OPERATIONS.get(id) : undefined;
}

/**
 * Answers `GET OperationDefinition/id` for an operation of the library, to every user.
 *
 * @throws {Refusal} 405, 406, 401
 */
export async function answerDefinition(
  request: Request,
  operation: SubscriptionOperation,
  { version, base, authenticate }: Pick<RestParts, "version" | "base" | "authenticate">,
): Promise<Response> {
  if (request.method !== "GET" && request.method !== "HEAD") throw methodNotAllowed("GET, HEAD, OPTIONS");
  const type = acceptable(request, version);
  await authenticate(request);
  return jsonResponse(operationDefinition({ base, fhirVersion: version }, operation), { type });
}

function capabilityStatement({ version, base, websocketUrl, tokenUrl, since }: About): Record<string, unknown> {
  const topics = TYPES.map((type) => `http://example.org/SubscriptionTopic/${type}`);
  const { extension, resource } = subscriptionCapability({ fhirVersion: version, websocketUrl, topics });
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
      extension,
      mode: "server",
      documentation: "Other resource types are created, read, updated and deleted in the same way; nothing is searched",
      security: {
        extension: [{ url: OAUTH, extension: [{ url: "token", valueUri: tokenUrl }] }],
        cors: true,
        service: [{ text: "OAuth 2.0 client credentials" }],
        description: "A resource is seen by nobody but its creator",
      },
      resource: [
        ...TYPES.map((type) => ({ type, ...INTERACTIONS })),
        { ...resource, ...INTERACTIONS },
        { type: "OperationDefinition", interaction: [{ code: "read" }] },
      ],
    }],
  };
}
