// Everything that is drawn of the state but the picture and the timeline.

/** @import { State } from "./types.ts" */

import { byId, setText } from "./dom.js";
import { drawPicture } from "./picture.js";

/**
 * Draws the state.
 *
 * @param {State} state
 */
export function draw(state) {
  const { login, call, following, counts, problem } = state;
  for (const part of document.querySelectorAll("[data-when]")) {
    if (part instanceof HTMLElement) part.hidden = (part.dataset.when === "signed-in") !== (login !== undefined);
  }
  setText(byId("user"), login?.name ?? "");
  byId("problem").hidden = problem === undefined;
  setText(byId("problem-text"), problem ?? "");
  const follow = byId("follow");
  setText(follow, following ? "Stop the client" : "Keep me subscribed");
  follow.dataset.following = String(following);
  for (const [name, count] of Object.entries(counts)) setText(byId(`count-${name}`), String(count));
  byId("call").hidden = call === undefined;
  setText(byId("call-request"), call?.request ?? "");
  setText(byId("call-answer"), call?.answer ?? "");
  setText(byId("call-decoded"), call?.decoded ?? "");
  byId("decoded").hidden = call?.decoded === undefined;
  drawPicture(state);
}

/**
 * Says one thing, to screen readers as well.
 *
 * @param {string} text
 */
export function say(text) {
  setText(byId("status"), text);
}

/**
 * Tells screen readers of an event, which others see.
 *
 * @param {string} text
 */
export function tellEvent(text) {
  setText(byId("event"), text);
}
