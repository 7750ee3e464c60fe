// Asking for a binding token: https://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition-backport-subscription-get-ws-binding-token.html

import { failure, type SubscribeErrorCode } from "./errors.ts";
import { get, idOf, issuesOf, list, parse, plain, text, values } from "./json.ts";
import type { Client } from "./settings.ts";
import { firstOf } from "./timing.ts";

/** A token and what it is good for. */
export interface Grant {
  readonly token: string;
  readonly url: string;
  /** Milliseconds by the server's clock, NaN when it does not say. */
  readonly expiration: number;
  /** Milliseconds that the server's clock is ahead, NaN unless the answer had a `Date` that we may read. */
  readonly ahead: number;
}

/** One way to ask. */
export interface Way {
  readonly method: "GET" | "POST";
  readonly level: "type" | "instance";
}

/** In order of preference: servers SHALL take POST, but Medplum's and Helios have nothing but GET at the instance. */
export const WAYS: readonly Way[] = [
  { method: "POST", level: "type" },
  { method: "GET", level: "instance" },
  { method: "POST", level: "instance" },
];

const CODES: Readonly<Record<number, SubscribeErrorCode>> = {
  401: "unauthorized",
  403: "forbidden",
  404: "not-found",
  410: "not-found",
  408: "unavailable",
  425: "unavailable",
  429: "unavailable",
  501: "rejected",
};

/** Seconds; a longer wait is none that a server means. */
const LONGEST_WAIT = 86_400;

/** @throws {SubscribeError} */
export async function askForToken(client: Client, ids: readonly string[], way: Way): Promise<Grant> {
  const { json, ahead } = await call(client, ...tokenRequest(ids, way));
  const parameters = get(json, "parameter");
  const first = (name: string): string | undefined => text(values(parameters, name)[0]);
  const token = first("token") ?? malformed("there is no token");
  if (way.level === "type") checkCovered(parameters, ids);
  const url = socketUrl(client, first("websocket-url") ?? await advertisedUrl(client));
  const written = first("expiration") ?? "";
  // A date without a time is the whole day: https://hl7.org/fhir/datatypes.html#dateTime
  const expiration = Date.parse(written) + (written.length === 10 ? 86_400_000 : 0);
  if (expiration <= Date.now() + ahead - 1000) throw failure("expired", "the token had expired when it came");
  return { token, url, expiration, ahead };
}

function tokenRequest(ids: readonly string[], { method, level }: Way): [path: string, init: RequestInit] {
  const operation = "/$get-ws-binding-token";
  if (level === "instance") return [`/Subscription/${ids[0]}${operation}`, { method }];
  const parameter = ids.map((id) => ({ name: "id", valueId: id }));
  const body = JSON.stringify({ resourceType: "Parameters", parameter });
  return [`/Subscription${operation}`, { method, body, headers: { "content-type": "application/fhir+json" } }];
}

/** Sends a request, for no longer than `timeout`; whatever still runs after that is cut off. */
async function call(client: Client, path: string, init?: RequestInit): Promise<{ json: unknown; ahead: number }> {
  const limit = new AbortController();
  try {
    const request = new Request(client.base + path, { ...init, signal: limit.signal });
    request.headers.set("accept", "application/fhir+json");
    const sentAt = Date.now();
    const exchange = client.fetch(request).then(async (response) => ({
      response,
      // Of anything else not even the size is known; the request is cut off.
      json: /json/i.test(response.headers.get("content-type") ?? "") ? parse(await response.text()) : undefined,
    })).catch((cause) => failure("unavailable", "the request failed", { cause }));
    const answer = await firstOf(client.timeout, client.signal, exchange) ??
      failure("unavailable", "no answer in time");
    if (answer instanceof Error) throw answer;
    const { json, response: { status, headers, ok } } = answer;
    // It has no milliseconds: the server may be a second further.
    const ahead = Date.parse(headers.get("date") ?? "") + 1000 - sentAt;
    if (ok) return { json, ahead };
    const code = CODES[status] ?? (status < 400 ? "malformed" : status < 500 ? "rejected" : "unavailable");
    const retryAfter = readRetryAfter(headers.get("retry-after") ?? "", sentAt + (ahead || 0));
    throw failure(code, `the server answered ${status}`, { status, issues: issuesOf(json), retryAfter });
  } finally {
    limit.abort();
  }
}

/** Seconds; RFC 9110 §10.2.3 */
function readRetryAfter(value: string, now: number): number {
  const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - now) / 1000;
  return Math.min(Math.max(0, seconds || 0), LONGEST_WAIT);
}

function malformed(why: string): never {
  throw failure("malformed", why);
}

/** Older servers do not know `id` and give a token for nothing; drafts wrote one list with commas. */
function checkCovered(parameters: unknown, ids: readonly string[]): void {
  const written = [...values(parameters, "subscription"), ...values(parameters, "subscriptions")];
  const covered = written.flatMap((one) => plain(get(one, "reference") ?? one).split(",").map(idOf));
  if (written.length > 0 && !ids.every((id) => covered.includes(id))) {
    throw failure("rejected", "the token does not cover each Subscription");
  }
}

/** Drafts had no websocket-url: the CapabilityStatement says where the sockets are. */
async function advertisedUrl(client: Client): Promise<string> {
  const { json } = await call(client, "/metadata");
  const extensions = list(get(json, "rest")).flatMap((rest) => list(get(rest, "extension")));
  const found = extensions.find((one) => plain(get(one, "url")).endsWith("/capabilitystatement-websocket"));
  return text(get(found, "valueUri")) ?? malformed("there is no websocket-url");
}

function socketUrl({ base }: Client, written: string): string {
  const url = URL.parse(written, base) ?? malformed("the websocket-url is no URL");
  url.protocol = url.protocol.replace("http", "ws");
  url.hash = "";
  if (!/^wss?:/.test(url.href)) malformed("the websocket-url is none");
  if (url.protocol === "ws:" && base.startsWith("https:")) {
    throw failure("insecure", "the websocket-url is ws: and the base https:");
  }
  return url.href;
}
