// Frames and socket URLs that are nearly right: nothing is bound without a token that is good, here and now.

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { describe, it } from "node:test";
import { ALICE, BOB, type Harness, type HarnessOptions, inHarness, WEBSOCKET_URL } from "../socket/harness.ts";
import { anyText, anyVersion, damaged, garbled, runs } from "./any.ts";

/** What may be wrong with a token that somebody once signed; `good` has nothing wrong. */
const KINDS = [
  "good",
  "expired",
  "used",
  "revoked",
  "of another base",
  "of nothing",
  "of what is off",
  "of another caller",
] as const;
type Tokens = Readonly<Record<typeof KINDS[number], string>>;

const SIGNERS: readonly (readonly [signer: NonNullable<HarnessOptions["signer"]>, singleUse: boolean])[] = [
  ["opaque", false],
  ["opaque", true],
  ["jwt", false],
  ["jwt", true],
  ["stateless", false],
];

/** Stands for a token where a frame is made up; the tokens are signed when the frames are known. */
const hole = fc.constantFrom(...KINDS).map((kind) => `<${kind}>`);
const fill = (text: string, tokens: Tokens): string =>
  text.replace(/<([a-z ]+)>/g, (all, kind) => Object.hasOwn(tokens, kind) ? tokens[kind as keyof Tokens] : all); // just seen

const text = fc.tuple(
  fc.constantFrom("bind-with-token", "bind-with-token:", "unbind-from-token", "bind", "BIND-WITH-TOKEN"),
  fc.constantFrom(" ", "  ", "\t", "", "\n", ": "),
  hole,
  fc.constantFrom("", " ", "\n", " extra", "=", "\0"),
).map((parts) => parts.join(""));
const json = fc.record({
  type: fc.constantFrom("bind-with-token", "bind-with-token", "unbind-from-token", "bind", "ping"),
  payload: fc.record({
    token: hole,
    eventsSinceNumber: fc.dictionary(
      fc.constantFrom("s1", "s2", "__proto__", "Subscription/s1"),
      fc.oneof(fc.constantFrom("0", "1", "99999999999999999999", "-1"), fc.integer()),
    ),
  }, { requiredKeys: ["token"] }),
}, { requiredKeys: ["type", "payload"] });
const frame = fc.oneof(
  text,
  json.map((frame) => JSON.stringify(frame)),
  damaged(json).map((frame) => JSON.stringify(frame)),
  garbled(fc.oneof(text, json.map((frame) => JSON.stringify(frame)))),
  // What a reader that takes the last of two members, or looks beyond an object's own, would take.
  hole.map((token) => `{"type":"ping","type":"bind-with-token","payload":{"token":"x","token":"${token}"}}`),
  hole.map((token) => `{"__proto__":{"type":"bind-with-token","payload":{"token":"${token}"}}}`),
  fc.constantFrom("bind s1", "bind Subscription/s1", "bind s2"),
);

/** Whether a text carries the token as a whole, and not as a part of a longer word. */
function carries(text: string, token: string): boolean {
  return text.split(/[^A-Za-z0-9\-._~+/=]+/).includes(token);
}

async function makeTokens(h: Harness, [signer, singleUse]: typeof SIGNERS[number]): Promise<Tokens> {
  await h.put("s1");
  await h.put("s2", { status: "off" });
  const [revoked, used] = [crypto.randomUUID(), crypto.randomUUID()];
  const tokens = {
    "expired": await h.mint(["s1"], ALICE, { lifetime: 1 }),
    "used": await h.mint(["s1"], ALICE, { id: used }),
    "revoked": await h.mint(["s1"], ALICE, { id: revoked }),
    "of another base": await h.mint(["s1"], ALICE, { audience: "https://example.org/fhir/R9" }),
    "of nothing": await h.mint(["s3"], ALICE),
    "of what is off": await h.mint(["s2"], ALICE),
    "of another caller": await h.mint(["s1"], BOB),
    "good": await h.mint(["s1"], ALICE),
  };
  await h.advance(2000);
  if (signer !== "stateless") await h.notifier.revoke({ token: revoked });
  if (singleUse) await (await h.open()).say(`bind-with-token ${tokens.used}`);
  for (const socket of h.sockets) socket.disconnect();
  assertEquals(h.binder.stats(), { sockets: 0, bindings: 0, subscriptions: 0 });
  // Where tokens cannot be revoked or used up these would be good ones.
  return {
    ...tokens,
    ...(signer === "stateless" && { revoked: "nothing" }),
    ...(!singleUse && { used: "nothing" }),
  };
}

for (const [signer, singleUse] of SIGNERS) {
  describe(`tokens (${signer}, ${singleUse ? "single use" : "reusable"})`, () => {
    const limits = { framesPerSecond: 1000, refusedBinds: 1000 };

    it("bind by no frame but one that carries a good one", async () => {
      let bound = 0;
      await fc.assert(
        fc.asyncProperty(anyVersion, fc.array(frame, { minLength: 1, maxLength: 4 }), async (fhirVersion, frames) => {
          const legacy = { origins: [], legacy: { authenticate: () => undefined } };
          await inHarness({ fhirVersion, signer, singleUse, limits, ...legacy }, async (h) => {
            const tokens = await makeTokens(h, [signer, singleUse]);
            const sockets = [await h.open(), await h.open()];
            const texts = frames.map((frame) => fill(frame, tokens));
            for (const [n, text] of texts.entries()) await sockets[n % 2]?.say(text);
            const { bindings } = h.binder.stats();
            bound += bindings;
            if (bindings > 0) {
              const binds = texts.filter((text) => carries(text, tokens.good) && text.includes("bind-with-token"));
              assert(binds.length > 0, JSON.stringify(texts));
            }
            await h.notify("s1");
            const events = sockets.flatMap((socket) => socket.story()).filter((words) => words.startsWith("event"));
            assertEquals(events.length, bindings);
          })();
        }),
        runs(400),
      );
      assert(bound > 3, `${bound} that were bound prove too little`);
    });

    it("bind by no URL but one that carries a good one, where a binder takes it from there", async () => {
      let bound = 0;
      const query = fc.oneof(
        hole.map((token) => `token=${token}`),
        garbled(hole.map((token) => `token=${token}`), fc.oneof(anyText, fc.constantFrom("%20", "+", "&", "%", "#"))),
        fc.tuple(hole, hole).map(([one, other]) => `token=${one}&token=${other}`),
        hole.map((token) => `Token=${token}&x=1`),
      );
      await fc.assert(
        fc.asyncProperty(query, fc.boolean(), async (query, tokenInUrl) => {
          await inHarness({ signer, singleUse, limits, tokenInUrl }, async (h) => {
            const tokens = await makeTokens(h, [signer, singleUse]);
            const url = new URL(`${WEBSOCKET_URL}?${fill(query, tokens).toWellFormed()}`);
            await h.open({ url: url.href });
            const { bindings } = h.binder.stats();
            bound += bindings;
            if (bindings > 0) assert(tokenInUrl && url.searchParams.get("token")?.trim() === tokens.good, url.href);
          })();
        }),
        runs(250),
      );
      assert(bound > 1, `${bound} that were bound prove too little`);
    });
  });
}
