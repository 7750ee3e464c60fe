import { test, type TestContext } from "node:test";
import { setImmediate } from "node:timers/promises";
import { BindingError, type BindingErrorCode, type HostCall, type TokenSigner } from "@fhir-ws/binding";
import { assert, assertEquals, assertFalse, assertInstanceOf, assertStringIncludes } from "@std/assert";
import {
  ALICE,
  assertRefused,
  call,
  type HostOptions,
  makeHost,
  OPERATION,
  readAnswer,
  TOKEN,
  websocketSubscription,
} from "./fake_host.ts";

/** What a callback does when its turn comes. */
type Act = () => never | Promise<never>;

interface Callback {
  readonly during: HostCall;
  readonly target?: string;
  host(act: Act): HostOptions;
}

const SIGNER: TokenSigner = { sign: () => TOKEN, verify: () => Promise.reject(new Error("never")) };

/** Every callback that a call may reach. */
const CALLBACKS: Readonly<Record<string, Callback>> = {
  "authenticate": { during: "authenticate", host: (act) => ({ authenticate: act }) },
  "isEnabled": { during: "enabled", host: (act) => ({ isEnabled: act }) },
  "rateLimit": { during: "rate-limit", host: (act) => ({ rateLimit: act }) },
  "subscriptions.read": { during: "read", host: (act) => ({ subscriptions: { read: act } }) },
  "subscriptions.list": {
    during: "list",
    target: OPERATION,
    host: (act) => ({ subscriptions: { read: () => undefined, list: act } }),
  },
  "subscriptions.list, at the second time": {
    during: "list",
    target: OPERATION,
    host(act) {
      let count = 0;
      const list = () => count++ === 0 ? [websocketSubscription("abc123")] : act();
      return { subscriptions: { read: () => undefined, list }, tokens: { ...SIGNER, generations: () => [0, 0] } };
    },
  },
  "tokens.generations": { during: "sign", host: (act) => ({ tokens: { ...SIGNER, generations: act } }) },
  "tokens.sign": { during: "sign", host: (act) => ({ tokens: { ...SIGNER, sign: act } }) },
};

const SECRET = "postgres://fhir:hunter2@db.internal/fhir";

/** A failure of a callback, and that nothing of it is told to the client. */
async function assertDown(callback: Callback, act: Act, isCause: (cause: unknown) => boolean): Promise<void> {
  const host = makeHost(callback.host(act));
  const response = await call(host, callback.target);
  assertFalse((await response.clone().text()).includes("hunter2"));
  assertFalse(JSON.stringify([...response.headers]).includes("hunter2"));
  await assertRefused(response, 503, "no-store", "The server cannot answer now");
  assertEquals(host.grants, []);
  assertEquals(host.events.map(({ type }) => type), ["error", "refused"]);
  const [failure, refusal] = host.events;
  assert(failure?.type === "error" && failure.during === callback.during && isCause(failure.cause));
  assert(refusal?.type === "refused" && refusal.code === "unavailable");
}

const THROWN: readonly unknown[] = [new Error(SECRET), new TypeError(SECRET), SECRET, undefined, null, 0, {
  code: 403,
}];

/** Runs with a `setTimeout` that waits for ticks; Deno would not give the real one back by itself. */
async function withTicks(t: TestContext, run: (tick: (milliseconds: number) => void) => Promise<void>): Promise<void> {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  try {
    await run((milliseconds) => t.mock.timers.tick(milliseconds));
  } finally {
    t.mock.timers.reset();
  }
}

/** Refusals that are not a callback's to make. */
const FOREIGN: readonly BindingErrorCode[] = ["not-found", "login-required", "throttled", "internal", "token-unknown"];

for (const [name, callback] of Object.entries(CALLBACKS)) {
  test(`handleGetWsBindingToken answers 503 when ${name} throws or rejects, and tells only onEvent why`, async () => {
    for (const cause of THROWN) {
      await assertDown(callback, () => {
        throw cause;
      }, (told) => told === cause);
      await assertDown(callback, () => Promise.reject(cause), (told) => told === cause);
    }
  });

  test(`handleGetWsBindingToken answers 503 when ${name} throws a refusal of the library's own`, async () => {
    for (const code of FOREIGN) {
      const cause = new BindingError(code, SECRET);
      await assertDown(callback, () => Promise.reject(cause), (told) => told === cause);
    }
  });

  test(`handleGetWsBindingToken answers 403 when ${name} forbids`, async () => {
    const acts: readonly [Act, string][] = [
      [() => Promise.reject(new BindingError("forbidden")), "Not allowed"],
      [() => {
        throw new BindingError("forbidden", "Not before noon");
      }, "Not before noon"],
    ];
    for (const [act, text] of acts) {
      const host = makeHost(callback.host(act));
      await assertRefused(await call(host, callback.target), 403, "forbidden", text);
      assertEquals(host.grants, []);
      assertEquals(host.events.map((event) => event.type === "refused" && event.code), ["forbidden"]);
    }
  });

  for (const storeTimeout of [undefined, 250]) {
    const patience = storeTimeout ?? 5000;
    test(`handleGetWsBindingToken answers 503 when ${name} takes longer than ${patience} ms`, (t) =>
      withTicks(t, async (tick) => {
        const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
        const host = makeHost({
          ...callback.host(() => (reach(), new Promise(() => {}))),
          ...(storeTimeout !== undefined && { storeTimeout }),
        });
        let settled = false;
        const answer = call(host, callback.target).finally(() => settled = true);
        await reached;
        tick(patience - 1);
        await setImmediate();
        assertFalse(settled);
        tick(1);
        await assertRefused(await answer, 503, "no-store", "The server cannot answer now");
        const [failure] = host.events;
        assert(failure?.type === "error" && failure.during === callback.during);
        assertInstanceOf(failure.cause, Error);
        assertStringIncludes(failure.cause.message, `no answer in ${patience} ms`);
      }));
  }
}

