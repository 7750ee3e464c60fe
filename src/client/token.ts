// Asking for a binding token: https://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition-backport-subscription-get-ws-binding-token.html

import { failure, type SubscribeError, type SubscribeErrorCode } from "./errors.ts";
import { issuesOf } from "./issues.ts";
import { all, first, idsOf, list, type Loose, parse, text } from "./json.ts";
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
};
const UNAVAILABLE = /^(?:408|425|429|5(?!01)..)$/;

const MEDIA_TYPE = "application/fhir+json";

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
        headers: { "content-type": MEDIA_TYPE },
      }
      : { method: way },
  );
  const parameters = answer.parameter;
  const token = first(parameters, "token");
  if (!token) throw failure("malformed", {}, "there is no token");
  if (isType) checkCovered(parameters, ids);
  const url = socketUrl(link, first(parameters, "websocketUrl") || await advertisedUrl(link));
  const written = first(parameters, "expiration");
  // A date without a time is the whole day: https://hl7.org/fhir/datatypes.html#dateTime
  const expiration = Date.parse(written) + (written.length === 10 ? 86_400_000 : 0);
  if (expiration <= Date.now() + link.ahead - 1000) throw failure("expired", {}, "the token had expired when it came");
  return { token, url, expiration };
}

/** Sends a request, for no longer than `timeout`; whatever still runs after that is cut off. */
async function call(link: Link, path: string, init?: RequestInit): Promise<Loose> {
  const limit = new AbortController();
  const request = new Request(link.base + path, { ...init, signal: limit.signal });
  request.headers.set("accept", MEDIA_TYPE);
  let answer: Loose | SubscribeError | undefined;
  exchange(link, request).catch((cause) => failure("unavailable", { cause }, "the request failed")).then((came) => {
    answer = came;
    link.wake?.();
  });
  const came = await until(link, link.timeout, () => answer).finally(() => limit.abort());
  if (!came) throw failure("unavailable", {}, "no answer came in time");
  return came;
}

/** What the server answers, or why it is none. */
async function exchange(link: Link, request: Request): Promise<Loose | SubscribeError> {
  const sentAt = Date.now();
  const { fetch } = link;
  const response = await fetch(request);
  const { ok, status, headers } = response;
  const header = (name: string): string => headers.get(name) ?? "";
  // Of anything else not even the size is known; the request is cut off.
  const json = /json/i.test(header("content-type")) ? parse(await response.text()) : undefined;
  // It has no milliseconds: the server may be a second further.
  link.ahead = Date.parse(header("date")) + 1000 - sentAt;
  if (ok) return json || {};
  const code = CODES[status] ??
    (UNAVAILABLE.test(`${status}`) ? "unavailable" : status < 400 ? "malformed" : "rejected");
  const retryAfter = readRetryAfter(header("retry-after"), sentAt + (link.ahead || 0));
  return failure(code, { status, issues: issuesOf(json), retryAfter }, `the server answered ${status}`);
}

/** Seconds; RFC 9110 §10.2.3. A wait of more than a day is none that a server means. */
function readRetryAfter(value: string, now: number): number {
  const seconds = Number(value) || (Date.parse(value) - now) / 1000 || 0;
  return Math.min(Math.max(0, seconds), 86_400);
}

/** Older servers do not know `id` and give a token for nothing; drafts wrote one list with commas. */
function checkCovered(parameters: Loose | undefined, ids: readonly string[]): void {
  const covered = [...all(parameters, "subscription"), ...all(parameters, "subscriptions")].flatMap((one) =>
    idsOf(text(one))
  );
  if (covered.length > 0 && !ids.every((id) => covered.includes(id))) {
    throw failure("rejected", {}, "the token does not cover each Subscription");
  }
}

/** Drafts had no websocket-url: the CapabilityStatement says where the sockets are. */
async function advertisedUrl(link: Link): Promise<string> {
  const statement = await call(link, "/metadata");
  const extensions = list(statement.rest).flatMap((rest) => list(rest?.extension));
  const found = extensions.find((one) => text(one?.url).endsWith("/capabilitystatement-websocket"));
  return text(found?.valueUri);
}

function socketUrl({ base }: Link, written: string): string {
  const isUrl = written !== "" && URL.canParse(written, base);
  const url = isUrl ? new URL(written, base).href.replace(/^http/, "ws").replace(/#.*/, "") : "";
  if (!/^wss?:/.test(url)) throw failure("malformed", {}, "there is no websocket-url");
  if (/^ws:/.test(url) && /^https:/.test(base)) {
    throw failure("insecure", {}, "the websocket-url is ws: and the base https:");
  }
  return url;
}
