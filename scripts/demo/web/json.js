// JSON that nobody has checked.

/** @import { Json } from "./types.ts" */

/**
 * A member of whatever this is.
 *
 * @param {unknown} value
 * @param {string} name
 * @returns {unknown}
 */
export function get(value, name) {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

/**
 * An array, empty where there is none.
 *
 * @param {unknown} value
 * @returns {readonly unknown[]}
 */
export function list(value) {
  return Array.isArray(value) ? value : [];
}

/**
 * A JSON object; empty for every other text.
 *
 * @param {string} text
 * @returns {Json}
 */
export function parse(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {}; // it is shown as the text that it is
  }
}

/**
 * JSON with white space, or the text as it is.
 *
 * @param {string} text
 * @returns {string}
 */
export function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/**
 * An id as far as people tell them apart.
 *
 * @param {string} id
 * @returns {string}
 */
export function short(id) {
  return id.length > 12 ? `${id.slice(0, 8)}…` : id;
}

/**
 * Shortens the ids in a text.
 *
 * @param {string} text
 * @returns {string}
 */
export function shortenIds(text) {
  return text.replace(/\b([0-9a-f]{8})(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, "$1…");
}
