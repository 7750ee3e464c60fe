// Puts the parts together and hears the user.

/** @import { Log, Version, Wish } from "./types.ts" */

import { createApi, Problem, Superseded } from "./api.js";
import { createFollower } from "./automatic.js";
import { createHand } from "./by_hand.js";
import { byId } from "./dom.js";
import { readSubscription, subscription } from "./fhir.js";
import { drawTimes } from "./picture.js";
import { createResources } from "./resources.js";
import { createSession, recall, remember } from "./session.js";
import { createStore, EMPTY } from "./store.js";
import { createSubscriptions } from "./subscriptions.js";
import { createTimeline } from "./timeline.js";
import { tour } from "./tour.js";
import { draw, say, tellEvent } from "./view.js";
import { watchCalls, watchSockets } from "./watch.js";
import { recordSockets } from "./wire.js";

const timeline = createTimeline(byId("timeline"));
const store = createStore({ ...EMPTY, login: recall() }, draw);
const api = createApi(new URL(".", document.baseURI), store, { tell: watchCalls(store, log), expired });
const RecordedSocket = recordSockets(watchSockets(store, log));
const hand = createHand(store, api, RecordedSocket);
const follower = createFollower(store, api, log, RecordedSocket);
const subscriptions = createSubscriptions(store, api);
const resources = createResources(store, api);
const session = createSession(store, api, { leave, forget, load: subscriptions.load });

/** @type {Log} */
function log(entry) {
  if (entry.tone === "event") tellEvent(entry.title);
  return timeline.log(entry);
}

/** Forgets what belongs to one user and one base. */
function leave() {
  follower.stop();
  hand.close();
  store.change({ subscriptions: [], token: undefined, call: undefined, socket: undefined });
}

/** Clears what was the user's before. */
function forget() {
  timeline.clear();
  store.change({ counts: EMPTY.counts });
}

function expired() {
  leave();
  remember(undefined);
}

/** @returns {Wish} */
function readWish() {
  const form = new FormData(formOf("wish"));
  const number = (/** @type {string} */ name) => Number(form.get(name)) || undefined;
  return {
    version: store.state.version,
    by: form.get("by") === "criteria" ? "criteria" : "topic",
    type: String(form.get("type")),
    criteria: String(form.get("criteria")),
    content: String(form.get("content")),
    heartbeat: number("heartbeat"),
    maxCount: number("maxCount"),
  };
}

/** @param {string} id */
function formOf(id) {
  const form = byId(id);
  if (!(form instanceof HTMLFormElement)) throw new TypeError(`Cannot read "${id}": it is no form`);
  return form;
}

async function subscribe() {
  const done = await subscriptions.create(readWish());
  if (store.state.following) follower.start();
  return done;
}

function follow() {
  follower.start();
  return "The client of the library gets a token, binds, and renews it in time.";
}

function stop() {
  follower.stop();
  return "The client has stopped and closed its socket.";
}

/** The client has a socket of its own, so it stops where another takes its place. */
function alone(/** @type {() => Promise<string>} */ action) {
  follower.stop();
  return action();
}

async function expire() {
  await subscriptions.endAll();
  await hand.renew();
  return "The Subscriptions end in five seconds, and no token outlives them.";
}

/** @type {Readonly<Record<string, (value: string) => string | Promise<string>>>} */
const ACTIONS = {
  "tour": () =>
    tour(store, {
      signIn: () => session.signIn("alice"),
      isSubscribed: () => {
        const { wants } = readSubscription(subscription(readWish()));
        return store.state.subscriptions.some((one) => one.wants === wants && one.endsAt === undefined);
      },
      subscribe,
      follow,
      write: () => resources.create(readWish().type),
      say,
    }),
  "sign-in": session.signIn,
  "sign-out": session.signOut,
  "subscribe": subscribe,
  "end-subscription": subscriptions.endSoon,
  "delete-subscription": subscriptions.remove,
  "follow": () => store.state.following ? stop() : follow(),
  "token": hand.token,
  "open": () => alone(hand.open),
  "bind": hand.bind,
  "bind-url": () => alone(hand.bindByUrl),
  "renew": hand.renew,
  "unbind": hand.unbind,
  "revoke": hand.revoke,
  "expire": expire,
  "cut": hand.cut,
  "nonsense": hand.nonsense,
  "send": () => hand.send(String(new FormData(formOf("frame")).get("frame"))),
  "create": () => resources.create(chosenType()),
  "update": () => resources.update(chosenType()),
  "remove": () => resources.remove(chosenType()),
  "clear": () => {
    timeline.clear();
    return "The timeline was cleared.";
  },
  "dismiss": () => {
    store.change({ problem: undefined });
    return "";
  },
  "version": async (version) => {
    leave();
    store.change({ version: isVersion(version) ? version : "R4" });
    if (store.state.login !== undefined) await subscriptions.load();
    return `This is the base of ${version}.`;
  },
};

function chosenType() {
  return String(new FormData(formOf("resource")).get("type"));
}

/**
 * @param {string} text
 * @returns {text is Version}
 */
function isVersion(text) {
  return text === "R4" || text === "R4B" || text === "R5";
}

/**
 * What goes wrong is told on the page, which goes on.
 *
 * @param {string} name
 * @param {string} [value]
 */
async function act(name, value = "") {
  try {
    say(await ACTIONS[name]?.(value) ?? "");
  } catch (error) {
    if (error instanceof Superseded) return;
    say("");
    const text = error instanceof Error ? error.message : String(error);
    store.change({ problem: error instanceof Problem ? text : `That did not work: ${text}` });
  }
}

document.addEventListener("click", ({ target }) => {
  const button = target instanceof Element ? target.closest("button[data-action]") : null;
  if (button instanceof HTMLButtonElement && button.type === "button") {
    void act(button.dataset.action ?? "", button.value);
  }
});
document.addEventListener("submit", (event) => {
  event.preventDefault();
  if (event.target instanceof HTMLFormElement) void act(event.target.dataset.action ?? "");
});
document.addEventListener("change", ({ target }) => {
  if (target instanceof HTMLInputElement && target.name === "version") void act("version", target.value);
});

draw(store.state);
setInterval(() => drawTimes(store.state), 1000);
if (store.state.login !== undefined) void act("version", store.state.version);
