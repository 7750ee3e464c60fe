import { describe, it } from "node:test";
import { createOpaqueSigner, type TokenStore } from "@fhir-ws/binding";
import { assert, assertEquals, assertFalse, assertMatch, assertRejects } from "@std/assert";
import { makeDistantStore, makeSpiedStore, makeStore } from "./stores.ts";
import { assertRefused, assertUnknown, base64url, makeGrant, NOW, SECONDS } from "./tokens.ts";

/** The SHA-256 of the bytes that a token stands for, in base64url. */
async function digestOf(token: string): Promise<string> {
  const latin1 = atob(token.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = Uint8Array.from(latin1, (one) => one.charCodeAt(0));
  return base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

describe("createOpaqueSigner", () => {
  it("makes tokens of 256 random bits that say nothing", async () => {
    const signer = createOpaqueSigner({ store: makeStore() });
    const grant = makeGrant();
    const tokens = await Promise.all(Array.from({ length: 200 }, () => signer.sign(grant)));
    for (const token of tokens) assertMatch(token, /^[A-Za-z0-9_-]{43}$/);
    assertEquals(new Set(tokens).size, tokens.length);
    // Every bit of the 256 is both 0 and 1 somewhere: none of 200 tokens would miss one by chance.
    const bytes = tokens.map((token) => atob(`${token.replaceAll("-", "+").replaceAll("_", "/")}=`));
    for (let bit = 0; bit < 256; bit++) {
      const seen = new Set(bytes.map((text) => (text.charCodeAt(bit >> 3) >> (bit & 7)) & 1));
      assertEquals(seen.size, 2, `bit ${bit}`);
    }
  });

  it("gives back the whole grant, also from a distant store", async () => {
    for (const store of [makeStore(), makeDistantStore()]) {
      const signer = createOpaqueSigner({ store });
      const grant = makeGrant({ caller: { id: "alice", tenant: "acme", claims: { scope: ["a", { b: null }] } } });
      assertEquals(await signer.verify(await signer.sign(grant), NOW), { ...grant, generations: [0, 0, 0] });
    }
  });

  it("tells the store the digest of a token and never the token", async () => {
    const { store, calls } = makeSpiedStore();
    const signer = createOpaqueSigner({ store, singleUse: true });
    const token = await signer.sign(makeGrant({ id: "t1" }));
    const grant = await signer.verify(token, NOW);
    await signer.redeem?.(grant, "attempt-1");
    await assertUnknown(signer, token.toLowerCase().padEnd(43, "A"));
    assertEquals(calls.filter(({ method }) => method === "put").map(({ args }) => args[0]), [await digestOf(token)]);
    assertEquals(calls.find(({ method }) => method === "get")?.args, [await digestOf(token)]);
    assertEquals(calls.find(({ method }) => method === "redeem")?.args, ["t1", "attempt-1", SECONDS + 3600]);
    const told = JSON.stringify(calls);
    for (const part of [token, token.slice(0, 20), token.slice(-20)]) assertFalse(told.includes(part));
  });

  it("does not take the digest, or anything else of the store's, for a token", async () => {
    const { store, calls } = makeSpiedStore();
    const signer = createOpaqueSigner({ store });
    const grant = makeGrant();
    const token = await signer.sign(grant);
    for (const text of [await digestOf(token), grant.id, JSON.stringify(grant)]) await assertUnknown(signer, text);
    assert(calls.some(({ method, args }) => method === "put" && args[0] !== token));
  });

  it("refuses unknown tokens without asking the store when they cannot be any", async () => {
    const { store, calls } = makeSpiedStore();
    const signer = createOpaqueSigner({ store });
    for (
      const text of [
        "",
        "A",
        "A".repeat(42),
        "A".repeat(44),
        `${"A".repeat(42)}B`,
        `${"A".repeat(42)}+`,
        "é".repeat(43),
      ]
    ) {
      await assertUnknown(signer, text);
    }
    assertEquals(calls, []);
    await assertUnknown(signer, "A".repeat(43));
    assertEquals(calls.map(({ method }) => method), ["get"]);
  });

  it("says expired of a genuine token only, at its exp and not before, by the host's clock", async () => {
    const signer = createOpaqueSigner({ store: makeStore() });
    const token = await signer.sign(makeGrant());
    const end = (SECONDS + 3600) * 1000;
    assertEquals((await signer.verify(token, end - 1)).expiresAt, SECONDS + 3600);
    for (const now of [end, end + 1, Infinity, NaN]) {
      await assertRefused(() => signer.verify(token, now), "token-expired");
    }
    await assertRefused(() => createOpaqueSigner({ store: makeStore() }).verify(token, end));
  });

  it("takes an expired grant for expired when the store still has it, and for unknown when it has not", async () => {
    let time = NOW;
    const signer = createOpaqueSigner({ store: makeForgetfulStore(() => time) });
    const token = await signer.sign(makeGrant());
    time += 3600_000;
    await assertRefused(() => signer.verify(token, time), "token-expired");
    time += 3600_000;
    await assertRefused(() => signer.verify(token, time));
  });

  it("leaves what the store throws as it is, for the host to see", async () => {
    const down = new Error("connection refused");
    const failing: TokenStore = { ...makeStore(), put: () => Promise.reject(down), get: () => Promise.reject(down) };
    const signer = createOpaqueSigner({ store: failing });
    assertEquals(await assertRejects(async () => await signer.sign(makeGrant())), down);
    assertEquals(await assertRejects(async () => await signer.verify("A".repeat(43), NOW)), down);
  });
});

/** A store that keeps a grant half an hour beyond its end. */
function makeForgetfulStore(now: () => number): TokenStore {
  const store = makeStore();
  return {
    ...store,
    async get(digest) {
      const grant = await store.get(digest);
      return grant && now() < (grant.expiresAt + 1800) * 1000 ? grant : undefined;
    },
  };
}
