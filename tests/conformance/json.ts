// Walking through answers whose shape is what is tested.

import { assert } from "@std/assert";

/** A JSON object that nobody has checked. */
export type JsonObject = Record<string, unknown>;

/** A member that has to be an object. */
export function member(value: JsonObject, name: string): JsonObject {
  return object(value[name], name);
}

/** A value that has to be an object. */
export function object(value: unknown, name = "it"): JsonObject {
  assert(typeof value === "object" && value !== null && !Array.isArray(value), `${name} is no object: ${value}`);
  return value as JsonObject; // as just seen
}

/** The objects of an array; none when it is absent. */
export function items(value: unknown): JsonObject[] {
  if (value === undefined) return [];
  assert(Array.isArray(value), `no array: ${value}`);
  return value.map((one) => object(one));
}

/** A value that has to be text. */
export function text(value: unknown): string {
  assert(typeof value === "string", `no text: ${value}`);
  return value;
}
