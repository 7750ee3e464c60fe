// The user's Subscriptions on the base that is looked at.

/** @import { Api, Followed, Json, State, Store, Wish } from "./types.ts" */

import { Problem } from "./api.js";
import { readSubscription, subscription } from "./fhir.js";
import { readStatus } from "./frames.js";
import { get, list, short } from "./json.js";

/**
 * Those that have not ended: no token is issued for others.
 *
 * @param {State} state
 * @returns {readonly Followed[]}
 */
export function running({ subscriptions }) {
  const found = subscriptions.filter(({ endsAt }) => endsAt === undefined || endsAt > Date.now());
  if (found.length === 0) throw new Problem("There is no Subscription that runs: create one first.");
  return found;
}

/** More than this would be no picture any more. */
const MOST_SHOWN = 20;
/** Seconds. */
const SOON = 5;

/**
 * @param {Store} store
 * @param {Api} api
 */
export function createSubscriptions(store, api) {
  /** @param {Json} resource */
  function show(resource) {
    const followed = readSubscription(resource);
    const others = store.state.subscriptions.filter(({ id }) => id !== followed.id);
    store.change({ subscriptions: [...others, followed] });
  }

  /** @param {string} id */
  async function endSoon(id) {
    const resource = await api.fhir("GET", `Subscription/${id}`);
    const end = new Date(Date.now() + SOON * 1000).toISOString();
    await api.fhir("PUT", `Subscription/${id}`, { ...resource, end });
    store.follow(id, { since: Date.now(), endsAt: Date.parse(end) });
    return `Subscription ${short(id)} ends in ${SOON} seconds.`;
  }

  return {
    /** Finds those that were made before. */
    async load() {
      store.change({ subscriptions: [] });
      const statuses = await api.fhir("GET", "Subscription/$status?status=active");
      const found = list(statuses.entry).flatMap((entry) => readStatus(get(entry, "resource")));
      for (const { id } of found.slice(0, MOST_SHOWN)) show(await api.fhir("GET", `Subscription/${id}`));
    },
    /** @param {Wish} wish */
    async create(wish) {
      const created = await api.fhir("POST", "Subscription", subscription(wish));
      show(created);
      return `Subscription ${short(String(created.id))} was created.`;
    },
    endSoon,
    async endAll() {
      for (const { id } of running(store.state)) await endSoon(id);
    },
    /** @param {string} id */
    async remove(id) {
      await api.fhir("DELETE", `Subscription/${id}`);
      store.change({ subscriptions: store.state.subscriptions.filter((one) => one.id !== id) });
      return `Subscription ${short(id)} was deleted.`;
    },
  };
}
