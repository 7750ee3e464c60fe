// Token → socket → Subscriptions, and the time that each has left.

/** @import { BindingToken, Followed, Socket, State } from "./types.ts" */

import { byId, element, setText } from "./dom.js";
import { short } from "./json.js";
import { duration } from "./time.js";

/**
 * Draws what is there; called at each change.
 *
 * @param {State} state
 */
export function drawPicture(state) {
  const bound = state.subscriptions.filter((one) => one.bound).length;
  byId("to-socket").dataset.live = String(state.socket?.phase === "open" && bound > 0);
  byId("to-subscriptions").dataset.live = String(bound > 0);
  drawSubscriptions(state.subscriptions);
  drawTimes(state);
}

/**
 * Draws what passes with time alone; called each second.
 *
 * @param {State} state
 */
export function drawTimes({ token, socket, subscriptions }) {
  drawToken(token);
  drawSocket(socket, subscriptions);
  for (const one of subscriptions) {
    const card = document.getElementById(`subscription-${one.id}`);
    if (card !== null) drawEnd(card, one);
  }
}

/** @param {BindingToken | undefined} token */
function drawToken(token) {
  const left = (token?.expiresAt ?? 0) - Date.now();
  const phase = token === undefined ? "none" : token.state === "revoked" ? "revoked" : left > 0 ? "good" : "expired";
  byId("token-box").dataset.phase = phase;
  const words = { none: "none yet", revoked: "revoked", expired: "expired", good: `good for ${duration(left)}` };
  setText(byId("token-state"), words[phase]);
  const covered = token?.ids.length ?? 0;
  setText(byId("token-more"), covered === 0 ? "" : `for ${covered} Subscription${covered > 1 ? "s" : ""}`);
  drawBar("token-left", phase === "good" && token !== undefined ? left / (token.expiresAt - token.issuedAt) : 0);
}

/**
 * @param {Socket | undefined} socket
 * @param {readonly Followed[]} subscriptions
 */
function drawSocket(socket, subscriptions) {
  byId("socket-box").dataset.phase = socket?.phase ?? "none";
  const bound = subscriptions.filter((one) => one.bound).length;
  setText(byId("socket-state"), socket === undefined ? "none yet" : socketWords(socket));
  const binds = bound === 0 ? "nothing is bound" : `${bound} Subscription${bound > 1 ? "s" : ""} bound`;
  setText(byId("socket-more"), socket === undefined ? "" : binds);
}

/** @param {Socket} socket */
function socketWords({ phase, since, code }) {
  if (phase === "open") return `open for ${duration(Date.now() - since)}`;
  return phase === "opening" ? "opening" : `closed with ${code}`;
}

/** @param {readonly Followed[]} subscriptions */
function drawSubscriptions(subscriptions) {
  const list = byId("subscription-list");
  const ids = new Set(subscriptions.map(({ id }) => `subscription-${id}`));
  for (const card of [...list.children]) if (!ids.has(card.id)) card.remove();
  for (const one of subscriptions) {
    const card = document.getElementById(`subscription-${one.id}`) ?? list.appendChild(createCard(one));
    card.dataset.phase = one.bound ? "bound" : one.why === undefined ? "unbound" : "ended";
    setText(part(card, "state"), one.bound ? "bound" : one.why === undefined ? "not bound" : `ended: ${one.why}`);
    drawEvents(card, one);
    drawEnd(card, one);
  }
  byId("no-subscription").hidden = subscriptions.length > 0;
}

/**
 * A card shines for a moment when an event has come.
 *
 * @param {HTMLElement} card
 * @param {Followed} followed
 */
function drawEvents(card, { events }) {
  const before = Number(card.dataset.events ?? events);
  card.dataset.events = String(events);
  setText(part(card, "events"), events === 1 ? "1 event" : `${events} events`);
  if (events <= before || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  card.animate([{ boxShadow: "0 0 0 4px var(--accent)" }, { boxShadow: "0 0 0 4px transparent" }], 900);
}

/** @param {Followed} followed */
function createCard({ id, wants, content }) {
  const label = element("p", { class: "label", title: id }, `Subscription ${short(id)}`);
  const name = element("p", { class: "name" }, `${wants}, ${content}`);
  const facts = element(
    "p",
    { class: "facts" },
    element("span", { "data-part": "state", class: "state" }),
    element("span", { "data-part": "events" }),
    element("span", { "data-part": "end" }),
  );
  const buttons = element(
    "p",
    { class: "row" },
    element("span", { "data-part": "end-button" }, button("end-subscription", id, "End in 5 s")),
    button("delete-subscription", id, "Delete"),
  );
  return element("li", { id: `subscription-${id}`, class: "box" }, label, name, facts, buttons);
}

/**
 * @param {string} action
 * @param {string} id
 * @param {string} text
 */
function button(action, id, text) {
  const label = `${text}: Subscription ${short(id)}`;
  return element(
    "button",
    { type: "button", class: "small", "data-action": action, value: id, "aria-label": label },
    text,
  );
}

/**
 * @param {Element} card
 * @param {Followed} followed
 */
function drawEnd(card, { endsAt = Infinity }) {
  const left = endsAt - Date.now();
  const words = left > 0 ? `ends in ${duration(left)}` : "its end has passed";
  setText(part(card, "end"), endsAt === Infinity ? "" : words);
  const button = part(card, "end-button");
  if (button instanceof HTMLElement) button.hidden = left <= 0;
}

/**
 * @param {Element} card
 * @param {string} name
 * @returns {Element}
 */
function part(card, name) {
  return card.querySelector(`[data-part="${name}"]`) ?? card;
}

/**
 * @param {string} id
 * @param {number} share
 */
function drawBar(id, share) {
  const bar = byId(id);
  bar.setAttribute("value", String(Math.max(0, Math.min(1, share))));
}
