// Resources, whose changes are what Subscriptions wait for.

/** @import { Api, Store } from "./types.ts" */

import { Problem } from "./api.js";
import { example } from "./fhir.js";
import { short } from "./json.js";

/**
 * @param {Store} store
 * @param {Api} api
 */
export function createResources(store, api) {
  /**
   * The last that was made of each type and version, and how often it was written.
   *
   * @type {Map<string, { readonly id: string, turn: number }>}
   */
  const made = new Map();
  const keyOf = (/** @type {string} */ type) => `${store.state.login?.user} ${store.state.version} ${type}`;

  /** @param {string} type */
  function last(type) {
    return made.get(keyOf(type)) ?? fail(`There is no ${type} of yours yet: create one first.`);
  }

  return {
    /** @param {string} type */
    async create(type) {
      const key = keyOf(type);
      const { id } = await api.fhir("POST", type, example(type, store.state.version, 0));
      made.set(key, { id: String(id), turn: 0 });
      return `${type} ${short(String(id))} was created.`;
    },
    /** @param {string} type */
    async update(type) {
      const resource = last(type);
      const { id } = resource;
      await api.fhir("PUT", `${type}/${id}`, { ...example(type, store.state.version, ++resource.turn), id });
      return `${type} ${short(id)} was updated.`;
    },
    /** @param {string} type */
    async remove(type) {
      const key = keyOf(type);
      const { id } = last(type);
      await api.fhir("DELETE", `${type}/${id}`);
      made.delete(key);
      return `${type} ${short(id)} was deleted.`;
    },
  };
}

/**
 * @param {string} text
 * @returns {never}
 */
function fail(text) {
  throw new Problem(text);
}
