// Media types as FHIR uses them: https://hl7.org/fhir/http.html#mime-type

import type { FhirVersion } from "../types.ts";
import { VERSIONS } from "./version.ts";

interface MediaType {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** The JSON types, the formal one first. */
const JSON_TYPES: readonly string[] = [
  "application/fhir+json",
  "application/json",
  "text/json",
  "application/json+fhir",
];

/** What `_format` may say for JSON, besides the types; a `+` that nobody escaped arrives as a space. */
const FORMATS: ReadonlyMap<string, string> = new Map([
  ["json", "application/fhir+json"],
  ["application/fhir json", "application/fhir+json"],
  ["application/json fhir", "application/json+fhir"],
]);

/** Parses `type/subtype; name=value`; a comma or semicolon inside quotes is not one that separates. */
function parseMediaType(text: string): MediaType {
  const [type = "", ...rest] = splitOutsideQuotes(text, ";");
  const parameters = new Map(
    rest.filter((part) => part.includes("=")).map((part) => {
      const equals = part.indexOf("=");
      const value = part.slice(equals + 1).trim().replace(/^"(.*)"$/, "$1");
      return [part.slice(0, equals).trim().toLowerCase(), value] as const;
    }),
  );
  return { type: type.trim().toLowerCase(), parameters };
}

function splitOutsideQuotes(text: string, separator: "," | ";"): string[] {
  const pattern = separator === "," ? /(?:[^,"]|"[^"]*"?)+/g : /(?:[^;"]|"[^"]*"?)+/g;
  return text.match(pattern) ?? [];
}

function sameVersion(parameters: ReadonlyMap<string, string>, version: FhirVersion): boolean {
  const wanted = parameters.get("fhirversion");
  return wanted === undefined || wanted === VERSIONS[version].mime;
}

/** Whether a body or payload of this type is JSON of this FHIR version. */
export function isFhirJson(contentType: string, version: FhirVersion): boolean {
  const { type, parameters } = parseMediaType(contentType);
  const charset = parameters.get("charset")?.toLowerCase() ?? "utf-8";
  return JSON_TYPES.includes(type) && sameVersion(parameters, version) && (charset === "utf-8" || charset === "utf8");
}

/**
 * The JSON type to answer with, by `_format`, else by `Accept` as RFC 9110 §12.5.1 weighs it; `undefined` when none of
 * them is acceptable.
 */
export function negotiate(accept: string | null, format: string | null, version: FhirVersion): string | undefined {
  if (format) {
    const { type, parameters } = parseMediaType(format);
    const wanted = FORMATS.get(type) ?? type;
    return JSON_TYPES.includes(wanted) && sameVersion(parameters, version) ? wanted : undefined;
  }
  // What nearly every client sends needs no weighing.
  if (accept === null || accept === JSON_TYPES[0] || accept === "*/*" || accept.trim() === "") return JSON_TYPES[0];
  const ranges = splitOutsideQuotes(accept, ",").map(parseMediaType).filter((range) =>
    sameVersion(range.parameters, version)
  );
  let best: { type: string; quality: number } | undefined;
  for (const type of JSON_TYPES) {
    const quality = qualityOf(type, ranges);
    if (quality > 0 && quality > (best?.quality ?? 0)) best = { type, quality };
  }
  return best?.type;
}

/** The most specific range that covers the type decides. */
function qualityOf(type: string, ranges: readonly MediaType[]): number {
  const family = `${type.slice(0, type.indexOf("/"))}/*`;
  const range = ranges.find((range) => range.type === type) ?? ranges.find((range) => range.type === family) ??
    ranges.find((range) => range.type === "*/*");
  if (range === undefined) return 0;
  const quality = Number(range.parameters.get("q") ?? "1");
  return quality >= 0 && quality <= 1 ? quality : 0;
}
