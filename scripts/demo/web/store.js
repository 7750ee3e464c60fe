// The state of the page: one object, replaced at every change.

/** @import { State, Store } from "./types.ts" */

/** Milliseconds within which changes are drawn together. */
const FRAME = 30;

/** @type {State["counts"]} */
const NOTHING_YET = {
  calls: 0,
  sent: 0,
  received: 0,
  handshakes: 0,
  events: 0,
  heartbeats: 0,
  outcomes: 0,
  gaps: 0,
  reconnects: 0,
};

/** @type {State} */
export const EMPTY = {
  login: undefined,
  version: "R4",
  subscriptions: [],
  token: undefined,
  call: undefined,
  socket: undefined,
  following: false,
  counts: NOTHING_YET,
  problem: undefined,
};

/**
 * A store that tells when it is time to draw.
 *
 * @param {State} initial
 * @param {(state: State) => void} draw
 * @returns {Store}
 */
export function createStore(initial, draw) {
  let state = initial;
  let isDue = false;
  /** @type {Set<() => void>} */
  const waiting = new Set();

  /** @param {Partial<State>} part */
  function change(part) {
    state = { ...state, ...part };
    for (const look of waiting) look();
    if (isDue) return;
    isDue = true;
    // Not an animation frame: there is none while the page is in the background.
    setTimeout(() => {
      isDue = false;
      draw(state);
    }, FRAME);
  }

  return {
    get state() {
      return state;
    },
    change,
    count: (what, by = 1) => change({ counts: { ...state.counts, [what]: state.counts[what] + by } }),
    follow: (id, part) => {
      change({ subscriptions: state.subscriptions.map((one) => one.id === id ? { ...one, ...part } : one) });
    },
    until: (holds, seconds) =>
      new Promise((resolve, reject) => {
        /** @param {() => void} settle */
        function finish(settle) {
          clearTimeout(timer);
          waiting.delete(look);
          settle();
        }
        function look() {
          if (holds(state)) finish(() => resolve());
        }
        const timer = setTimeout(() => finish(() => reject(new Error("Nothing came in time"))), seconds * 1000);
        waiting.add(look);
        look();
      }),
  };
}
