import { test } from "node:test";
import { assertArrayIncludes, assertEquals } from "@std/assert";
import { call, type HostOptions, makeHost, OPERATION, post, readIssues, websocketSubscription } from "./fake_host.ts";

/** A call that faults are put into, one upon the other. */
interface Scene {
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly resourceType: string;
  /** Members that a Parameters resource ignores, to make the body long. */
  readonly ballast: string;
  readonly ids: readonly string[];
  readonly host: HostOptions;
}

const GOOD: Scene = {
  path: OPERATION,
  method: "POST",
  headers: {},
  resourceType: "Parameters",
  ballast: "",
  ids: ["good"],
  host: {},
};

/** Subscription `good` can be bound, `off` cannot, and there are no others. */
const KNOWN = [websocketSubscription("good"), websocketSubscription("off", "R5", { status: "off" })];

interface Fault {
  readonly name: string;
  readonly status: number;
  readonly code: string;
  spoil(scene: Scene): Scene;
}

function withHost(scene: Scene, host: HostOptions): Scene {
  return { ...scene, host: { ...scene.host, ...host } };
}

function withIds(scene: Scene, ...ids: readonly string[]): Scene {
  return { ...scene, ids: [...scene.ids, ...ids] };
}

/** design: "Order of refusals", the earliest first. */
const ORDER: readonly Fault[] = [
  { name: "path", status: 404, code: "not-found", spoil: (scene) => ({ ...scene, path: "Patient/p1" }) },
  { name: "method", status: 405, code: "not-supported", spoil: (scene) => ({ ...scene, method: "PUT" }) },
  {
    name: "Accept",
    status: 406,
    code: "not-supported",
    spoil: (scene) => ({ ...scene, headers: { ...scene.headers, accept: "text/turtle" } }),
  },
  { name: "login", status: 401, code: "login", spoil: (scene) => withHost(scene, { authenticate: () => undefined }) },
  { name: "not enabled", status: 400, code: "invalid", spoil: (scene) => withHost(scene, { isEnabled: () => false }) },
  { name: "rate", status: 429, code: "throttled", spoil: (scene) => withHost(scene, { rateLimit: () => 1 }) },
  {
    name: "Content-Type",
    status: 415,
    code: "not-supported",
    spoil: (scene) => ({ ...scene, headers: { ...scene.headers, "content-type": "text/plain" } }),
  },
  {
    name: "body size",
    status: 413,
    code: "too-costly",
    spoil: (scene) => ({ ...scene, ballast: "x".repeat(2000) }),
  },
  { name: "body", status: 400, code: "structure", spoil: (scene) => ({ ...scene, resourceType: "Patient" }) },
  { name: "id text", status: 400, code: "value", spoil: (scene) => withIds(scene, "a_b") },
  { name: "number of ids", status: 422, code: "too-costly", spoil: (scene) => withIds(scene, "a", "b", "c", "d") },
  { name: "unknown id", status: 404, code: "not-found", spoil: (scene) => withIds(scene, "nobodys") },
  { name: "not eligible", status: 422, code: "business-rule", spoil: (scene) => withIds(scene, "off") },
];

async function answer({ path, method, headers, resourceType, ballast, ids, host }: Scene): Promise<Response> {
  const body = { resourceType, ballast, parameter: ids.map((id) => ({ name: "id", valueId: id })) };
  return await call(
    makeHost({ known: KNOWN, maxIds: 4, maxBodySize: 1000, ...host }),
    path,
    { ...post(body, headers), method },
  );
}

/** Both may be named where one is no reason to stop looking for the other; the first gives the status. */
async function assertRefusedFor({ status, code }: Fault, scene: Scene): Promise<void> {
  const codes = (await readIssues(await answer(scene), status)).map((issue) => issue.code);
  assertArrayIncludes(codes, [code]);
}

test("the scene of the order of refusals is answered 200 without a fault", async () => {
  assertEquals((await answer(GOOD)).status, 200);
});

for (const [n, first] of ORDER.entries()) {
  test(`handleGetWsBindingToken refuses a wrong ${first.name} by ${first.status} ${first.code}`, async () => {
    await assertRefusedFor(first, first.spoil(GOOD));
  });

  for (const second of ORDER.slice(n + 1)) {
    test(`handleGetWsBindingToken refuses a wrong ${first.name} before a wrong ${second.name}`, async () => {
      await assertRefusedFor(first, second.spoil(first.spoil(GOOD)));
      await assertRefusedFor(first, first.spoil(second.spoil(GOOD)));
    });
  }
}

test("handleGetWsBindingToken refuses by the first of all faults at once", async () => {
  for (const [n, first] of ORDER.entries()) {
    await assertRefusedFor(first, ORDER.slice(n).reduce((scene, fault) => fault.spoil(scene), GOOD));
  }
});

test("handleGetWsBindingToken asks no callback after the one that refused", async () => {
  const asked: string[] = [];
  const callbacks: HostOptions = {
    authenticate: () => (asked.push("authenticate"), { id: "alice" }),
    isEnabled: () => (asked.push("isEnabled"), true),
    rateLimit: () => (asked.push("rateLimit"), undefined),
    subscriptions: { read: (id) => (asked.push("read"), KNOWN.find((one) => one.id === id)) },
    sockets: { websocketUrl: () => (asked.push("websocketUrl"), "wss://example.org/ws") },
    tokens: {
      generations: () => (asked.push("generations"), [0, 0]),
      sign: () => (asked.push("sign"), "token"),
      verify: () => Promise.reject(new Error("never")),
    },
  };
  const all = ["authenticate", "isEnabled", "rateLimit", "generations", "read", "websocketUrl", "sign"];
  await answer(withHost(GOOD, callbacks));
  assertEquals(asked.splice(0), all);

  const refusing: readonly [HostOptions, number][] = [
    [{ authenticate: () => (asked.push("authenticate"), undefined) }, 1],
    [{ isEnabled: () => (asked.push("isEnabled"), false) }, 2],
    [{ rateLimit: () => (asked.push("rateLimit"), 1) }, 3],
    [{ subscriptions: { read: () => (asked.push("read"), undefined) } }, 5],
  ];
  for (const [host, count] of refusing) {
    await answer(withHost(withHost(GOOD, callbacks), host));
    assertEquals(asked.splice(0), all.slice(0, count));
  }
});
