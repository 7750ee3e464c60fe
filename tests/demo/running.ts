// A demo in this process, and clients of it.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, assertEquals } from "@std/assert";
import { produced } from "../tools/produced.ts";
import { createDemo, type Demo, type DemoSettings } from "../../scripts/demo/app.ts";

export const ORIGIN = "http://127.0.0.1:8103";

/** A JSON object that nobody has checked. */
export type JsonObject = Record<string, unknown>;

/** What a test does with a demo. */
export interface Running {
  readonly demo: Demo;
  /** What went wrong inside. */
  readonly errors: unknown[];
  /** Moves the demo's clock, which otherwise stands still, by seconds. */
  pass(seconds: number): void;
  /** The demo's clock in milliseconds. */
  now(): number;
  /** Sends a request as a user, or as nobody. */
  send(call: Call): Promise<Answer>;
  /** The access token of a user. */
  login(user: string): Promise<string>;
}

export interface Call {
  readonly method?: string;
  /** Below the origin. */
  readonly path: string;
  readonly user?: string;
  /** Sent as FHIR JSON unless it is text already. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: where the demo says it is. */
  readonly origin?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Empty unless the text is a JSON object. */
  readonly json: JsonObject;
}

/** Runs a test with a demo, and sees to it that nothing went wrong inside. */
export async function withDemo(
  test: (running: Running) => Promise<void>,
  settings: Partial<DemoSettings> = {},
): Promise<void> {
  const errors: unknown[] = [];
  let clock = Date.now();
  const demo = await createDemo({
    origin: ORIGIN,
    db: ":memory:",
    tokens: "jwt",
    singleUse: false,
    tokenLifetime: 3600,
    bindDeadline: 30,
    now: () => clock,
    onError: (cause) => errors.push(cause),
    ...settings,
  });
  const logins = new Map<string, string>();

  async function login(user: string): Promise<string> {
    const known = logins.get(user);
    if (known !== undefined) return known;
    const { json } = await post(demo, credentials(user));
    logins.set(user, String(json.access_token));
    return String(json.access_token);
  }
  async function send({ method = "GET", path, user, body, headers = {}, origin = ORIGIN }: Call): Promise<Answer> {
    const all = new Headers(headers);
    if (user !== undefined) all.set("authorization", `Bearer ${await login(user)}`);
    if (body !== undefined && !all.has("content-type")) all.set("content-type", "application/fhir+json");
    const text = typeof body === "string" || body === undefined ? body : JSON.stringify(body);
    const init = { method, headers: all, ...(text !== undefined && { body: text }) };
    return await read(await demo.fetch(new Request(origin + path, init)));
  }

  try {
    await test({
      demo,
      errors,
      pass: (seconds) => {
        clock += seconds * 1000;
        logins.clear();
      },
      now: () => clock,
      send,
      login,
    });
    assertEquals(errors, []);
  } finally {
    await demo.close();
  }
}

/** Runs a test with the name of a database that is not there yet. */
export async function withFile(test: (db: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "fhir-ws-demo-"));
  try {
    await test(join(folder, "demo.db"));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The form that signs a user in. */
export function credentials(user: string, secret = `${user}-secret`): Record<string, string> {
  return { grant_type: "client_credentials", client_id: user, client_secret: secret };
}

/** Asks for an access token. */
export async function post(
  demo: Demo,
  form: Record<string, string> | string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const request = new Request(`${ORIGIN}/oauth2/token`, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
    body: typeof form === "string" ? form : new URLSearchParams(form).toString(),
  });
  return await read(await demo.fetch(request));
}

async function read(response: Response): Promise<Answer> {
  const text = await response.text();
  produced(text);
  const json: unknown = text.startsWith("{") ? JSON.parse(text) : {};
  assert(typeof json === "object" && json !== null);
  return { status: response.status, headers: response.headers, text, json: json as JsonObject };
}

/** Status, issue code and text of a refusal. */
export function refusal({ status, json }: Answer): readonly unknown[] {
  const issue = first(json.issue);
  const details = object(issue.details);
  return json.resourceType === "OperationOutcome" ? [status, issue.code, details.text] : [status];
}

/** A member that has to be an object. */
export function object(value: unknown): JsonObject {
  assert(typeof value === "object" && value !== null && !Array.isArray(value), `not an object: ${value}`);
  return value as JsonObject;
}

/** The first of an array of objects. */
export function first(value: unknown): JsonObject {
  assert(Array.isArray(value), `not an array: ${value}`);
  return object(value[0]);
}

/** A websocket Subscription to a topic about a resource type, in any version. */
export function subscription(version: string, type: string, more: JsonObject = {}): JsonObject {
  const topic = `http://example.org/SubscriptionTopic/${type}`;
  const own = version === "R5"
    ? { topic, channelType: { code: "websocket" } }
    : { criteria: topic, channel: { type: "websocket" } };
  return { resourceType: "Subscription", status: "requested", reason: "a test", ...own, ...more };
}

/** Creates a Subscription and returns its id. */
export async function subscribe(
  { send }: Running,
  user: string,
  version: string,
  resource: JsonObject,
): Promise<string> {
  const { status, json } = await send({ method: "POST", path: `/fhir/${version}/Subscription`, user, body: resource });
  assertEquals(status, 201);
  return String(json.id);
}

/** A binding token for Subscriptions. */
export async function bindingToken(
  { send }: Running,
  user: string,
  version: string,
  ...ids: string[]
): Promise<string> {
  const query = ids.map((id) => `id=${id}`).join("&");
  const path = `/fhir/${version}/Subscription/$get-ws-binding-token?${query}`;
  const { json } = await send({ path, user });
  return String(first(json.parameter).valueString);
}
