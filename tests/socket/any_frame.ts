// Frames that nobody would write.

import fc from "fast-check";

/** Any sequence of UTF-16 code units, halves of pairs included. */
const anyText = fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 60 })
  .map((units) => String.fromCharCode(...units));

const verbs = fc.constantFrom(
  "bind-with-token",
  "bind-with-token:",
  "unbind-from-token",
  "bind",
  "unbind",
  "ping",
  "{",
);
const nearlyText = fc.tuple(verbs, fc.constantFrom(" ", "\t", "  ", ":", "", "\n", "\u00a0"), anyText)
  .map((parts) => parts.join(""));
const types = fc.oneof(
  fc.constantFrom("bind-with-token", "unbind-from-token", "ping", "pong", "__proto__"),
  fc.jsonValue(),
);
const nearlyJson = fc.record({
  type: types,
  payload: fc.oneof(
    fc.record({ token: fc.oneof(fc.string(), fc.jsonValue()), eventsSinceNumber: fc.jsonValue() }, {
      requiredKeys: [],
    }),
    fc.jsonValue(),
  ),
}, { requiredKeys: [] }).map((frame) => JSON.stringify(frame));
/** Nonsense, and what is nearly a frame. */
export const anyFrame = fc.oneof(anyText, fc.string(), nearlyText, nearlyJson, fc.json());
