// Binding tokens, as far as their holder can read them.

/** @import { BindingToken, Exchange, TokenCall } from "./types.ts" */

import { get, list, parse, pretty } from "./json.js";

/**
 * Whether this was a call of `$get-ws-binding-token`.
 *
 * @param {Exchange} exchange
 * @returns {boolean}
 */
export function isTokenCall({ url }) {
  return /\/\$get-ws-binding-token$/.test(decodeURIComponent(url.pathname));
}

/**
 * The token in an answer of the operation, if there is one.
 *
 * @param {Exchange} exchange
 * @returns {BindingToken | undefined}
 */
export function readToken({ status, json }) {
  const values = (/** @type {string} */ name) =>
    list(json.parameter).filter((one) => get(one, "name") === name).map((one) =>
      String(get(one, "valueString") ?? get(one, "valueUrl") ?? get(one, "valueDateTime"))
    );
  const [[text], [url], [expiration]] = [values("token"), values("websocket-url"), values("expiration")];
  if (status !== 200 || text === undefined || url === undefined) return undefined;
  const issuedAt = Date.now();
  const expiresAt = Date.parse(expiration ?? "");
  return { text, url, ids: values("subscription").map(idOf), issuedAt, expiresAt, state: "good" };
}

/**
 * The id in a reference; most servers write the id alone.
 *
 * @param {string} reference
 */
function idOf(reference) {
  return reference.split("/").at(-1) ?? reference;
}

/**
 * A call of the operation, to be looked at.
 *
 * @param {Exchange} exchange
 * @returns {TokenCall}
 */
export function describeCall(exchange) {
  const { method, url, body, status, text, milliseconds } = exchange;
  const token = readToken(exchange);
  return {
    request: `${method} ${decodeURIComponent(url.pathname)}${body === "" ? "" : `\n\n${pretty(body)}`}`,
    answer: `${status} in ${milliseconds} ms\n\n${pretty(text)}`,
    decoded: token && decode(token.text),
  };
}

/** @param {string} token */
function decode(token) {
  const [header, claims, signature] = token.split(".").map(decodeBase64url);
  if (signature === undefined || header === undefined || claims === undefined) {
    return "An opaque token: it says nothing, and the server knows what it stands for.";
  }
  const times = ["iat", "exp"].flatMap((name) => {
    const time = parse(claims)[name];
    return typeof time === "number" ? [`${name} is ${new Date(time * 1000).toLocaleString()}`] : [];
  });
  return [pretty(header), pretty(claims), times.join("\n")].join("\n\n");
}

/** @param {string} text */
function decodeBase64url(text) {
  try {
    const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
    return new TextDecoder().decode(bytes);
  } catch {
    return text; // it is shown as it came
  }
}
