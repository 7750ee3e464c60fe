// The newest lines of what happened, newest first.

/** @import { Entry, Log } from "./types.ts" */

import { element } from "./dom.js";
import { clock } from "./time.js";

const MOST_LINES = 200;
/** Characters of a frame that are shown. */
const MOST_TEXT = 50_000;

/** @type {Readonly<Record<string, string>>} */
const LABELS = { sent: "↑ sent", received: "↓ received", http: "HTTP", note: "note" };

/**
 * Draws into a list.
 *
 * @param {HTMLElement} list
 * @returns {{ readonly log: Log, readonly clear: () => void }}
 */
export function createTimeline(list) {
  return {
    log(entry) {
      const now = new Date();
      const item = element("li", {});
      drawLine(item, now, entry);
      list.prepend(item);
      while (list.childElementCount > MOST_LINES) list.lastElementChild?.remove();
      return (more) => drawLine(item, now, more);
    },
    clear: () => list.replaceChildren(),
  };
}

/**
 * @param {HTMLElement} item
 * @param {Date} time
 * @param {Entry} entry
 */
function drawLine(item, time, { kind, tone, title, raw = "" }) {
  const line = [
    element("time", { datetime: time.toISOString() }, clock(time)),
    element("span", { class: "kind" }, LABELS[kind] ?? kind),
    element("span", { class: "title" }, title),
  ];
  const shown = raw.length > MOST_TEXT ? `${raw.slice(0, MOST_TEXT)}\n… (${raw.length} characters)` : raw;
  Object.assign(item.dataset, { kind, tone: tone ?? "plain" });
  item.replaceChildren(
    raw === "" ? element("div", { class: "line" }, ...line) : element(
      "details",
      {},
      element("summary", { class: "line" }, ...line),
      element("pre", { tabindex: "0", role: "group", "aria-label": title }, shown),
    ),
  );
}
