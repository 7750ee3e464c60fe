// Each step of the protocol as one action. What an action needs is done first where it is missing.

/** @import { Api, BindingToken, Json, Store } from "./types.ts" */

import { Problem } from "./api.js";
import { running } from "./subscriptions.js";

/** Seconds until a socket is open. */
const PATIENCE = 10;
/** A close code of our own: https://www.rfc-editor.org/rfc/rfc6455#section-7.4.2 */
const CUT = 4000;
/** What servers have to bear. */
const NONSENSE = ["hello", "bind-with-token not-a-token", `{"type":`, `{"type":"make-me-admin"}`, "bind-with-token"];

/**
 * How each dialect writes a bind.
 *
 * @type {Readonly<Record<string, (token: string) => string>>}
 */
const DIALECTS = {
  text: (token) => `bind-with-token ${token}`,
  colon: (token) => `bind-with-token: ${token}`,
  json: (token) => JSON.stringify({ type: "bind-with-token", payload: { token } }),
};

/**
 * @param {Store} store
 * @param {Api} api
 * @param {new (url: string) => WebSocket} RecordedSocket
 */
export function createHand(store, api, RecordedSocket) {
  let dialect = "text";
  let turn = 0;

  /** @returns {Promise<BindingToken>} */
  async function getToken() {
    const parameter = running(store.state).map(({ id }) => ({ name: "id", valueId: id }));
    await api.fhir("POST", "Subscription/$get-ws-binding-token", { resourceType: "Parameters", parameter });
    const { token } = store.state;
    if (token === undefined) throw new Problem("The server answered without a token. The timeline shows it.");
    return token;
  }

  /** A token that should still bind all. */
  async function goodToken() {
    const { token } = store.state;
    if (token?.state !== "good" || token.expiresAt <= Date.now()) return await getToken();
    return running(store.state).every(({ id }) => token.ids.includes(id)) ? token : await getToken();
  }

  /** @param {string} url */
  async function open(url) {
    close();
    const socket = new RecordedSocket(url);
    await store.until(({ socket: current }) => current?.handle !== socket || current.phase !== "opening", PATIENCE)
      .catch(() => socket.close());
    if (socket.readyState !== WebSocket.OPEN) throw new Problem("The socket does not open. Is the server running?");
    return socket;
  }

  function close(code = 1000) {
    store.state.socket?.handle.close(code);
  }

  /** The socket that is open, or a new one. */
  async function openSocket() {
    const handle = store.state.socket?.handle;
    return handle?.readyState === WebSocket.OPEN ? handle : await open((await goodToken()).url);
  }

  /** @param {string} frame */
  async function send(frame) {
    (await openSocket()).send(frame);
  }

  /** @param {string} chosen */
  async function bind(chosen) {
    const { text } = await goodToken();
    dialect = chosen;
    await send(DIALECTS[chosen]?.(text) ?? "");
    return "The token was sent to bind.";
  }

  return {
    close,
    bind,
    send: async (/** @type {string} */ frame) => {
      await send(frame);
      return "The frame was sent.";
    },
    async token() {
      await getToken();
      return "A binding token was issued.";
    },
    async open() {
      await open((await goodToken()).url);
      return "The socket is open: now bind, before the server closes it.";
    },
    async bindByUrl() {
      const { url, text } = await goodToken();
      await open(`${url}?token=${encodeURIComponent(text)}`);
      return "The socket was opened with the token in its URL.";
    },
    async renew() {
      await getToken();
      await bind(dialect);
      return "Bound with a new token.";
    },
    async unbind() {
      const { token } = store.state;
      if (token === undefined) throw new Problem("There is no token yet: bind first.");
      await send(JSON.stringify({ type: "unbind-from-token", payload: { token: token.text } }));
      return "The token was sent to unbind.";
    },
    async revoke() {
      const { token } = store.state;
      if (token === undefined) throw new Problem("There is no token yet: get one first.");
      await api.revoke(token.text);
      if (store.state.token?.text === token.text) store.change({ token: { ...token, state: "revoked" } });
      return "The token was revoked: it binds nothing any more.";
    },
    cut() {
      if (store.state.socket === undefined) throw new Problem("There is no socket yet: open one first.");
      close(CUT);
      return "The socket was cut.";
    },
    async nonsense() {
      await send(NONSENSE[turn++ % NONSENSE.length] ?? "");
      return "Nonsense was sent.";
    },
  };
}
