import { beforeEach, describe, it } from "node:test";
import { assertEquals, assertMatch } from "@std/assert";
import { readFrame } from "../../../scripts/soak/frame.ts";
import { createLedger, type Ledger } from "../../../scripts/soak/ledger.ts";
import { createSpans, type Spans } from "../../../scripts/soak/spans.ts";
import type { Token } from "../../../scripts/soak/token.ts";

describe("createLedger", () => {
  let violations: string[];
  let spans: Spans;
  let next: Map<string, number>;
  let ledger: Ledger;

  beforeEach(() => {
    violations = [];
    spans = createSpans();
    next = new Map();
    ledger = createLedger(next, spans, (what) => violations.push(what), () => {});
  });

  function token(lifetime = 60_000, ids: readonly string[] = ["s1"]): Token {
    const now = Date.now();
    return {
      text: "t",
      jti: "j1",
      caller: "c1",
      ids,
      expiresAt: now + lifetime,
      askedAt: now - 20,
      answeredAt: now - 10,
    };
  }
  function status(type: string, head: number, numbers: readonly number[], raisedAt = Date.now()): string {
    const notificationEvent = numbers.map((number) => ({
      eventNumber: String(number),
      timestamp: new Date(raisedAt).toISOString(),
    }));
    const subscription = { reference: "http://127.0.0.1/fhir/R5/Subscription/s1" };
    const resource = { type, eventsSinceSubscriptionStart: String(head), subscription, notificationEvent };
    return JSON.stringify({ resourceType: "Bundle", entry: [{ resource }] });
  }
  function handshake(head: number): void {
    ledger.frame(readFrame(status("handshake", head, [])));
  }
  function events(numbers: readonly number[], raisedAt?: number): void {
    ledger.frame(readFrame(status("event-notification", numbers.at(-1) ?? 0, numbers, raisedAt)));
  }
  function ending(code: string): void {
    const issue = [{ severity: "error", code, diagnostics: "Subscription/s1" }];
    ledger.frame(readFrame(JSON.stringify({ resourceType: "OperationOutcome", issue })));
  }
  function bind(one = token(), replays = false, head = 4): Token {
    ledger.asked(one, replays);
    handshake(head);
    return one;
  }

  it("has nothing against events that follow the handshake one by one", () => {
    bind();
    events([5]);
    events([6, 7]);
    assertEquals([violations, next.get("s1"), ledger.bound], [[], 8, ["s1"]]);
  });

  it("goes on where another socket has stopped when a bind asks for that", () => {
    next.set("s1", 3);
    bind(token(), true);
    events([3, 4, 5]);
    assertEquals(violations, []);
  });

  it("tells of an event that is missing", () => {
    bind();
    events([6]);
    assertMatch(violations.join(), /^s1 jumps to event 6, 5 is missing$/);
  });

  it("tells of an event that a bind asked for and that did not come", () => {
    next.set("s1", 3);
    bind(token(), true);
    events([5]);
    assertMatch(violations.join(), /^s1 jumps to event 5, 3 is missing$/);
  });

  it("tells of an event that comes twice", () => {
    bind();
    events([5]);
    events([5]);
    assertMatch(violations.join(), /^s1 is back at event 5, 6 was due$/);
  });

  it("tells of an event before the handshake", () => {
    ledger.asked(token(), false);
    events([5]);
    assertMatch(violations.join(), /^event 5 of s1, which is not bound$/);
  });

  it("tells of an event after the unbind", () => {
    ledger.unbound(bind());
    events([5]);
    assertMatch(violations.join(), /^event 5 of s1, which is not bound$/);
  });

  it("tells of an event that was raised when every token had expired", () => {
    const { expiresAt } = bind(token(1000));
    events([5], expiresAt - 1);
    assertEquals(violations, []);
    events([6], expiresAt);
    assertMatch(violations.join(), /^event 6 of s1 was raised 0 ms after its binding's end$/);
  });

  it("tells of an event that was raised after the revocation had been answered", () => {
    bind();
    spans.begin("token j1")();
    events([5], Date.now() + 1);
    assertMatch(violations.join(), /^event 5 of s1 was raised \d+ ms after its binding's end$/);
  });

  it("has nothing against events while a revocation is under way", () => {
    bind();
    spans.begin("caller c1");
    events([5], Date.now() + 1);
    assertEquals(violations, []);
  });

  it("tells of a handshake that nobody asked for", () => {
    bind();
    handshake(4);
    assertMatch(violations.join(), /^a handshake of s1 that nobody asked for$/);
  });

  it("tells of a log that has gone back", () => {
    bind();
    events([5]);
    bind(token(), false, 4);
    assertMatch(violations.join(), /^the handshake of s1 is at 4, event 5 was here$/);
  });

  it("tells of an ending before the expiry", () => {
    bind();
    ending("expired");
    assertMatch(violations.join(), /^s1 ended as expired, which it is not$/);
  });

  it("tells of an ending by a revocation that never was", () => {
    bind();
    ending("unknown");
    assertMatch(violations.join(), /^s1 ended as revoked, which it is not$/);
  });

  it("tells of an ending that nobody could bring about", () => {
    bind();
    ending("no-store");
    assertMatch(violations.join(), /^s1 ended by no-store$/);
  });

  it("counts an ending that has its reason, and allows no event after it", () => {
    bind(token(-1));
    ending("expired");
    assertEquals([violations, ledger.counts.expired, ledger.bound], [[], 1, []]);
    events([5]);
    assertEquals(violations.length, 1);
  });
});
