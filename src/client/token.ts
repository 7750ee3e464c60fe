// Asking for a binding token: https://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition-backport-subscription-get-ws-binding-token.html

import { failure, type SubscribeError, type SubscribeErrorCode } from "./errors.ts";
import { all, first, idsOf, issuesOf, list, type Loose, parse, text } from "./json.ts";
import { type Link, until } from "./link.ts";

/** A token and what it is good for. */
export interface Grant {
  readonly token: string;
  readonly url: string;
  /** Milliseconds by the server's clock, NaN when it does not say. */
  readonly expiration: number;
}

/** One way to ask: by POST at the type, or by a method at the instance. */
export type Way = "type" | "GET" | "POST";

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

/**
 * Asks in the first of the link's ways.
 *
 * @throws {SubscribeError}
 */
export async function askForToken(link: Link): Promise<Grant> {
  const { ways: [way = "type"], tallies } = link;
  const ids = [...tallies.keys()];
  const isType = way === "type";
  const parameter = ids.map((id) => ({ name: "id", valueId: id }));
  const answer = await call(
    link,
    `/Subscription/${isType ? "" : `${ids[0]}/`}$get-ws-binding-token`,
    isType
      ? {
        method: "POST",
        body: JSON.stringify({ resourceType: "Parameters", parameter }),
        headers: { "content-type": "application/fhir+json" },
      }
      : { method: way },
  );
  const parameters = answer?.parameter;
  const token = text(first(parameters, "token"));
  if (!token) throw failure("malformed", "there is no token");
  if (isType) checkCovered(parameters, ids);
  const url = socketUrl(link, text(first(parameters, "websocketUrl")) || await advertisedUrl(link));
  const written = text(first(parameters, "expiration"));
  // A date without a time is the whole day: https://hl7.org/fhir/datatypes.html#dateTime
  const expiration = Date.parse(written) + (written.length === 10 ? 86_400_000 : 0);
  if (expiration <= Date.now() + link.ahead - 1000) throw failure("expired", "the token had expired when it came");
  return { token, url, expiration };
}

/** Sends a request, for no longer than `timeout`; whatever still runs after that is cut off. */
async function call(link: Link, path: string, init?: RequestInit): Promise<Loose | undefined> {
  const limit = new AbortController();
  try {
    const request = new Request(link.base + path, { ...init, signal: limit.signal });
    request.headers.set("accept", "application/fhir+json");
    const sentAt = Date.now();
    let answer: Answer | SubscribeError | undefined;
    exchange(link, request).catch((cause) => failure("unavailable", "the request failed", { cause })).then((came) => {
      answer = came;
      link.wake();
    });
    const came = await until(link, link.timeout, () => answer);
    if (!came) throw failure("unavailable", "no answer in time");
    const { json, response: { status, headers, ok } } = came;
    // It has no milliseconds: the server may be a second further.
    link.ahead = Date.parse(headers.get("date") ?? "") + 1000 - sentAt;
    if (ok) return json;
    const code = CODES[status] ?? (status < 400 ? "malformed" : status < 500 ? "rejected" : "unavailable");
    const retryAfter = readRetryAfter(headers.get("retry-after") ?? "", sentAt + (link.ahead || 0));
    throw failure(code, `the server answered ${status}`, { status, issues: issuesOf(json), retryAfter });
  } finally {
    limit.abort();
  }
}

interface Answer {
  readonly response: Response;
  readonly json: Loose | undefined;
}

async function exchange({ fetch }: Link, request: Request): Promise<Answer> {
  const response = await fetch(request);
  // Of anything else not even the size is known; the request is cut off.
  const isJson = /json/i.test(response.headers.get("content-type") ?? "");
  return { response, json: isJson ? parse(await response.text()) : undefined };
}

/** Seconds; RFC 9110 §10.2.3 */
function readRetryAfter(value: string, now: number): number {
  const seconds = Number(value) || (Date.parse(value) - now) / 1000 || 0;
  return Math.min(Math.max(0, seconds), LONGEST_WAIT);
}

/** Older servers do not know `id` and give a token for nothing; drafts wrote one list with commas. */
function checkCovered(parameters: Loose | undefined, ids: readonly string[]): void {
  const covered = [...all(parameters, "subscription"), ...all(parameters, "subscriptions")].flatMap(idsOf);
  if (covered.length > 0 && !ids.every((id) => covered.includes(id))) {
    throw failure("rejected", "the token does not cover each Subscription");
  }
}

/** Drafts had no websocket-url: the CapabilityStatement says where the sockets are. */
async function advertisedUrl(link: Link): Promise<string> {
  const statement = await call(link, "/metadata");
  const extensions = list(statement?.rest).flatMap((rest) => list(rest?.extension));
  const found = extensions.find((one) => text(one?.url).endsWith("/capabilitystatement-websocket"));
  return text(found?.valueUri);
}

function socketUrl({ base }: Link, written: string): string {
  const url = written && URL.parse(written, base)?.href.replace(/^http/, "ws").replace(/#.*/, "");
  if (!url || !/^wss?:/.test(url)) throw failure("malformed", "there is no websocket-url");
  if (base.startsWith("https:") && !url.startsWith("wss:")) {
    throw failure("insecure", "the websocket-url is ws: and the base https:");
  }
  return url;
}
