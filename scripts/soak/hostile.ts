// What nobody should send, and what the README promises for it.

import type { Token } from "./token.ts";

/** A frame and the issue that answers it. */
export interface HostileFrame {
  readonly name: string;
  readonly code: string;
  make(known: Known): string | undefined;
}

/** What a hostile client has in hand. */
export interface Known {
  readonly token: Token;
  /** One that has expired, if there is any yet. */
  readonly expired: Token | undefined;
  /** One of another caller. */
  readonly foreign: Token | undefined;
}

export const HOSTILE_FRAMES: readonly HostileFrame[] = [
  { name: "unknown verb", code: "not-supported", make: () => "hello" },
  { name: "R4's bind", code: "not-supported", make: () => "bind s1" },
  { name: "empty", code: "structure", make: () => " \n" },
  { name: "broken JSON", code: "structure", make: () => '{"type":"bind-with-token","payload":' },
  { name: "deep JSON", code: "structure", make: () => "{" + '"a":{'.repeat(3000) },
  { name: "unknown type", code: "not-supported", make: () => '{"type":"subscribe"}' },
  { name: "no token", code: "structure", make: () => "bind-with-token" },
  { name: "two tokens", code: "structure", make: ({ token }) => `bind-with-token ${token.text} ${token.text}` },
  { name: "token of no string", code: "structure", make: () => '{"type":"bind-with-token","payload":{"token":7}}' },
  { name: "nonsense token", code: "unknown", make: () => "bind-with-token nonsense" },
  { name: "token without signature", code: "unknown", make: ({ token }) => `bind-with-token ${unsigned(token.text)}` },
  { name: "changed token", code: "unknown", make: ({ token }) => `bind-with-token ${changed(token.text)}` },
  {
    name: "event number below 0",
    code: "structure",
    make: ({ token: { text } }) => bindFrame(text, { s1: "-1" }),
  },
  { name: "expired token", code: "expired", make: ({ expired }) => expired && bindFrame(expired.text) },
  { name: "foreign token", code: "forbidden", make: ({ foreign }) => foreign && bindFrame(foreign.text) },
];

/** The JSON form of a bind. */
export function bindFrame(token: string, eventsSinceNumber?: object): string {
  return JSON.stringify({ type: "bind-with-token", payload: { token, eventsSinceNumber } });
}

function unsigned(token: string): string {
  return token.slice(0, token.lastIndexOf(".") + 1) + "AAAA";
}

function changed(token: string): string {
  const middle = token.indexOf(".") + 10;
  return token.slice(0, middle) + (token[middle] === "A" ? "B" : "A") + token.slice(middle + 1);
}

/** A call of the operation and the status that answers it. */
export interface HostileCall {
  readonly name: string;
  readonly status: number;
  readonly path: string;
  readonly init?: RequestInit;
}

const PARAMETERS = { "content-type": "application/fhir+json" };

export const HOSTILE_CALLS: readonly HostileCall[] = [
  { name: "no id", status: 400, path: "$get-ws-binding-token?id=" },
  { name: "bad id", status: 400, path: "$get-ws-binding-token?id=a%20b" },
  { name: "unknown id", status: 404, path: "nobodys/$get-ws-binding-token" },
  { name: "too many ids", status: 422, path: `$get-ws-binding-token?${ids(101)}` },
  { name: "wrong method", status: 405, path: "s1/$get-ws-binding-token", init: { method: "PUT", body: "{}" } },
  { name: "XML", status: 406, path: "s1/$get-ws-binding-token", init: { headers: { accept: "application/fhir+xml" } } },
  {
    name: "XML body",
    status: 415,
    path: "$get-ws-binding-token",
    init: { method: "POST", body: "<a/>", headers: { "content-type": "application/fhir+xml" } },
  },
  {
    name: "broken body",
    status: 400,
    path: "$get-ws-binding-token",
    init: { method: "POST", body: '{"resourceType":', headers: PARAMETERS },
  },
  {
    name: "large body",
    status: 413,
    path: "$get-ws-binding-token",
    init: { method: "POST", body: " ".repeat(70_000), headers: PARAMETERS },
  },
];

function ids(count: number): string {
  return Array.from({ length: count }, (_, n) => `id=x${n}`).join("&");
}
