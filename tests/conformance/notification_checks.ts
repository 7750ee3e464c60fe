// What the Inferno Subscriptions Test Kit looks at in a notification of R4, restated over frames of a websocket: its
// checks 1 to 3 and 5 to 10.

import { assert, assertEquals, assertExists, assertFalse } from "@std/assert";
import { items, type JsonObject, member, text } from "./json.ts";

const TYPES = ["handshake", "heartbeat", "event-notification", "query-event"] as const;

/** What a client knows of its Subscription when a notification comes. */
export interface Expected {
  readonly id: string;
  readonly type: typeof TYPES[number];
  readonly level: "empty" | "id-only" | "full-resource";
  /** Whether the Subscription asks for heartbeats. */
  readonly heartbeats: boolean;
  /** Whether it is to a search, which has no topic to tell of. */
  readonly search?: boolean;
}

/** Sees that there is such a type. */
export function typeOf(code: unknown): Expected["type"] {
  const type = TYPES.find((one) => one === code);
  assertExists(type, `5: the type "${code}"`);
  return type;
}

/** Sees that a notification would pass. */
export function assertNotification(frame: string, expected: Expected): void {
  const bundle = JSON.parse(frame);
  const entries = items(bundle.entry);
  assertEquals([bundle.resourceType, bundle.type], ["Bundle", "history"], "1: a history Bundle");
  assert(entries.length > 0, "1: with entries");
  for (const entry of entries) assert(entry.request && entry.response, "2: each with request and response");
  const [first = {}, ...others] = entries;
  const url = text(member(first, "request").url);
  assert(url.endsWith(`Subscription/${expected.id}/$status`), `3: the request "${url}" is for the status`);

  const status = member(first, "resource");
  const parameters = items(status.parameter);
  assertEquals(status.resourceType, "Parameters", "4: the status is of R4");
  assertEquals(one(parameters, "type").valueCode, expected.type, "5: the type");
  if (expected.type === "event-notification") assertEquals(one(parameters, "status").valueCode, "active", "5: status");
  if (expected.type === "heartbeat") assert(expected.heartbeats, "9: a heartbeat comes only where it was asked for");
  const reference = text(member(one(parameters, "subscription"), "valueReference").reference);
  assertEquals(reference.split("/").at(-1), expected.id, "10: the Subscription");
  const events = parameters.filter(({ name }) => name === "notification-event").map(({ part }) => items(part));
  if (expected.type === "event-notification") LEVELS[expected.level](events, others, parameters, expected);
  else if (expected.type !== "query-event") assertEquals([events, others], [[], []], "nothing has happened");
}

type Events = readonly (readonly JsonObject[])[];
type LevelCheck = (
  events: Events,
  others: readonly JsonObject[],
  parameters: readonly JsonObject[],
  expected: Expected,
) => void;

const LEVELS: Readonly<Record<Expected["level"], LevelCheck>> = {
  "empty"(events, others, parameters) {
    assert(events.length > 0, "6: an event");
    assertEquals(others, [], "6: and nothing else");
    for (const part of events) {
      assertFalse(part.some(({ name }) => name === "focus" || name === "additional-context"), "6: without a reference");
    }
    assertFalse(parameters.some(({ name }) => name === "topic"), "6: or topic");
  },
  "id-only"(events, others) {
    assert(events.length > 0, "7: an event");
    for (const part of events) assertExists(focusOf(part), "7: with its focus");
    for (const entry of others) {
      assertFalse("resource" in entry, "7: and no resource");
      assertExists(entry.fullUrl, "7: but its URL");
    }
  },
  "full-resource"(events, others, parameters, { search = false }) {
    assert(events.length > 0, "8: an event");
    for (const part of events) {
      const focus = focusOf(part);
      const found = others.some((entry) => {
        // What was deleted is not there to be sent, of which Inferno says nothing.
        if (member(entry, "request").method === "DELETE") return entry.fullUrl === focus && !("resource" in entry);
        const { resourceType, id } = member(entry, "resource");
        return focus.includes(`${resourceType}/${id}`);
      });
      assert(found, `8: the resource of ${focus}`);
    }
    assertEquals(parameters.some(({ name }) => name === "topic"), !search, "8: and the topic");
  },
};

function one(parameters: readonly JsonObject[], name: string): JsonObject {
  const found = parameters.filter((parameter) => parameter.name === name);
  assertEquals(found.length, 1, `${name} stands exactly once`);
  return found[0] ?? {};
}

function focusOf(part: readonly JsonObject[]): string {
  return text(member(one(part, "focus"), "valueReference").reference);
}
