import { describe, it } from "node:test";
import {
  type BindingEvent,
  createJwtSigner,
  createOpaqueSigner,
  type FhirEndpoint,
  handleGetWsBindingToken,
  type SigningKey,
  type TokenSigner,
  type TokenStore,
  verifyBinding,
} from "@fhir-ws/binding";
import { assertEquals, assertFalse, assertGreater, assertStringIncludes } from "@std/assert";
import { producedBy } from "../tools/produced.ts";
import { ALGORITHMS, ED25519, P256, privateParts, RSA } from "./known_keys.ts";
import { makeStore } from "./stores.ts";
import { BASE, base64url, forgeHmac, makeGrant, NOW } from "./tokens.ts";

const SECRET = crypto.getRandomValues(new Uint8Array(32));

/** All that can be read of a value: every own property of it and of what they lead to, stacks and getters included. */
function everythingIn(value: unknown, seen = new Set<unknown>()): string {
  if (typeof value !== "object" || value === null) return String(value);
  if (seen.has(value)) return "";
  seen.add(value);
  const own = Reflect.ownKeys(value).map((name) => `${String(name)}: ${everythingIn(Reflect.get(value, name), seen)}`);
  return [String(value), ...own].join("\n");
}

/** How bytes might look in a text. */
function spellingsOf(bytes: Uint8Array): readonly string[] {
  const latin1 = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [latin1, hex, hex.toUpperCase(), base64url(bytes), btoa(latin1), bytes.join(), bytes.join(", ")];
}

/** The parts of a token that bind: all but the header, which says nothing. */
function partsOf(token: string): readonly string[] {
  return [token, ...token.split(".").slice(1).flatMap((part) => [part, part.slice(0, 24), part.slice(-24)])];
}

function assertSilent(told: string, secrets: readonly string[]): void {
  assertGreater(secrets.length, 0);
  for (const secret of secrets) {
    assertGreater(secret.length, 15);
    assertFalse(told.includes(secret), "a secret stands in what was told");
  }
}

/** What a call throws, or else what it gives. */
async function outcomeOf(run: () => unknown): Promise<unknown> {
  try {
    return await run();
  } catch (cause) {
    return cause;
  }
}

describe("everythingIn", () => {
  it("finds what is hidden in messages, stacks, causes, issues and getters", () => {
    const error = new Error("secret-1", { cause: new AggregateError([new Error("secret-2")], "secret-3") });
    Object.defineProperty(error, "detail", { get: () => ({ deep: ["secret-4"] }) });
    const told = everythingIn([{ type: "error", cause: error }]);
    for (const secret of ["secret-1", "secret-2", "secret-3", "secret-4"]) assertStringIncludes(told, secret);
  });
});

const MAKERS: Readonly<Record<string, (store: TokenStore) => Promise<TokenSigner> | TokenSigner>> = {
  HS256: () => createJwtSigner({ sign: { kid: "k1", key: SECRET } }),
  ES256: () => createJwtSigner({ sign: { kid: "k1", key: P256 }, verify: [{ kid: "k2", key: SECRET }] }),
  EdDSA: (store) => createJwtSigner({ sign: { kid: "k1", key: ED25519 }, store, singleUse: true }),
  opaque: (store) => createOpaqueSigner({ store, singleUse: true }),
};

const SUBSCRIPTIONS = {
  read(id: string) {
    return { resourceType: "Subscription" as const, id, status: "active", channelType: { code: "websocket" } };
  },
};
const DOWN: FhirEndpoint["subscriptions"] = { read: () => Promise.reject(new Error("connection refused")) };

/** What hostile and unlucky clients send instead of a token. */
async function spoil(token: string): Promise<readonly string[]> {
  const [header = "", payload = "", signature = ""] = token.split(".");
  return [
    token.slice(1),
    token.slice(0, -1),
    ` ${token}`,
    `${token}=`,
    `Bearer ${token}`,
    token.toUpperCase(),
    [...token].reverse().join(""),
    token.repeat(1000),
    `${payload}.${header}.${signature}`,
    `${header}.${payload}.`,
    `${header}.${base64url(`{"token":"${token}"}`)}.${signature}`,
    await forgeHmac({ alg: "HS256", typ: "JWT", kid: "k1" }, { token }, SECRET),
  ];
}

