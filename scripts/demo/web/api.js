// All that the page says over HTTP.

/** @import { Api, Exchange, Json, Question, Store } from "./types.ts" */

import { readIssues } from "./frames.js";
import { parse } from "./json.js";

/** What stands in the way, in words for the user. */
export class Problem extends Error {}

/** An answer that nobody waits for any more: somebody else has signed in, or another base is looked at. */
export class Superseded extends Error {}

const UNREACHABLE = "The server does not answer. Is it still running? Whatever you do next tries it again.";
const EXPIRED = "The server does not know this login any more: it has expired, or the server was started anew. " +
  "Sign in again to go on.";

/**
 * @param {URL} root Where the server is.
 * @param {Store} store
 * @param {{ readonly tell: (question: Question) => (exchange?: Exchange) => void, readonly expired: () => void }} listeners
 * @returns {Api}
 */
export function createApi(root, store, { tell, expired }) {
  /**
   * @param {string} path
   * @returns {string}
   */
  function urlOf(path) {
    return new URL(path, root).href;
  }

  /**
   * Sends a request and reads the answer to its end.
   *
   * @param {Request} request
   * @returns {Promise<Response>} It can be read again.
   */
  async function exchange(request) {
    const question = { method: request.method, url: new URL(request.url), body: await request.clone().text() };
    const answered = tell(question);
    const began = performance.now();
    try {
      const response = await fetch(request);
      const text = await response.clone().text();
      const milliseconds = Math.round(performance.now() - began);
      answered({ ...question, status: response.status, text, json: parse(text), milliseconds });
      store.change({ problem: undefined });
      return response;
    } catch (cause) {
      answered();
      if (request.signal.aborted) throw cause; // the client has ended
      store.change({ problem: UNREACHABLE });
      throw new Problem(UNREACHABLE, { cause });
    }
  }

  /** @type {Api["send"]} */
  async function send(request) {
    const token = store.state.login?.token;
    if (token !== undefined) request.headers.set("authorization", `Bearer ${token}`);
    const response = await exchange(request);
    // An answer may come when somebody else has signed in.
    if (response.status === 401 && store.state.login?.token === token) {
      expired();
      store.change({ login: undefined, problem: EXPIRED });
    }
    return response;
  }

  /**
   * @param {Response} response
   * @returns {Promise<Json>}
   */
  async function read(response) {
    const { status, ok } = response;
    const text = await response.text();
    const json = parse(text);
    if (status === 401 && store.state.login === undefined) throw new Problem(store.state.problem ?? EXPIRED);
    if (ok && (text === "" || Object.keys(json).length > 0)) return json;
    const [issue] = readIssues(json);
    if (issue !== undefined) throw new Problem(`The server refused it (${status}, ${issue.code}): ${issue.text}`);
    if (typeof json.error === "string") throw new Problem(`The server refused it (${status}): ${json.error}`);
    throw new Problem(`The server answered ${status} with something that is not JSON. The timeline shows it.`);
  }

  return {
    base: (version) => urlOf(`fhir/${version}`),
    send,
    async signIn(user) {
      // Each user's secret is public, as the page says.
      const form = { grant_type: "client_credentials", client_id: user, client_secret: `${user}-secret` };
      const request = new Request(urlOf("oauth2/token"), { method: "POST", body: new URLSearchParams(form) });
      const { access_token: token, expires_in: seconds, profile } = await read(await exchange(request));
      if (typeof token !== "string") throw new Problem("The server answered without an access token.");
      const name = typeof profile === "object" && profile !== null && "display" in profile ? profile.display : user;
      return { user, name: String(name), token, expiresAt: Date.now() + Number(seconds) * 1000 };
    },
    async fhir(method, path, body) {
      const headers = { accept: "application/fhir+json", "content-type": "application/fhir+json" };
      const { login, version } = store.state;
      const url = urlOf(`fhir/${version}/${path}`);
      const request = new Request(url, { method, headers, ...(body && { body: JSON.stringify(body) }) });
      const answer = await read(await send(request));
      if (store.state.login?.token !== login?.token || store.state.version !== version) throw new Superseded();
      return answer;
    },
    async revoke(token) {
      const body = new URLSearchParams({ token });
      await read(await send(new Request(urlOf("oauth2/revoke"), { method: "POST", body })));
    },
  };
}
