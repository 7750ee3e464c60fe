// Claims as our own signers write most of them, read without JSON.parse: that and writing them again to compare would take
// several times as long. Whatever is not found here in exactly this form is left to the general reader.

import type { Claims } from "./claims.ts";

/** Claims without `nbf` and the caller's, in which no text holds an escape; or `undefined`. */
export function scanClaims(json: string): Claims | undefined {
  let at = 0;

  /** Passes by what must follow; where something else does there is nothing more to find. */
  function pass(head: string): number {
    at = json.startsWith(head, at) ? at + head.length : json.length;
    return at;
  }
  function textAfter(head: string): string {
    const from = pass(head);
    at = endOfPlain(json, from);
    return json.slice(from, at);
  }
  function numberAfter(head: string): number {
    const from = pass(head);
    let value = 0;
    for (let digit = digitAt(json, at); digit >= 0 && digit <= 9; digit = digitAt(json, at)) {
      value = value * 10 + digit;
      at++;
    }
    // Nothing but digits, and no zero before them: what else a number may be is none of what we write.
    if (at === from || (digitAt(json, from) === 0 && at > from + 1)) at = json.length;
    return value;
  }
  function listAfter<T>(head: string, next: string, read: (head: string) => T): T[] {
    const items = [read(head)];
    while (json.startsWith(next, at)) items.push(read(next));
    return items;
  }

  const claims = {
    iss: textAfter('{"iss":"'),
    aud: textAfter('","aud":"'),
    sub: textAfter('","sub":"'),
    iat: numberAfter('","iat":'),
    exp: numberAfter(',"exp":'),
    jti: textAfter(',"jti":"'),
    tenant: json.startsWith(TENANT, at) ? textAfter(TENANT) : undefined,
    subscriptions: listAfter('","subscriptions":["', '","', textAfter),
    generations: json.startsWith(GENERATIONS, at) ? listAfter(GENERATIONS, ",", numberAfter) : undefined,
  };
  const end = claims.generations ? "]}" : '"]}';
  return json.startsWith(end, at) && at + end.length === json.length ? claims : undefined;
}

const TENANT = '","tenant":"';
const GENERATIONS = '"],"generations":[';

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

/** -1 beyond the end. */
function digitAt(text: string, at: number): number {
  return at < text.length ? text.charCodeAt(at) - 0x30 : -1;
}
