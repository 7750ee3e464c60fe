// All of it in a few seconds, for somebody who sees it for the first time.

/** @import { Store } from "./types.ts" */

/** Milliseconds between two steps: time to see what each has done. */
const STEP = 700;
/** Seconds until the Subscription is bound. */
const PATIENCE = 10;

/**
 * @param {Store} store
 * @param {{
 *   readonly signIn: () => Promise<string>,
 *   readonly isSubscribed: () => boolean,
 *   readonly subscribe: () => Promise<string>,
 *   readonly follow: () => string,
 *   readonly write: () => Promise<string>,
 *   readonly say: (text: string) => void,
 * }} steps
 */
export async function tour(store, { signIn, isSubscribed, subscribe, follow, write, say }) {
  const step = async (/** @type {string} */ text) => {
    say(text);
    await new Promise((resolve) => setTimeout(resolve, STEP));
  };
  if (store.state.login === undefined) await step(await signIn());
  if (!isSubscribed()) await step(await subscribe());
  if (!store.state.following) say(follow());
  await store.until(({ subscriptions }) => subscriptions.some(({ bound }) => bound), PATIENCE);
  await step("Bound: from now on every change arrives by itself.");
  return `${await write()} Its notification is the newest line of the timeline.`;
}
