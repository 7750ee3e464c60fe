// Whether what the library says is valid, whichever of its answers and frames it is.

import type { FhirVersion } from "@fhir-ws/binding";
import { items, type JsonObject, member, text } from "./json.ts";
import { assertNotification, typeOf } from "./notification_checks.ts";
import type { Schemas } from "./schemas.ts";

/** Some versions, one of which a resource has to be valid in. */
type Choice = readonly FhirVersion[];

const EVERY: readonly Choice[] = [["R4"], ["R4B"], ["R5"]];
/** The type of a notification. */
const NOTIFICATION: Readonly<Record<FhirVersion, string>> = {
  R4: "history",
  R4B: "history",
  R5: "subscription-notification",
};

/** What is wrong with a Parameters, OperationOutcome or Bundle of statuses; nothing with whatever else it is. */
export async function judge(schemas: Schemas, said: string): Promise<readonly string[]> {
  const resource: JsonObject = JSON.parse(said);
  const { resourceType } = resource;
  if (resourceType === "OperationOutcome" || resourceType === "Parameters") {
    return await check(schemas, resource, EVERY);
  }
  return resourceType === "Bundle" ? await judgeBundle(schemas, resource) : [];
}

async function judgeBundle(schemas: Schemas, bundle: JsonObject): Promise<readonly string[]> {
  const { type, meta } = bundle;
  const [first] = items(bundle.entry);
  if (first === undefined || !isStatus(first)) {
    if (Object.values(NOTIFICATION).includes(String(type))) return ["no status comes first"];
    return first === undefined ? await check(schemas, bundle, EVERY) : []; // a search of the demo's
  }
  const isR4 = member(first, "resource").resourceType === "Parameters";
  if (type === "searchset") return await check(schemas, bundle, isR4 ? [["R4"]] : [["R4B", "R5"]]);
  // Only the profiles of the IG tell R4B from R5.
  const version = isR4 ? "R4" : meta === undefined ? "R5" : "R4B";
  if (type !== NOTIFICATION[version]) return [`a notification of ${version} has the type "${type}"`];
  const wrong = await check(schemas, bundle, [[version]]);
  return isR4 ? [...wrong, ...wrongByInferno(bundle)] : wrong;
}

async function check(
  schemas: Schemas,
  resource: JsonObject,
  choices: readonly Choice[],
): Promise<readonly string[]> {
  const wrong: string[] = [];
  for (const choice of choices) {
    const checks = await Promise.all(choice.map((version) => schemas.check(version)));
    const found = checks.map((check) => check(withoutHosts(resource)));
    if (found.every(({ length }) => length > 0)) wrong.push(...found.flat().map((one) => `${choice}: ${one}`));
  }
  return wrong;
}

function isStatus(entry: JsonObject): boolean {
  return "resource" in entry &&
    ["SubscriptionStatus", "Parameters"].includes(String(member(entry, "resource").resourceType));
}

/** A host's resources are sent as they are, and those of tests are seldom whole: an empty one is in their place. */
function withoutHosts(resource: JsonObject): JsonObject {
  if (resource.resourceType !== "Bundle" || resource.entry === undefined) return resource;
  const entry = items(resource.entry).map((one) =>
    "resource" in one && !isStatus(one) ? { ...one, resource: { resourceType: "Patient" } } : one
  );
  return { ...resource, entry };
}

/** What the Subscription asked for is not known here: it is taken from what came. */
function wrongByInferno(bundle: JsonObject): readonly string[] {
  const [first = {}, ...others] = items(bundle.entry);
  const parameters = items(member(first, "resource").parameter);
  const reference = parameters.find(({ name }) => name === "subscription");
  const type = parameters.find(({ name }) => name === "type");
  const events = parameters.filter(({ name }) => name === "notification-event");
  const hasFocus = events.some(({ part }) => items(part).some(({ name }) => name === "focus"));
  const level = others.some((entry) => "resource" in entry) ? "full-resource" : hasFocus ? "id-only" : "empty";
  try {
    const id = text(member(reference ?? {}, "valueReference").reference).split("/").at(-1) ?? "";
    assertNotification(JSON.stringify(bundle), {
      id,
      type: typeOf(type?.valueCode),
      level,
      heartbeats: true,
      search: !parameters.some(({ name }) => name === "topic"),
    });
    return [];
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}
