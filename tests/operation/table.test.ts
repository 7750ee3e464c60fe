import { test } from "node:test";
import { BindingError } from "@fhir-ws/binding";
import { assertEquals } from "@std/assert";
import {
  assertRefused,
  call,
  type HostOptions,
  idParameters,
  makeHost,
  OPERATION,
  post,
  readFixture,
  websocketSubscription,
} from "./fake_host.ts";

interface Row {
  readonly host?: HostOptions;
  readonly target?: string;
  readonly init?: RequestInit;
  readonly status: number;
  readonly code: string;
  /** Where it is fixed. */
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** What a refusal of this kind looks like. */
  readonly fixture?: string;
}

const BEARER = { headers: { authorization: "Bearer expired" } };
const OFF = websocketSubscription("off", "R5", { status: "off" });

/** design: "BindingError.code → HTTP", row by row. */
const ROWS: Readonly<Record<string, Row>> = {
  "no credentials": {
    host: { authenticate: () => undefined },
    status: 401,
    code: "login",
    text: "Authentication is required",
    headers: { "www-authenticate": "Bearer" },
    fixture: "401-login",
  },
  "refused credentials": {
    host: { authenticate: () => undefined },
    init: BEARER,
    status: 401,
    code: "unknown",
    headers: { "www-authenticate": 'Bearer error="invalid_token"' },
  },
  "no credentials, with a challenge of the host's": {
    host: { authenticate: () => undefined, challenge: 'Basic realm="fhir"' },
    status: 401,
    code: "login",
    headers: { "www-authenticate": 'Basic realm="fhir"' },
  },
  "refused credentials, with a challenge of the host's": {
    host: { authenticate: () => undefined, challenge: 'Bearer realm="fhir"' },
    init: BEARER,
    status: 401,
    code: "unknown",
    headers: { "www-authenticate": 'Bearer realm="fhir", error="invalid_token"' },
  },
  "not enabled": {
    host: { isEnabled: () => false },
    status: 400,
    code: "invalid",
    text: "WebSocket subscriptions not enabled for current project",
  },
  "forbidden by the host": {
    host: {
      authenticate() {
        throw new BindingError("forbidden");
      },
    },
    status: 403,
    code: "forbidden",
    fixture: "403-forbidden",
  },
  "forbidden with a message of the host's": {
    host: {
      isEnabled() {
        throw new BindingError("forbidden", "Your plan has no websockets");
      },
    },
    status: 403,
    code: "forbidden",
    text: "Your plan has no websockets",
  },
  "an unknown Subscription": {
    target: `${OPERATION}?id=nobodys`,
    status: 404,
    code: "not-found",
    text: "Error reading subscription: Not found",
    fixture: "404-not-found",
  },
  "another path": { target: "Subscription/abc123", status: 404, code: "not-found", text: "Not found" },
  "illegal id text in the query": {
    target: `${OPERATION}?id=a_b`,
    status: 400,
    code: "value",
    fixture: "400-invalid-value",
  },
  "illegal id text in the path": {
    target: "Subscription/a_b/$get-ws-binding-token",
    status: 400,
    code: "value",
  },
  "illegal id text in the body": { target: OPERATION, init: post(idParameters("a_b")), status: 400, code: "value" },
  "a wrong value[x]": {
    target: OPERATION,
    init: post({ resourceType: "Parameters", parameter: [{ name: "id", valueUri: "abc123" }] }),
    status: 400,
    code: "value",
  },
  "a body that is not JSON": {
    target: OPERATION,
    init: post("<Parameters/>"),
    status: 400,
    code: "structure",
    fixture: "400-invalid-structure",
  },
  "a body that is not Parameters": {
    target: OPERATION,
    init: post({ resourceType: "Patient" }),
    status: 400,
    code: "structure",
  },
  "no ids and no list": {
    target: OPERATION,
    status: 400,
    code: "required",
    text: "At least one id is required",
    fixture: "400-required",
  },
  "a Subscription that is not eligible": {
    host: { known: [OFF] },
    target: `${OPERATION}?id=off`,
    status: 422,
    code: "business-rule",
    text: 'Cannot bind Subscription "off": its status is "off"',
    fixture: "422-business-rule",
  },
  "nothing to bind": {
    host: { subscriptions: { read: () => undefined, list: () => [OFF] } },
    target: OPERATION,
    status: 422,
    code: "business-rule",
  },
  "too many ids": {
    host: { maxIds: 1 },
    target: `${OPERATION}?id=abc123&id=def456`,
    status: 422,
    code: "too-costly",
  },
  "too large a body": {
    host: { maxBodySize: 20 },
    target: OPERATION,
    init: post(idParameters("abc123")),
    status: 413,
    code: "too-costly",
    fixture: "413-too-costly",
  },
  "too frequent calls": {
    host: { rateLimit: () => 12.3 },
    status: 429,
    code: "throttled",
    headers: { "retry-after": "13", ratelimit: '"default";r=0;t=13' },
    fixture: "429-throttled",
  },
  "another method": {
    init: { method: "PUT" },
    status: 405,
    code: "not-supported",
    headers: { allow: "GET, HEAD, POST" },
    fixture: "405-not-supported",
  },
  "an Accept of XML alone": {
    init: { headers: { accept: "application/fhir+xml" } },
    status: 406,
    code: "not-supported",
    fixture: "406-not-supported",
  },
  "an Accept of another FHIR version": {
    init: { headers: { accept: "application/fhir+json; fhirVersion=4.0" } },
    status: 406,
    code: "not-supported",
  },
  "a body of XML": {
    target: OPERATION,
    init: post("<Parameters/>", { "content-type": "application/fhir+xml" }),
    status: 415,
    code: "not-supported",
    fixture: "415-not-supported",
  },
  "a body of another FHIR version": {
    target: OPERATION,
    init: post(idParameters("abc123"), { "content-type": "application/fhir+json; fhirVersion=4.0" }),
    status: 415,
    code: "not-supported",
  },
  "a host callback that throws": {
    host: {
      authenticate() {
        throw new Error("database password is hunter2");
      },
    },
    status: 503,
    code: "no-store",
    text: "The server cannot answer now",
    fixture: "503-transient",
  },
  "a host callback that rejects": {
    host: { isEnabled: () => Promise.reject(new Error("hunter2")) },
    status: 503,
    code: "no-store",
    text: "The server cannot answer now",
  },
  "a clock that throws": {
    host: {
      now() {
        throw new Error("hunter2");
      },
    },
    status: 500,
    code: "exception",
    text: "Unexpected error",
    fixture: "500-exception",
  },
};

