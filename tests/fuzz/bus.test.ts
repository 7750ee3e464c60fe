// Bus messages: on a channel of a database anybody may write anything.

import type { BusMessage, Json } from "@fhir-ws/binding";
import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import fc from "fast-check";
import { describe, it } from "node:test";
import { isMessage, packMessages, readMessages } from "../../adapters/bus/message.ts";
import { anyText, damaged, garbled, runs } from "./any.ts";

const anyEvent = fc.record({
  interaction: fc.constantFrom("create", "update", "delete"),
  focus: anyText,
  resource: fc.record({ resourceType: fc.constant("Patient"), text: anyText }),
}, { requiredKeys: ["interaction", "focus"] });
const anyMessage: fc.Arbitrary<BusMessage> = fc.oneof(
  fc.tuple(
    fc.array(fc.tuple(anyText, fc.nat()), { minLength: 1, maxLength: 9 }),
    fc.option(anyEvent, { nil: undefined }),
  )
    .map(([places, event]) => ({
      type: "event" as const,
      keys: places.map(([key]) => key),
      numbers: places.map(([, number]) => number),
      ...(event !== undefined && { event }),
    })),
  anyText.map((key) => ({ type: "changed" as const, key })),
  anyText.map((subject) => ({ type: "revoked" as const, subject })),
  fc.constant({ type: "resync" as const }),
);
const anyMessages = fc.array(anyMessage, { maxLength: 6 });

/** What a reader must learn of in any case; `resync` makes it look at everything. */
function placesOf(messages: readonly BusMessage[]): string[] {
  return messages.flatMap((message) =>
    message.type === "event"
      ? message.keys.map((key, n) => JSON.stringify([key, message.numbers[n]]))
      : message.type === "resync"
      ? []
      : [JSON.stringify(message)]
  );
}

describe("readMessages", () => {
  it("reads nothing but messages, whatever the text", () => {
    const text = fc.oneof(
      damaged(anyMessages.map((messages): Json => JSON.parse(JSON.stringify(messages)))).map((value) =>
        JSON.stringify(value)
      ),
      garbled(anyMessages.map((messages) => JSON.stringify(messages))),
      anyText,
    );
    let read = 0;
    fc.assert(
      fc.property(text, (text) => {
        const messages = readMessages(text);
        read += messages.length;
        for (const message of messages) {
          assert(["event", "changed", "revoked", "resync"].includes(message.type));
          if (message.type === "event") {
            assertEquals(message.keys.length, message.numbers.length);
            assert(message.numbers.every(Number.isSafeInteger));
          } else if (message.type === "changed") assertEquals(typeof message.key, "string");
          else if (message.type === "revoked") assertEquals(typeof message.subject, "string");
        }
      }),
      runs(1000),
    );
    assert(read > 500, `${read} messages prove too little`);
  });

  it("gives back what packMessages has written, in its order, or a resync in its place", () => {
    fc.assert(
      fc.property(anyMessages, fc.integer({ min: 40, max: 600 }), (messages, maxSize) => {
        const packs = packMessages(messages, maxSize);
        for (const pack of packs) assertLessOrEqual(new TextEncoder().encode(pack).length, maxSize);
        const found = packs.flatMap(readMessages);
        assert(found.every(isMessage));
        const [sent, come] = [placesOf(messages), placesOf(found)];
        const isWhole = !found.some(({ type }) => type === "resync");
        if (isWhole) assertEquals(come, sent);
        // Those that came are in the order of those that were sent.
        let at = 0;
        for (const place of come) {
          at = sent.indexOf(place, at) + 1;
          assert(at > 0, `${place} was not sent, or not then`);
        }
        const resyncs = (list: readonly BusMessage[]): number => list.filter(({ type }) => type === "resync").length;
        assert(come.length === sent.length || resyncs(found) > resyncs(messages), "what is left out is made up for");
      }),
      runs(1000),
    );
  });
});
