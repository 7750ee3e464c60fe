// A Subscription, whatever a host's store holds: judged the same wherever it is looked at, and served where it can be.

import {
  checkSubscription,
  type FhirSubscription,
  type FhirVersion,
  handleGetWsBindingToken,
  handleSubscriptionEvents,
  handleSubscriptionStatus,
  type Json,
} from "@fhir-ws/binding";
import { assert, assertEquals, assertFalse } from "@std/assert";
import fc from "fast-check";
import { describe, it } from "node:test";
import { makeAskedHost } from "../operation/asking.ts";
import { MIME_VERSION } from "../operation/fake_host.ts";
import { ALICE, EVENT, inHarness, START } from "../socket/harness.ts";
import { makeSubscription } from "../socket/subscriptions.ts";
import { anyVersion, damaged, runs } from "./any.ts";
import { producedBy } from "../tools/produced.ts";

const end = fc.constantFrom(
  ...["2030-01-01T00:00:00Z", "2030-01-01T00:00:00.999Z", "2030-01-01T00:00:01Z", "2030-01-01T01:00:00+01:00"],
  ...[
    "2031-02-29T00:00:00Z",
    "2031-01-01",
    "2031-01-01T00:00Z",
    "2031-01-01T24:00:00Z",
    "2031-06-01T12:00:00.123456789-08:00",
  ],
);
const wish = (version: FhirVersion) =>
  fc.record({
    status: fc.constantFrom("active", "active", "requested", "error", "off", "entered-in-error", "unheard-of"),
    end,
    content: fc.constantFrom("empty", "id-only", "full-resource"),
    heartbeatPeriod: fc.integer({ min: -1, max: 100 }),
    maxCount: fc.integer({ min: -1, max: 3 }),
    payload: fc.constantFrom(
      ...["application/fhir+json", "application/json", "application/fhir+xml", "text/plain"],
      ...Object.values(MIME_VERSION).map((version) => `application/fhir+json; fhirVersion=${version}`),
    ),
    channel: fc.constantFrom("websocket", "websocket", "websocket", "rest-hook", "WebSocket"),
    topic: fc.constantFrom("http://example.org/topic", "urn:x", "Patient?name=x", null),
  }, { requiredKeys: ["status"] }).map((wish) => JSON.parse(JSON.stringify(makeSubscription("s1", version, wish))));

const anySubscription = anyVersion.chain((version) => fc.tuple(fc.constant(version), damaged(wish(version), 2)));

/** A store may hold anything, whatever its type says. */
function asSubscription(stored: Json): FhirSubscription {
  return stored as object as FhirSubscription;
}

/** How each reader of Subscriptions answers for the one that is stored. */
async function judgements(stored: Json, fhirVersion: FhirVersion) {
  const subscription = asSubscription(stored);
  const host = makeAskedHost({ fhirVersion, now: () => START, subscriptions: { read: () => subscription } });
  const of = (name: string): Request => new Request(`${host.ctx.base}/Subscription/s1/${name}`);
  const [token, status, events] = await Promise.all([
    handleGetWsBindingToken(of("$get-ws-binding-token"), host.ctx).then(producedBy),
    handleSubscriptionStatus(of("$status"), host.ctx).then(producedBy),
    handleSubscriptionEvents(of("$events"), host.ctx).then(producedBy),
  ]);
  assertFalse(host.events.some(({ type }) => type === "error"));
  return { token, status, events };
}

describe("a Subscription of any shape", () => {
  it("has a token exactly when it is checked as good, is alive and has not ended", async () => {
    const seen = new Map<number, number>();
    await fc.assert(
      fc.asyncProperty(anySubscription, async ([version, stored]) => {
        const { token, status, events } = await judgements(stored, version);
        seen.set(token.status, (seen.get(token.status) ?? 0) + 1);
        if (stored === null) return assertEquals([token.status, status.status, events.status], [404, 404, 404]);
        if (!stored) return assertEquals(token.status, 404); // nothing that a store would mean
        const check = checkSubscription(asSubscription(stored), version);
        const isAlive = ["active", "requested", "error"].includes(check.status);
        const isOver = check.endsAt !== undefined && check.endsAt * 1000 <= START;
        assertEquals(check.websocket || check.issues.length === 1, true);
        assertEquals(token.status, check.issues.length === 0 && isAlive && !isOver ? 200 : 422);
        // Whatever its channel and state, it has a status and a history.
        assertEquals([status.status, events.status], [200, 200]);
        const { entry: [told] } = await status.json();
        assert(["SubscriptionStatus", "Parameters"].includes(told.resource.resourceType));
      }),
      runs(1000),
    );
    for (const status of [200, 404, 422]) assert(seen.has(status), `no run gave ${status}`);
  });

  it("is bound exactly when it has a token, and what is active is told of its events", async () => {
    let bound = 0;
    await fc.assert(
      fc.asyncProperty(anySubscription, async ([version, stored]) => {
        const { token } = await judgements(stored, version);
        const subscriptions = { read: () => asSubscription(stored) };
        await inHarness({ fhirVersion: version, subscriptions }, async (h) => {
          const socket = await h.open();
          const [answer] = await h.bind(socket, await h.mint(["s1"], ALICE));
          assertEquals(answer?.kind, token.status === 200 ? "notification" : "outcome");
          if (token.status !== 200) return;
          bound++;
          await h.notify("s1", EVENT);
          const isActive = checkSubscription(asSubscription(stored), version).status === "active";
          assertEquals(socket.story(), isActive ? ["event s1 1"] : []);
        })();
      }),
      runs(500),
    );
    assert(bound > 20, `${bound} that were bound prove too little`);
  });
});