for (const [name, { host, target, init, status, code, text, headers = {}, fixture }] of Object.entries(ROWS)) {
  test(`handleGetWsBindingToken answers ${name} by ${status} ${code}`, async () => {
    const response = await call(makeHost(host), target, init);
    const issue = await assertRefused(response.clone(), status, code, text);
    const special = ["www-authenticate", "retry-after", "ratelimit", "allow"].filter((one) =>
      response.headers.has(one)
    );
    assertEquals(Object.fromEntries(special.map((one) => [one, response.headers.get(one) ?? ""])), { ...headers });
    if (fixture === undefined) return;
    const sample = JSON.parse(await readFixture(`responses/operationoutcome-${fixture}.json`)).issue[0];
    assertEquals({ severity: issue.severity, code: issue.code }, { severity: sample.severity, code: sample.code });
  });

  if (init?.method !== undefined) continue; // it is the method or the body that is refused
  test(`handleGetWsBindingToken answers ${name} to HEAD by the same status and headers without a body`, async () => {
    const get = await call(makeHost(host), target, init);
    const head = await call(makeHost(host), target, { ...init, method: "HEAD" });
    assertEquals(head.status, status);
    assertEquals(Object.fromEntries(head.headers), Object.fromEntries(get.headers));
    assertEquals(await head.text(), "");
  });
}
