// What frames say, each in one line.

/** @import { Issue, Json, Reading, Status } from "./types.ts" */

import { get, list, parse, short, shortenIds } from "./json.js";

const VERBS = new Map([["POST", "created"], ["PUT", "updated"], ["DELETE", "deleted"]]);

/**
 * Reads a frame of the server.
 *
 * @param {string} text
 * @returns {Reading}
 */
export function readReceived(text) {
  const frame = parse(text);
  if (frame.resourceType === "OperationOutcome") return readOutcome(frame);
  if (frame.type === "pong") return plain("Pong", "quiet");
  const entries = list(frame.entry).map((entry) => get(entry, "resource"));
  const statuses = frame.resourceType === "Bundle" ? entries.flatMap(readStatus) : [];
  const [first] = statuses;
  if (first === undefined) return plain("A frame that is no notification");
  if (first.type === "handshake") {
    const title = `Handshake: bound to Subscription ${short(first.id)}, latest event ${first.head}`;
    return { title, tone: "good", count: "handshakes", statuses, issues: [] };
  }
  if (first.type === "heartbeat") {
    const title = `Heartbeat of ${short(first.id)}, latest event ${first.head}`;
    return { title, tone: "quiet", count: "heartbeats", statuses, issues: [] };
  }
  return { title: describeEvents(frame), tone: "event", count: "events", statuses, issues: [] };
}

/**
 * Reads a frame of the page.
 *
 * @param {string} text
 * @returns {Reading}
 */
export function readSent(text) {
  if (/^bind-with-token:/.test(text)) return plain("Bind with the token, as text with a colon");
  if (/^bind-with-token\b/.test(text)) return plain("Bind with the token, as text");
  const { type, payload } = parse(text);
  if (type === "ping") return plain("Ping", "quiet");
  if (type === "unbind-from-token") return plain("Unbind from the token");
  if (type === "bind-with-token") {
    const since = get(payload, "eventsSinceNumber");
    const missed = since === undefined ? "" : `, asking for events from ${Object.values(since ?? {}).join(", ")}`;
    return plain(`Bind with the token, as JSON${missed}`);
  }
  return plain(text === "" ? "An empty frame" : `Something else: ${text.slice(0, 60)}`);
}

/**
 * @param {string} title
 * @param {Reading["tone"]} [tone]
 * @returns {Reading}
 */
function plain(title, tone) {
  return { title, tone, statuses: [], issues: [] };
}

/**
 * @param {Json} outcome
 * @returns {Reading}
 */
function readOutcome(outcome) {
  const issues = readIssues(outcome);
  const title = issues.map(({ code, text, id }) => {
    return `Outcome ${code}: ${text}${id === undefined ? "" : ` (Subscription ${short(id)})`}`;
  }).join("; ");
  return { title, tone: "bad", count: "outcomes", statuses: [], issues };
}

/**
 * The issues of an OperationOutcome.
 *
 * @param {Json} outcome
 * @returns {readonly Issue[]}
 */
export function readIssues(outcome) {
  return list(outcome.issue).map((issue) => {
    const code = String(get(issue, "code"));
    const diagnostics = String(get(issue, "diagnostics") ?? "");
    return {
      code,
      text: String(get(get(issue, "details"), "text") ?? (diagnostics || code)),
      id: /^Subscription\/(\S+)$/.exec(diagnostics)?.[1],
    };
  });
}

/**
 * A SubscriptionStatus, or R4's Parameters of the same meaning.
 *
 * @param {unknown} resource
 * @returns {readonly Status[]}
 */
export function readStatus(resource) {
  const isStatus = get(resource, "resourceType") === "SubscriptionStatus";
  if (!isStatus && !parameter(resource, "subscription")) return [];
  const member = (/** @type {string} */ name, /** @type {string} */ hyphened) =>
    isStatus ? get(resource, name) : value(parameter(resource, hyphened));
  const events = isStatus ? list(get(resource, "notificationEvent")) : parameters(resource, "notification-event");
  return [{
    type: String(member("type", "type")),
    id: String(get(member("subscription", "subscription"), "reference")).split("/").pop() ?? "",
    head: Number(member("eventsSinceSubscriptionStart", "events-since-subscription-start") ?? 0),
    events: events.length,
  }];
}

/**
 * @param {unknown} resource
 * @param {string} name
 */
function parameters(resource, name) {
  return list(get(resource, "parameter")).filter((one) => get(one, "name") === name);
}

/**
 * @param {unknown} resource
 * @param {string} name
 */
function parameter(resource, name) {
  return parameters(resource, name)[0];
}

/** @param {unknown} parameter */
function value(parameter) {
  return Object.entries(parameter ?? {}).find(([name]) => name.startsWith("value"))?.[1];
}

/** @param {Json} bundle */
function describeEvents(bundle) {
  const [first, ...others] = list(bundle.entry);
  const status = get(first, "resource");
  const numbers = get(status, "resourceType") === "SubscriptionStatus"
    ? list(get(status, "notificationEvent")).map((
      event,
    ) => [get(event, "eventNumber"), get(get(event, "focus"), "reference")])
    : parameters(status, "notification-event").map((event) => {
      const parts = list(get(event, "part"));
      const part = (/** @type {string} */ name) => value(parts.find((one) => get(one, "name") === name));
      return [part("event-number"), get(part("focus"), "reference")];
    });
  const [number] = numbers[0] ?? [];
  const last = numbers.at(-1)?.[0];
  const which = numbers.length > 1 ? `Events ${number} to ${last}` : `Event ${number}`;
  const focus = numbers.flatMap(([, reference], n) => {
    if (reference === undefined) return [];
    const name = shortenIds(String(reference).split("/").slice(-2).join("/"));
    const verb = VERBS.get(String(get(get(others[n], "request"), "method")));
    return [verb === undefined ? name : `${name} ${verb}`];
  });
  return `${which}: ${focus.length > 0 ? focus.join(", ") : "something has changed"}`;
}
