// Tokens share the memory in which they are put together and taken apart: none may ever meet another one there.

import { type BindingGrant, createJwtSigner } from "@fhir-ws/binding";
import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { ALGORITHMS, importKey, importPair } from "./known_keys.ts";
import { makeGrant, NOW } from "./tokens.ts";

/** Of many lengths, so that each leaves something behind where the next one is shorter. */
function grants(count: number): BindingGrant[] {
  return Array.from({ length: count }, (_, n) => {
    const subscriptions = Array.from({ length: 1 + n * 7 % 40 }, (_, k) => `s${n}-${k}`);
    return makeGrant({ caller: { id: `caller-${"x".repeat(n * 13 % 50)}` }, subscriptions });
  });
}

for (const row of ALGORITHMS) {
  test(`createJwtSigner signs and verifies many different tokens at once with ${row.alg}`, async () => {
    const key = row.jwk.kty === "oct" ? await importKey(row, row.jwk, ["sign", "verify"]) : await importPair(row);
    const signer = await createJwtSigner({ sign: { kid: "k1", key } });
    const [first, second] = [grants(30), grants(30)];
    const tokens = await Promise.all(first.map((grant) => signer.sign(grant)));
    // Each verification has another token signed and a damaged one refused beside it, before any of them ends.
    const beside: Promise<unknown>[] = [];
    const verified = await Promise.all(tokens.map((token, n) => {
      const grant = signer.verify(token, NOW);
      beside.push(Promise.resolve(signer.sign(second[n] ?? makeGrant())));
      beside.push(Promise.resolve(signer.verify(`${token.slice(0, -4)}AAAA`, NOW)).catch(({ code }) => code));
      return grant;
    }));
    assertEquals(verified, first);
    const others = await Promise.all(beside);
    const more = await Promise.all(
      others.filter((_, n) => n % 2 === 0).map((token) => signer.verify(String(token), NOW)),
    );
    assertEquals(more, second);
    assertEquals(new Set(others.filter((_, n) => n % 2 === 1)), new Set(["token-unknown"]));
  });
}
