import { test } from "node:test";
import { inspect } from "node:util";
import { createJwtSigner, createOpaqueSigner } from "@fhir-ws/binding";
import { createMemoryTokenStore } from "@fhir-ws/binding/storage/memory";
import { assertEquals } from "@std/assert";
import { findSecrets, judgeTold, overhear } from "../../scripts/test/told.ts";

const SECRET = crypto.getRandomValues(new Uint8Array(32));
const JWT = await createJwtSigner({ sign: { kid: "k1", key: SECRET } });
const OPAQUE = createOpaqueSigner({ store: createMemoryTokenStore() });
const now = Math.floor(Date.now() / 1000);
const grant = {
  id: crypto.randomUUID(),
  audience: "https://example.org/fhir/R5",
  caller: { id: "alice" },
  subscriptions: ["s1"],
  issuedAt: now,
  expiresAt: now + 60,
};
const token = await JWT.sign(grant);
const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
const jwk = await crypto.subtle.exportKey("jwk", pair.privateKey);

const TOLD: readonly (readonly [what: string, told: string, found: readonly string[]])[] = [
  ["a JWT", `bound with ${token}!`, [
    "a JWT in line 2",
    "the claims of a binding token in line 2",
    "an opaque token in line 2", // as its signature looks
  ]],
  ["its claims", `"${token.split(".")[1]}"`, ["the claims of a binding token in line 2"]],
  ["an opaque token", `bind-with-token ${await OPAQUE.sign(grant)}\n`, ["an opaque token in line 2"]],
  ["a private JWK as JSON", JSON.stringify(jwk), ["an opaque token in line 2", "the private part of a JWK in line 2"]],
  ["a private JWK as it is printed in colours", inspect({ d: jwk.d?.slice(0, 30) }, { colors: true }), [
    "the private part of a JWK in line 2",
  ]],
  ["a key in PEM", "-----BEGIN PRIVATE KEY-----", ["a key in PEM in line 2"]],
  ["a raw secret", `\n${inspect(SECRET)}`, ["the bytes of a secret in line 3"]],
];
for (const [what, told, found] of TOLD) {
  test(`findSecrets finds ${what}`, () => assertEquals(findSecrets(`ok\n${told}`), found));
}

test("findSecrets takes ids, digests in hex, file names and kids for no secrets", () => {
  const digest = Array.from(SECRET, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const innocent = [
    crypto.randomUUID(),
    digest,
    "./tests/socket/a_rather_long_name_of_one_file.test.ts:12:34",
    "kid: 'k1'",
  ];
  assertEquals(findSecrets(innocent.join("\n")), []);
});

test("judgeTold names what it has found, and does not repeat it", () => {
  assertEquals(judgeTold("all is well").state, "passed");
  const { state, name } = judgeTold(token);
  assertEquals([state, name.includes(token.slice(0, 12))], ["failed", false]);
});

test("overhear passes on what it hears, and stops when it is told to", async () => {
  const shown: string[] = [];
  const stop = new AbortController();
  const decoder = new TextDecoder();
  const to = new WritableStream<Uint8Array<ArrayBuffer>>({
    write(chunk) {
      shown.push(decoder.decode(chunk, { stream: true }));
      if (shown.length === 2) stop.abort();
    },
  });
  const [first, second] = [Uint8Array.of(0x47, 0x72, 0xc3), Uint8Array.of(0xbc, 0xc3, 0x9f, 0x65)];
  const endless = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      controller.enqueue(first);
      controller.enqueue(second);
    },
  });
  assertEquals(await overhear(endless, to, stop.signal), "Grüße");
  assertEquals(shown.join(""), "Grüße");
});
