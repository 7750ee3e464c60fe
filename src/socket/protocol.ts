// The frames that clients send: https://hl7.org/fhir/uv/subscriptions-backport/channels.html#websockets

import { BindingError } from "../errors.ts";
import { isFhirId, member } from "../fhir/json.ts";
import type { Dialect } from "../fhir/notification.ts";
import { isBearerText } from "../token/grant.ts";

/** A frame that was understood. */
export type Command =
  | {
    readonly type: "bind";
    readonly token: string;
    readonly dialect: Dialect;
    /** The first event number that is wanted, by Subscription id. */
    readonly since?: ReadonlyMap<string, number>;
  }
  | { readonly type: "unbind"; readonly token: string }
  | { readonly type: "ping" }
  | { readonly type: "legacy-bind"; readonly id: string };

/** The answer to a `ping`. */
export const PONG = '{"type":"pong"}';

/** One reader per `type` of a JSON frame. */
const JSON_FRAMES: ReadonlyMap<string, (payload: unknown) => Command> = new Map([
  ["bind-with-token", (payload: unknown): Command => {
    const since = readSince(member(payload, "eventsSinceNumber"));
    return { type: "bind", token: readToken(payload), dialect: "json", ...(since && { since }) };
  }],
  ["unbind-from-token", (payload: unknown): Command => ({ type: "unbind", token: readToken(payload) })],
  ["ping", (): Command => ({ type: "ping" })],
]);

/**
 * Reads a frame. The IG's own diagram writes `bind-with-token` with and without a colon; the JSON form is Medplum's.
 *
 * @param legacy Whether R4's `bind <id>` is spoken here: https://hl7.org/fhir/R4/subscription.html#channels
 * @throws {BindingError} `frame-malformed`, `frame-not-supported`.
 */
export function parseFrame(frame: string, legacy: boolean): Command {
  const text = frame.trim();
  if (text === "") throw new BindingError("frame-malformed");
  if (text.startsWith("{")) return parseJsonFrame(text);
  const [verb, ...rest] = text.split(/[ \t]+/);
  const [only] = rest;
  if (verb === "bind-with-token" || verb === "bind-with-token:") {
    if (only === undefined || rest.length > 1 || !isBearerText(only)) throw new BindingError("frame-malformed");
    return { type: "bind", token: only, dialect: "text" };
  }
  if (verb === "bind" && legacy) {
    const id = only?.replace(/^Subscription\//, "");
    if (rest.length > 1 || !isFhirId(id)) throw new BindingError("frame-malformed");
    return { type: "legacy-bind", id };
  }
  throw new BindingError("frame-not-supported");
}

function parseJsonFrame(text: string): Command {
  const frame = parseJson(text);
  const type = member(frame, "type");
  if (typeof type !== "string") throw new BindingError("frame-malformed");
  const read = JSON_FRAMES.get(type);
  if (read === undefined) throw new BindingError("frame-not-supported");
  return read(member(frame, "payload"));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new BindingError("frame-malformed"); // the parser's message would quote the frame
  }
}

function readToken(payload: unknown): string {
  const token = member(payload, "token");
  if (typeof token !== "string" || !isBearerText(token)) throw new BindingError("frame-malformed");
  return token;
}

/** `{ "<id>": "6" }`: from event 6 on, as in `$events`. */
function readSince(value: unknown): ReadonlyMap<string, number> | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new BindingError("frame-malformed");
  return new Map(
    Object.entries(value).map(([id, number]) => {
      const first = typeof number === "string" && /^\d{1,15}$/.test(number) ? Number(number) : number;
      if (!isFhirId(id) || !Number.isSafeInteger(first) || first < 0) throw new BindingError("frame-malformed");
      return [id, first];
    }),
  );
}
