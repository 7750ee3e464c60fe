// What goes over HTTP and the sockets, told to the timeline, and what it changes. Whether the library's client or the
// user's buttons have sent something makes no difference here.

/** @import { Exchange, Issue, Log, Question, Reading, State, Status, Store, WireEvent } from "./types.ts" */

import { readReceived, readSent } from "./frames.js";
import { get, parse, pretty, shortenIds } from "./json.js";
import { describeCall, isTokenCall, readToken } from "./token.js";

/** Issues that end a binding when they name its Subscription. */
const ENDINGS = new Set(["expired", "unknown", "business-rule", "not-found", "no-store"]);

/**
 * @param {Store} store
 * @param {Log} log
 * @returns {(question: Question) => (exchange?: Exchange) => void}
 */
export function watchCalls(store, log) {
  return ({ method, url, body }) => {
    const what = `${method} ${shortenIds(decodeURIComponent(url.pathname))}`;
    // Whoever looks over a shoulder is not to read a secret, public as these are.
    const sent = url.pathname.endsWith("/oauth2/token") ? "" : pretty(body);
    const write = log({ kind: "http", title: `${what} …`, raw: sent });
    const { login } = store.state;
    store.count("calls");
    return (exchange) => {
      if (exchange === undefined) return write({ kind: "http", tone: "bad", title: `${what}: no answer`, raw: sent });
      const { status, text, milliseconds } = exchange;
      const title = `${what}: ${status} in ${milliseconds} ms`;
      const raw = [sent, pretty(text)].filter(Boolean).join("\n\n");
      write({ kind: "http", tone: status >= 400 ? "bad" : undefined, title, raw });
      if (!isTokenCall(exchange) || store.state.login !== login) return;
      const token = readToken(exchange);
      store.change({ call: describeCall(exchange), ...(token && { token }) });
    };
  };
}

/**
 * @param {Store} store
 * @param {Log} log
 * @returns {(event: WireEvent) => void}
 */
export function watchSockets(store, log) {
  /** @param {WireEvent["socket"]} handle */
  const isCurrent = (handle) => store.state.socket?.handle === handle;
  /** @type {WeakMap<WebSocket, string | undefined>} */
  const owners = new WeakMap();

  return (event) => {
    const { socket: handle } = event;
    const user = store.state.login?.user;
    if (event.type === "opening") owners.set(handle, user);
    // Somebody else has signed in, or nobody: what still happens there is not for their eyes.
    if (owners.get(handle) !== user) return;
    const { pathname, search } = new URL(handle.url);
    /** @param {"opening" | "open" | "closed"} phase */
    const change = (phase, code = 0) => {
      store.change({ socket: { handle, url: pathname, phase, since: Date.now(), code } });
    };
    switch (event.type) {
      case "opening":
        log({ kind: "note", title: `A socket to ${pathname}${search && "?token=…"} is being opened` });
        return change("opening");
      case "open":
        log({ kind: "note", title: "The socket is open" });
        return isCurrent(handle) ? change("open") : undefined;
      case "closed":
        log({ kind: "note", tone: event.code === 1000 ? undefined : "bad", title: describeClose(event) });
        if (!isCurrent(handle)) return;
        change("closed", event.code);
        unbindAll(store);
        return LOST.has(event.code) ? store.change({ problem: describeLoss(store.state) }) : undefined;
      case "sent":
        return told(store, log, "sent", event.text, readSent(event.text));
      case "received":
        return told(store, log, "received", event.text, readReceived(event.text));
    }
  };
}

/** @param {{ readonly code: number, readonly reason: string }} close */
function describeClose({ code, reason }) {
  const why = reason === "" ? CLOSES.get(code) : reason;
  return `The socket was closed with ${code}${why === undefined ? "" : `: ${why}`}`;
}

/** @param {State} state */
function describeLoss({ following }) {
  const next = following ? "The client tries again by itself." : "Bind again to go on.";
  return `The connection to the server was lost. ${next}`;
}

/** Close codes that say more of the server than of what was done here. */
const LOST = new Set([1001, 1006, 1012]);

/** @type {ReadonlyMap<number, string>} RFC 6455 §7.4.1, in the meaning that the library gives them. */
const CLOSES = new Map([
  [1000, "done"],
  [1001, "the server shuts down"],
  [1003, "it was sent binary"],
  [1006, "the connection broke"],
  [1008, "nothing is bound any more"],
  [1009, "a frame was too large"],
  [1013, "it was read too slowly"],
  [4000, "cut by you"],
]);

/**
 * @param {Store} store
 * @param {Log} log
 * @param {"sent" | "received"} kind
 * @param {string} text
 * @param {Reading} reading
 */
function told(store, log, kind, text, { title, tone, count, statuses, issues }) {
  log({ kind, tone, title, raw: pretty(text) });
  store.count(kind);
  const events = statuses.reduce((sum, status) => sum + (status.type === "event-notification" ? status.events : 0), 0);
  if (count !== undefined) store.count(count, count === "events" ? events : Math.max(1, statuses.length));
  for (const status of statuses) hearStatus(store, status);
  for (const issue of issues) hearIssue(store, issue);
  const { type, payload } = kind === "sent" ? parse(text) : {};
  // The server says nothing to it.
  if (type === "unbind-from-token" && get(payload, "token") === store.state.token?.text) unbindAll(store);
}

/**
 * @param {Store} store
 * @param {Status} status
 */
function hearStatus(store, { id, head }) {
  store.follow(id, { bound: true, events: head, why: undefined });
}

/**
 * @param {Store} store
 * @param {Issue} issue
 */
function hearIssue(store, { code, id }) {
  if (id !== undefined && ENDINGS.has(code)) store.follow(id, { bound: false, why: code });
}

/** @param {Store} store */
function unbindAll({ state, change }) {
  change({ subscriptions: state.subscriptions.map((one) => ({ ...one, bound: false })) });
}
