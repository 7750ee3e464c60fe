import { readFile } from "node:fs/promises";
import {
  type BindingEvent,
  type BindingGrant,
  type BindingTokenContext,
  type Caller,
  type FhirSubscription,
  type FhirVersion,
  handleGetWsBindingToken,
} from "@fhir-ws/binding";
import { assertEquals, assertExists, assertMatch } from "@std/assert";
import { producedBy } from "../tools/produced.ts";

export const FHIR_VERSIONS: readonly FhirVersion[] = ["R4", "R4B", "R5"];
/** The `fhirVersion` parameter of a media type. */
export const MIME_VERSION: Readonly<Record<FhirVersion, string>> = { R4: "4.0", R4B: "4.3", R5: "5.0" };
export const ALICE: Caller = { id: "alice" };
export const WEBSOCKET_URL = "wss://example.org/fhir/ws";
export const OPERATION = "Subscription/$get-ws-binding-token";
/** Between two seconds. */
export const NOW = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
/** Each character that a bearer token may hold. */
export const TOKEN = "secret.Token-0_1~2+3/4==";

export function baseOf(version: FhirVersion): string {
  return `https://example.org/fhir/${version}`;
}

/** A websocket Subscription, as small as it may be in its version. */
export function websocketSubscription(id: string, version: FhirVersion = "R5", more: object = {}): FhirSubscription {
  const channel = version === "R5"
    ? { channelType: { code: "websocket" } }
    : { criteria: "Communication?status=completed", channel: { type: "websocket" } };
  const subscription = { resourceType: "Subscription" as const, id, status: "active", ...channel, ...more };
  return subscription;
}

export interface HostOptions extends Partial<BindingTokenContext> {
  /** What Alice may see. Default: `abc123` and `def456`. */
  readonly known?: readonly FhirSubscription[];
}

/** A host that knows Alice, and all that it was told. */
export interface FakeHost {
  readonly ctx: BindingTokenContext;
  readonly grants: BindingGrant[];
  readonly events: BindingEvent[];
  readonly reads: { readonly id: string; readonly caller: Caller }[];
}

export function makeHost({ known, ...options }: HostOptions = {}): FakeHost {
  const version = options.fhirVersion ?? "R5";
  const own = known ?? ["abc123", "def456"].map((id) => websocketSubscription(id, version));
  const host = { grants: [] as BindingGrant[], events: [] as BindingEvent[], reads: [] as FakeHost["reads"] };
  const ctx: BindingTokenContext = {
    base: baseOf(version),
    fhirVersion: version,
    now: () => NOW,
    authenticate: () => ALICE,
    subscriptions: {
      read(id, caller) {
        host.reads.push({ id, caller });
        return own.find((one) => one.id === id);
      },
    },
    tokens: {
      sign(grant) {
        host.grants.push(grant);
        return TOKEN;
      },
      verify() {
        throw new Error("the operation never verifies");
      },
    },
    sockets: { websocketUrl: WEBSOCKET_URL },
    onEvent: (event) => void host.events.push(event),
    ...options,
  };
  return { ...host, ctx };
}

/** Calls the operation; `target` is relative to the base. */
export async function call(
  { ctx }: Pick<FakeHost, "ctx">,
  target: string = `${OPERATION}?id=abc123`,
  init: RequestInit = {},
): Promise<Response> {
  return await producedBy(await handleGetWsBindingToken(new Request(`${ctx.base}/${target}`, init), ctx));
}

export function post(body: unknown, headers: Record<string, string> = {}): RequestInit {
  return {
    method: "POST",
    body: typeof body === "string" ? body : JSON.stringify(body),
    headers: { "content-type": "application/fhir+json", ...headers },
  };
}

/** A POST whose body comes as the stream gives it. */
export function postStream(stream: ReadableStream<Uint8Array>, headers: Record<string, string> = {}): RequestInit {
  const init = {
    method: "POST",
    body: stream,
    duplex: "half" as const,
    headers: { "content-type": "application/fhir+json", ...headers },
  };
  return init;
}

export function idParameters(...ids: readonly unknown[]): object {
  return { resourceType: "Parameters", parameter: ids.map((id) => ({ name: "id", valueId: id })) };
}

export interface Answer {
  readonly token: string;
  readonly expiration: string;
  readonly subscriptions: readonly string[];
  readonly websocketUrl: string;
}

interface Parameter {
  readonly name: string;
  readonly valueString?: string;
  readonly valueDateTime?: string;
  readonly valueUrl?: string;
}

/** The out parameters of a good answer. */
export async function readAnswer(response: Response): Promise<Answer> {
  const body: { resourceType: string; parameter: Parameter[] } = await (await producedBy(response)).json();
  assertEquals(response.status, 200, JSON.stringify(body));
  assertEquals(response.headers.get("cache-control"), "no-store");
  assertEquals(body.resourceType, "Parameters");
  function one(name: string): Parameter {
    const found = body.parameter.filter((parameter) => parameter.name === name);
    assertEquals(found.length, 1, `${name} stands exactly once`);
    assertExists(found[0]);
    return found[0];
  }
  const subscriptions = body.parameter.filter(({ name }) => name === "subscription");
  return {
    token: one("token").valueString ?? "",
    expiration: one("expiration").valueDateTime ?? "",
    subscriptions: subscriptions.map(({ valueString }) => valueString ?? ""),
    websocketUrl: one("websocket-url").valueUrl ?? "",
  };
}

export interface Issue {
  readonly severity: string;
  readonly code: string;
  readonly details: { readonly text: string };
  readonly diagnostics?: string;
  readonly expression?: readonly string[];
}

/** The issues of a refusal, after what every refusal has in common was seen. */
export async function readIssues(response: Response, status: number): Promise<readonly Issue[]> {
  const body: { resourceType: string; issue: Issue[] } = await (await producedBy(response)).json();
  assertEquals(response.status, status, JSON.stringify(body));
  assertEquals(response.headers.get("cache-control"), "no-store");
  assertEquals(response.headers.get("content-type"), "application/fhir+json; charset=utf-8");
  assertEquals(Object.keys(body), ["resourceType", "issue"]);
  assertEquals(body.resourceType, "OperationOutcome");
  for (const issue of body.issue) {
    assertEquals(issue.severity, status === 500 ? "fatal" : "error");
    assertMatch(issue.details.text, /\S/);
  }
  return body.issue;
}

/** Sees that a call was refused with one issue. */
export async function assertRefused(response: Response, status: number, code: string, text?: string): Promise<Issue> {
  const issues = await readIssues(response, status);
  assertEquals(issues.map((issue) => issue.code), [code]);
  assertExists(issues[0]);
  if (text !== undefined) assertEquals(issues[0].details.text, text);
  return issues[0];
}

export async function readFixture(path: string): Promise<string> {
  return await readFile(new URL(`../fixtures/${path}`, import.meta.url), "utf8");
}
