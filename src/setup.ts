// What is checked once, when a host hands over its configuration: mistakes of a programmer, hence TypeError and RangeError.

import { VERSIONS } from "./fhir/version.ts";
import type { FhirEndpoint } from "./types.ts";

/** Milliseconds beyond which a timer would fire at once. */
const MAX_TIMEOUT = 2 ** 31 - 1;

/** @throws {TypeError} or {RangeError} */
export function checkEndpoint(
  { base, fhirVersion, storeTimeout }: Pick<FhirEndpoint, "base" | "fhirVersion" | "storeTimeout">,
): void {
  checkBase(base);
  if (!Object.hasOwn(VERSIONS, fhirVersion)) throw new TypeError(`Cannot serve FHIR version "${fhirVersion}"`);
  checkCount("storeTimeout", storeTimeout, MAX_TIMEOUT);
}

/** @throws {TypeError} unless it is an absolute http URL that an id can be put behind. */
export function checkBase(base: string): void {
  const url = parseUrl("base", base);
  if (url === undefined || !/^https?:\/\/[^\s?#]*[^\s?#/]$/i.test(base)) {
    throw new TypeError(`Cannot use base "${base}": it is not an absolute http URL without query and slash at its end`);
  }
}

/**
 * The URL itself when clients may be sent to it.
 *
 * @throws {TypeError} when it is no WebSocket URL, or one without TLS on another host than loopback.
 */
export function checkWebsocketUrl(websocketUrl: string, allowInsecure = false): string {
  const url = parseUrl("websocketUrl", websocketUrl);
  if (url === undefined || !/^wss?:\/\/[^\s#]+$/i.test(websocketUrl)) {
    throw new TypeError(`Cannot use websocketUrl "${websocketUrl}": it is not an absolute ws or wss URL`);
  }
  if (url.protocol === "ws:" && !allowInsecure && !isLoopback(url.hostname)) {
    throw new TypeError(`Cannot use websocketUrl "${websocketUrl}": it has no TLS and allowInsecure is not set`);
  }
  return websocketUrl;
}

/** Credentials would end up in tokens, answers and messages. */
function parseUrl(name: string, text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.username || url?.password) throw new TypeError(`Cannot use ${name}: it holds credentials`);
  return url;
}

function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

/** @throws {TypeError} unless it is absent or a scheme with or without parameters: RFC 9110 §11.6.1. */
export function checkChallenge(challenge: string | undefined): void {
  if (challenge === undefined || /^[!#$%&'*+.^_`|~\w-]+(?: [\t\x20-\x7e]+)?$/.test(challenge)) return;
  throw new TypeError(`Cannot use challenge "${challenge}": it is not a scheme with parameters in ASCII`);
}

/** @throws {RangeError} unless it is absent or an integer from 1 to `most`. */
export function checkCount(name: string, value: number | undefined, most = Number.MAX_SAFE_INTEGER): void {
  if (value === undefined) return;
  if (!Number.isSafeInteger(value) || value < 1 || value > most) {
    throw new RangeError(`Cannot use ${name} ${value}: it is not an integer from 1 to ${most}`);
  }
}
