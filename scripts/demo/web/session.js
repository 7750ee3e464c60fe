// Who is signed in, in this tab alone.

/** @import { Api, Login, Store } from "./types.ts" */

import { get, parse } from "./json.js";

const KEY = "login";

/**
 * The login of this tab before it was loaded again.
 *
 * @returns {Login | undefined}
 */
export function recall() {
  const kept = parse(sessionStorage.getItem(KEY) ?? "");
  const [user, name, token, expiresAt] = ["user", "name", "token", "expiresAt"].map((member) => get(kept, member));
  if (typeof user !== "string" || typeof token !== "string" || typeof expiresAt !== "number") return undefined;
  return expiresAt > Date.now() ? { user, name: String(name), token, expiresAt } : undefined;
}

/**
 * Keeps the login for as long as the tab is open.
 *
 * @param {Login | undefined} login
 */
export function remember(login) {
  if (login === undefined) sessionStorage.removeItem(KEY);
  else sessionStorage.setItem(KEY, JSON.stringify(login));
}

/**
 * @param {Store} store
 * @param {Api} api
 * @param {{ readonly leave: () => void, readonly forget: () => void, readonly load: () => Promise<void> }} parts
 */
export function createSession(store, api, { leave, forget, load }) {
  let before = store.state.login?.user;
  return {
    /** @param {string} user */
    async signIn(user) {
      if (before !== undefined && before !== user) forget();
      before = user;
      const login = await api.signIn(user);
      leave();
      store.change({ login });
      remember(login);
      await load();
      return `Signed in as ${login.name}.`;
    },
    signOut() {
      leave();
      store.change({ login: undefined, problem: undefined });
      remember(undefined);
      return "Signed out.";
    },
  };
}