describe("No token and no key is to be read", () => {
  for (const [kind, make] of Object.entries(MAKERS)) {
    it(`in what verifying, redeeming and refusing ${kind} tokens throws, reports or prints`, async (t) => {
      const printed: unknown[] = [];
      const mocks = (["log", "info", "warn", "error", "debug", "trace"] as const).map((name) =>
        t.mock.method(console, name, (...args: unknown[]) => void printed.push(args))
      );
      const events: BindingEvent[] = [];
      const told: unknown[] = [];
      const store = makeStore();
      const signer = await make(store);
      const endpoint = {
        base: BASE,
        fhirVersion: "R5" as const,
        tokens: signer,
        subscriptions: SUBSCRIPTIONS,
        now: () => NOW,
        onEvent: (event: BindingEvent) => void events.push(event),
      };
      const token = await signer.sign(makeGrant({ id: "t1", caller: { id: "alice", claims: { login: "l1" } } }));
      try {
        const { grant } = await verifyBinding(token, endpoint);
        for (const attempt of ["first", "second"]) told.push(await outcomeOf(() => signer.redeem?.(grant, attempt)));
        for (const text of await spoil(token)) {
          told.push(await outcomeOf(() => signer.verify(text, NOW)));
          told.push(await outcomeOf(() => verifyBinding(text, endpoint)));
        }
        told.push(await outcomeOf(() => verifyBinding(token, { ...endpoint, now: () => NOW + 3600_000 })));
        told.push(await outcomeOf(() => verifyBinding(token, { ...endpoint, base: `${BASE}/other` })));
        told.push(await outcomeOf(() => verifyBinding(token, { ...endpoint, subscriptions: DOWN })));
        await store.revoke("tok:t1");
        told.push(await outcomeOf(() => signer.verify(token, NOW)));
      } finally {
        for (const { mock } of mocks) mock.restore();
      }
      assertEquals(printed, []);
      assertEquals(events.map(({ type }) => type), ["error", "error"]);
      assertGreater(told.filter((one) => one instanceof Error).length, 25);
      const secrets = [...partsOf(token), ...spellingsOf(SECRET), ...privateParts()];
      assertSilent(everythingIn([told, events]), secrets);
      assertSilent(JSON.stringify([told, events]), secrets);
    });

    it(`in what issuing ${kind} tokens answers, besides the token itself, or reports`, async () => {
      const events: BindingEvent[] = [];
      const issued: string[] = [];
      const store = makeStore();
      const tokens = await make(store);
      /** The answer without the token, which is kept apart. */
      async function issue(context: object): Promise<string> {
        const headers = { authorization: "Bearer hunter2-hunter2-hunter2" };
        const response = await handleGetWsBindingToken(
          new Request(`${BASE}/Subscription/s1/$get-ws-binding-token`, { headers }),
          {
            base: BASE,
            fhirVersion: "R5",
            tokens,
            subscriptions: SUBSCRIPTIONS,
            now: () => NOW,
            authenticate: () => ({ id: "alice" }),
            sockets: { websocketUrl: "wss://example.org/ws" },
            onEvent: (event) => void events.push(event),
            ...context,
          },
        );
        const answer = [response.status, ...response.headers, await (await producedBy(response)).text()].join("\n");
        const [, token] = /"name":"token","valueString":"([^"]+)"/.exec(answer) ?? [];
        if (token === undefined) return answer;
        issued.push(token);
        return answer.replace(token, "");
      }
      const good = await issue({});
      const [token = ""] = issued;
      const broken: TokenStore = { ...store, put: () => Promise.reject(new Error("disk full")) };
      const answers = [
        good,
        await issue({ authenticate: () => undefined }),
        await issue({ subscriptions: DOWN }),
        await issue({ tokens: { ...tokens, maxLifetime: Infinity }, tokenLifetime: 90_000 }),
        await issue({ tokens: await make(broken) }),
        await issue({ tokens: { ...tokens, sign: () => `${token} ${token}` } }),
        await issue({ tokens: { ...tokens, sign: () => token.repeat(500) } }),
      ];
      assertGreater(issued.length, 0);
      assertGreater(events.filter(({ type }) => type === "error").length, 1);
      const secrets = [...issued.flatMap(partsOf), ...spellingsOf(SECRET), ...privateParts()];
      assertSilent([...answers, everythingIn(events)].join("\n"), [...secrets, "hunter2-hunter2-hunter2"]);
    });
  }

  it("in what createJwtSigner throws at any key that it refuses", async () => {
    const weak = crypto.getRandomValues(new Uint8Array(31));
    const spoilt: readonly unknown[] = [
      weak,
      { kty: "oct", k: base64url(weak) },
      { kty: "oct", k: `${base64url(SECRET)}*` },
      { kty: "oct", k: SECRET },
      base64url(SECRET),
      RSA,
      { privateKey: P256 },
      ...ALGORITHMS.flatMap(({ alg, jwk }) => [
        { ...jwk, alg: "none" },
        { ...jwk, alg, use: "enc" },
        { ...jwk, alg, key_ops: ["encrypt"] },
        { ...jwk, alg, kty: "XYZ" },
        { ...jwk, alg, k: `${jwk.k}=!`, d: `${jwk.d}=!` },
        { ...jwk, alg, k: 7, n: jwk.d, x: jwk.y ?? 7, d: jwk.x },
      ]),
    ];
    const told: unknown[] = [];
    for (const key of spoilt as SigningKey["key"][]) {
      told.push(await outcomeOf(() => createJwtSigner({ sign: { kid: "k1", key } })));
    }
    // A few of them are taken on lenient runtimes; what those publish is searched like the rest.
    const errors = told.filter((one) => one instanceof Error);
    assertGreater(errors.length, 60);
    assertEquals(errors.filter((one) => !(one instanceof TypeError)), []);
    const secrets = [...spellingsOf(SECRET), ...spellingsOf(weak), ...privateParts()];
    assertSilent(everythingIn(told), secrets);
  });
});
