// Claims as our own signers write most of them, read without JSON.parse: that and writing them again to compare would take
// several times as long. Whatever is not found here in exactly this form is left to the general reader.

import type { Claims } from "./claims.ts";

/** How far a text has been read; to its end as soon as something else is found than what must follow. */
interface Scan {
  readonly json: string;
  at: number;
}

/** Claims without `nbf` and the caller's, in which no text holds an escape; or `undefined`. */
export function scanClaims(json: string): Claims | undefined {
  const scan: Scan = { json, at: 0 };
  const iss = textAfter('{"iss":"', scan);
  const aud = textAfter('","aud":"', scan);
  const sub = textAfter('","sub":"', scan);
  const iat = numberAfter('","iat":', scan);
  const exp = numberAfter(',"exp":', scan);
  const jti = textAfter(',"jti":"', scan);
  const tenant = json.startsWith(TENANT, scan.at) ? textAfter(TENANT, scan) : undefined;
  const subscriptions = [textAfter('","subscriptions":["', scan)];
  while (json.startsWith('","', scan.at)) subscriptions.push(textAfter('","', scan));
  if (json.startsWith(NO_GENERATIONS, scan.at) && json.length === scan.at + NO_GENERATIONS.length) {
    return { iss, aud, sub, iat, exp, jti, tenant, subscriptions };
  }
  const generations = [numberAfter('"],"generations":[', scan)];
  while (json.startsWith(",", scan.at)) generations.push(numberAfter(",", scan));
  if (!json.startsWith("]}", scan.at) || json.length !== scan.at + 2) return undefined;
  return { iss, aud, sub, iat, exp, jti, tenant, subscriptions, generations };
}

const TENANT = '","tenant":"';
const NO_GENERATIONS = '"]}';

/** Where printable ASCII other than the quote and the backslash ends, which alone JSON writes in another way. */
export function endOfPlain(text: string, from: number): number {
  let at = from;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code < 0x20 || code > 0x7e || code === 0x22 || code === 0x5c) break;
    at++;
  }
  return at;
}

function textAfter(head: string, scan: Scan): string {
  const from = skip(head, scan);
  scan.at = endOfPlain(scan.json, from);
  return scan.json.slice(from, scan.at);
}

/** Digits only, and no zero before them: what else a number may be is none of what we write. */
function numberAfter(head: string, scan: Scan): number {
  const { json } = scan;
  const from = skip(head, scan);
  let value = 0;
  let at = from;
  while (at < json.length) {
    const digit = json.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
    at++;
  }
  const isCanonical = at === from + 1 || (at > from && json.charCodeAt(from) !== 0x30);
  scan.at = isCanonical ? at : json.length;
  return value;
}

function skip(head: string, { json, at }: Scan): number {
  return json.startsWith(head, at) ? at + head.length : json.length;
}