test("handleGetWsBindingToken answers 503 after one storeTimeout when a hundred reads hang", (t) =>
  withTicks(t, async (tick) => {
    const ids = Array.from({ length: 100 }, (_, n) => `s${n}`);
    const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
    const read = (id: string) => {
      if (id === "s99") reach();
      return new Promise<undefined>(() => {});
    };
    const target = `${OPERATION}?${ids.map((id) => `id=${id}`).join("&")}`;
    const answer = call(makeHost({ subscriptions: { read } }), target);
    await reached;
    tick(5000);
    await assertRefused(await answer, 503, "no-store");
  }));

test("handleGetWsBindingToken does not mind what a callback does after it took too long", (t) =>
  withTicks(t, async (tick) => {
    const { promise: slow, reject } = Promise.withResolvers<never>();
    const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
    const host = makeHost({ authenticate: () => (reach(), slow) });
    const answer = call(host);
    await reached;
    tick(5000);
    await assertRefused(await answer, 503, "no-store");
    reject(new Error("too late")); // as an unhandled rejection it would fail this test
    await setImmediate();
    assertEquals(host.events.length, 2);
  }));

/** Runs with real timers under watch: how many were set, and how many of them were neither fired nor cleared. */
async function watchTimers(t: TestContext, run: () => Promise<unknown>): Promise<{ set: number; left: number }> {
  const armed = new Set<unknown>();
  const { setTimeout: arm, clearTimeout: disarm } = globalThis;
  const setting = t.mock.method(globalThis, "setTimeout", (fire: () => void, milliseconds: number) => {
    const timer = arm(fire, milliseconds);
    armed.add(timer);
    return timer;
  });
  const clearing = t.mock.method(globalThis, "clearTimeout", (timer: Parameters<typeof disarm>[0]) => {
    armed.delete(timer);
    disarm(timer);
  });
  try {
    await run();
    await setImmediate();
    return { set: setting.mock.callCount(), left: armed.size };
  } finally {
    setting.mock.restore();
    clearing.mock.restore();
  }
}

test("handleGetWsBindingToken leaves no timer behind when callbacks answer in time", async (t) => {
  const host = makeHost({
    authenticate: () => Promise.resolve(ALICE),
    isEnabled: () => setImmediate(true),
    subscriptions: { read: (id) => setImmediate(websocketSubscription(id)) },
  });
  assertEquals(await watchTimers(t, async () => await readAnswer(await call(host))), { set: 3, left: 0 });
});

test("handleGetWsBindingToken sets no timer for synchronous callbacks, nor for a signer that is local", async (t) => {
  const sign = () => setImmediate(TOKEN);
  const local = makeHost({ tokens: { ...SIGNER, sign, local: true } });
  assertEquals(await watchTimers(t, async () => await readAnswer(await call(local))), { set: 0, left: 0 });
  const remote = makeHost({ tokens: { ...SIGNER, sign } });
  assertEquals(await watchTimers(t, async () => await readAnswer(await call(remote))), { set: 1, left: 0 });
});

test("handleGetWsBindingToken takes synchronous, asynchronous and thenable answers alike", async () => {
  const thenable = {
    then: (resolve: (caller: typeof ALICE) => void) => Promise.resolve().then(() => resolve(ALICE)),
  } as Promise<typeof ALICE>; // all of a promise that some query builders have
  for (const authenticate of [() => ALICE, () => Promise.resolve(ALICE), () => thenable]) {
    await readAnswer(await call(makeHost({ authenticate, rateLimit: () => Promise.resolve(undefined) })));
  }
});

test("handleGetWsBindingToken calls methods on their objects", async () => {
  class Store {
    readonly #known = new Map([["abc123", websocketSubscription("abc123")]]);
    read(id: string) {
      return this.#known.get(id);
    }
    list() {
      return [...this.#known.values()];
    }
  }
  class Signer {
    readonly #token = TOKEN;
    sign() {
      return this.#token;
    }
    verify() {
      return Promise.reject(new Error(this.#token));
    }
    generations() {
      return [this.#token.length, 0];
    }
  }
  const host = makeHost({ subscriptions: new Store(), tokens: new Signer() });
  assertEquals((await readAnswer(await call(host))).token, TOKEN);
  assertEquals((await readAnswer(await call(host, OPERATION))).token, TOKEN);
});
