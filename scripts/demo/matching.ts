// Which resources a Subscription waits for. Filters of a topic are not evaluated: this is no topic engine.

import type { FhirResource, FhirVersion } from "@fhir-ws/binding";
import { member } from "../../src/fhir/json.ts";

/** Resources of one type whose top-level elements have these values, as text. */
export interface Watch {
  readonly type: string;
  readonly values: readonly (readonly [name: string, value: string])[];
}

const COMPARABLE: ReadonlySet<string> = new Set(["string", "boolean", "number"]);
const TOPICS = "http://example.org/SubscriptionTopic/";

/** The name of a resource type, as far as its form tells. */
export function isResourceType(text: string): boolean {
  return /^[A-Z][A-Za-z]{0,63}$/.test(text);
}

/** What a Subscription waits for: a topic, or in R4 and R4B also a search; `undefined` when nothing here makes it. */
export function readWatch(subscription: FhirResource, version: FhirVersion): Watch | undefined {
  const wanted = member(subscription, version === "R5" ? "topic" : "criteria");
  if (typeof wanted !== "string") return undefined;
  if (wanted.startsWith(TOPICS)) return watch(wanted.slice(TOPICS.length), "");
  return version === "R5" ? undefined : readSearch(wanted);
}

/** Whether every value of the watch is one of this resource's; text, booleans and numbers compare as text. */
export function matches({ type, values }: Watch, resource: FhirResource): boolean {
  if (resource.resourceType !== type) return false;
  return values.every(([name, value]) => {
    const found = member(resource, name);
    return COMPARABLE.has(typeof found) && String(found) === value;
  });
}

function readSearch(criteria: string): Watch | undefined {
  const question = criteria.indexOf("?");
  return question < 0 ? watch(criteria, "") : watch(criteria.slice(0, question), criteria.slice(question + 1));
}

function watch(type: string, query: string): Watch | undefined {
  return isResourceType(type) ? { type, values: [...new URLSearchParams(query)] } : undefined;
}
