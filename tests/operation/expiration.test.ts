import { test } from "node:test";
import { createJwtSigner } from "@fhir-ws/binding";
import { assert, assertEquals, assertLess } from "@std/assert";
import {
  assertRefused,
  call,
  FHIR_VERSIONS,
  idParameters,
  makeHost,
  NOW,
  OPERATION,
  post,
  readAnswer,
  websocketSubscription,
} from "./fake_host.ts";

function instant(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

const ENDS: readonly (readonly [end: string | undefined, lifetime: number | undefined, expiration: string])[] = [
  [undefined, undefined, "2026-01-02T04:04:05.000Z"],
  [undefined, 1, "2026-01-02T03:04:06.000Z"],
  [undefined, 300, "2026-01-02T03:09:05.000Z"],
  ["2030-01-01T00:00:00Z", undefined, "2026-01-02T04:04:05.000Z"],
  ["2026-01-02T03:30:00Z", undefined, "2026-01-02T03:30:00.000Z"],
  ["2026-01-02T03:30:00.999Z", undefined, "2026-01-02T03:30:00.000Z"],
  ["2026-01-02T05:30:00+02:00", undefined, "2026-01-02T03:30:00.000Z"],
  ["2026-01-01T23:30:00.123456-04:00", undefined, "2026-01-02T03:30:00.000Z"],
  ["2026-01-02T03:30:00Z", 60, "2026-01-02T03:05:05.000Z"],
  ["2026-01-02T03:04:06Z", undefined, "2026-01-02T03:04:06.000Z"],
];
for (const [end, tokenLifetime, expiration] of ENDS) {
  test(`handleGetWsBindingToken gives a token until ${expiration} for end ${end} and lifetime ${tokenLifetime}`, async () => {
    for (const version of FHIR_VERSIONS) {
      const known = [websocketSubscription("abc123", version, end === undefined ? {} : { end })];
      const host = makeHost({ fhirVersion: version, known, ...(tokenLifetime !== undefined && { tokenLifetime }) });
      assertEquals((await readAnswer(await call(host))).expiration, expiration);
      assertEquals(host.grants[0]?.expiresAt, Date.parse(expiration) / 1000);
    }
  });
}

test("handleGetWsBindingToken lets the earliest end of all Subscriptions decide", async () => {
  const known = ["03:50", "03:20", "03:40"].map((time, n) =>
    websocketSubscription(`s${n}`, "R5", { end: `2026-01-02T${time}:00Z` })
  );
  const answer = await readAnswer(await call(makeHost({ known }), OPERATION, post(idParameters("s0", "s1", "s2"))));
  assertEquals(answer.expiration, "2026-01-02T03:20:00.000Z");
});

test("handleGetWsBindingToken gives no token for a Subscription that ends in this second", async () => {
  for (const end of [instant(NOW), instant(NOW + 100), instant(NOW - 1), "2026-01-02T03:04:05Z"]) {
    const host = makeHost({ known: [websocketSubscription("abc123", "R5", { end })] });
    const issue = await assertRefused(await call(host), 422, "business-rule");
    assertEquals(issue.details.text, 'Cannot bind Subscription "abc123": it has ended');
  }
});

test("handleGetWsBindingToken reads the clock once, so that a moving clock moves nothing apart", async () => {
  let time = NOW;
  let readings = 0;
  const { ctx, grants } = makeHost({ now: () => (readings++, time += 1_000_000) });
  const { onEvent: _, ...quiet } = ctx;
  const answer = await readAnswer(await call({ ctx: quiet }, `${OPERATION}?id=abc123&id=def456`));
  assertEquals(readings, 1);
  const [grant] = grants;
  assert(grant !== undefined);
  assertEquals(grant.expiresAt - grant.issuedAt, 3600);
  assertEquals(Date.parse(answer.expiration), grant.expiresAt * 1000);
});

test("handleGetWsBindingToken says the exp of the token as expiration", async () => {
  const tokens = await createJwtSigner({ sign: { kid: "k1", key: crypto.getRandomValues(new Uint8Array(32)) } });
  const { ctx } = makeHost({ tokens });
  const { now: _, ...real } = ctx;
  const before = Date.now();
  const { token, expiration } = await readAnswer(await call({ ctx: real }));
  const { exp, iat } = JSON.parse(atob((token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/")));
  assertEquals(Date.parse(expiration), exp * 1000);
  assertEquals(exp - iat, 3600);
  assertEquals((await tokens.verify(token)).subscriptions, ["abc123"]);
  assertLess(Math.abs(iat * 1000 - before), 60_000);
});
