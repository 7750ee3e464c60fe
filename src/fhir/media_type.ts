// Media types as FHIR uses them: https://hl7.org/fhir/http.html#mime-type

import type { FhirVersion } from "../types.ts";
import { VERSIONS } from "./version.ts";

interface MediaType {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** The formal type. */
export const FHIR_JSON = "application/fhir+json";

/** All JSON types, by preference. */
const JSON_TYPES: readonly string[] = [FHIR_JSON, "application/json", "text/json", "application/json+fhir"];

// A comma or semicolon inside quotes is not one that separates.
const BETWEEN_COMMAS = /(?:[^,"]|"[^"]*"?)+/g;
const BETWEEN_SEMICOLONS = /(?:[^;"]|"[^"]*"?)+/g;

/** Parses `type/subtype; name=value`. */
function parseMediaType(text: string): MediaType {
  const [type = "", ...rest] = text.match(BETWEEN_SEMICOLONS) ?? [];
  const parameters = new Map(
    rest.filter((part) => part.includes("=")).map((part) => {
      const equals = part.indexOf("=");
      const value = part.slice(equals + 1).trim().replace(/^"(.*)"$/, "$1");
      return [part.slice(0, equals).trim().toLowerCase(), value] as const;
    }),
  );
  return { type: type.trim().toLowerCase(), parameters };
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
    const wanted = type === "json" ? FHIR_JSON : type.replace(" ", "+"); // which nobody had escaped
    return JSON_TYPES.includes(wanted) && sameVersion(parameters, version) ? wanted : undefined;
  }
  // What nearly every client sends needs no weighing.
  if (accept === null || accept === FHIR_JSON || accept === "*/*" || accept.trim() === "") return FHIR_JSON;
  const ranges = (accept.match(BETWEEN_COMMAS) ?? []).map(parseMediaType)
    .filter(({ parameters }) => sameVersion(parameters, version));
  const qualities = JSON_TYPES.map((type) => qualityOf(type, ranges));
  const best = Math.max(...qualities);
  return best > 0 ? JSON_TYPES[qualities.indexOf(best)] : undefined;
}

/** The most specific range that covers the type decides. */
function qualityOf(type: string, ranges: readonly MediaType[]): number {
  const family = `${type.slice(0, type.indexOf("/"))}/*`;
  const [range] = [type, family, "*/*"].flatMap((covering) => ranges.find((one) => one.type === covering) ?? []);
  if (range === undefined) return 0;
  const quality = Number(range.parameters.get("q") ?? 1);
  return quality >= 0 && quality <= 1 ? quality : 0;
}
