// The library's client keeps the user's Subscriptions bound.

/** @import { RunningSubscription, SubscribeEvent } from "@fhir-ws/binding/client" */
/** @import { Api, Log, Store } from "./types.ts" */

import { subscribe } from "@fhir-ws/binding/client";
import { short, shortenIds } from "./json.js";
import { running } from "./subscriptions.js";

/** Seconds: whoever looks at a page does not wait for long. */
const BACKOFF = { first: 1, longest: 5 };

/**
 * @param {Store} store
 * @param {Api} api
 * @param {Log} log
 * @param {new (url: string) => WebSocket} RecordedSocket
 */
export function createFollower(store, api, log, RecordedSocket) {
  /** @type {RunningSubscription | undefined} */
  let client;

  function stop() {
    client?.close();
    client = undefined;
    store.change({ following: false });
  }

  function start() {
    stop();
    const started = subscribe({
      url: api.base(store.state.version),
      ids: running(store.state).map(({ id }) => id),
      fetch: api.send,
      WebSocket: RecordedSocket,
      onNotification: () => {}, // the timeline shows the frames themselves
      onEvent: (event) => tell(store, log, event),
      backoff: BACKOFF,
    });
    client = started;
    store.change({ following: true });
    void waitForEnd(started);
  }

  /** @param {RunningSubscription} started */
  async function waitForEnd(started) {
    const end = await started.closed;
    if (client !== started) return;
    client = undefined;
    store.change({ following: false });
    if (end.reason === "failed") {
      log({ kind: "note", tone: "bad", title: `The client has ended: ${reason(end.error)}` });
    }
  }

  return { start, stop };
}

/**
 * What the client says that no frame does.
 *
 * @param {Store} store
 * @param {Log} log
 * @param {SubscribeEvent} event
 */
function tell(store, log, event) {
  if (event.type === "retry") {
    store.count("reconnects");
    const seconds = event.after.toFixed(1);
    log({ kind: "note", title: `The client tries again in ${seconds} s: ${reason(event.error)}` });
  } else if (event.type === "gap") {
    store.count("gaps", event.to - event.from + 1);
    log({
      kind: "note",
      tone: "bad",
      title: `Events ${event.from} to ${event.to} of ${short(event.subscription)} did not come`,
    });
  } else if (event.type === "ended" && event.final) {
    log({ kind: "note", tone: "bad", title: `The client lets Subscription ${short(event.subscription)} go` });
  } else if (event.type === "restarted") {
    log({ kind: "note", title: `Subscription ${short(event.subscription)} counts from the beginning again` });
  }
}

/**
 * Why, without what the line says already.
 *
 * @param {Error} error
 * @returns {string}
 */
function reason({ message }) {
  return shortenIds(message.replace(/^Cannot subscribe: /, ""));
}
