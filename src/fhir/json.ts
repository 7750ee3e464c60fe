// Reading JSON that nobody has checked.

/** A member of an object; `undefined` of anything else. */
export function member(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Record<string, unknown>)[name]; // it is its own member, as just seen
}

/** A string that is not empty. */
export function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** FHIR positiveInt. */
export function positiveInteger(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : undefined;
}

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;

/** Milliseconds of a FHIR instant, NaN of anything else: what `Date.parse` would guess depends on the engine. */
export function instant(value: unknown): number {
  return typeof value === "string" && INSTANT.test(value) ? Date.parse(value) : NaN;
}

/** The items of an array; none of anything else. */
export function items(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** FHIR's id: https://hl7.org/fhir/datatypes.html#id */
export function isFhirId(value: unknown): value is string {
  return typeof value === "string" && /^[A-Za-z0-9\-.]{1,64}$/.test(value);
}
