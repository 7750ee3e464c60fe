import { createSocketBinder, type SocketBinderOptions, type SocketLimits } from "@fhir-ws/binding";
import { createMemoryBus, createMemoryEventLog } from "@fhir-ws/binding/storage/memory";
import { assertEquals, assertThrows } from "@std/assert";
import { describe, test } from "node:test";
import { WEBSOCKET_URL } from "./harness.ts";

const OPTIONS: SocketBinderOptions = {
  base: "https://example.org/fhir/R5",
  fhirVersion: "R5",
  websocketUrl: WEBSOCKET_URL,
  subscriptions: { read: () => undefined },
  tokens: { sign: () => "", verify: () => Promise.reject(new Error("never")) },
  events: createMemoryEventLog(),
  bus: createMemoryBus(),
};

const LIMITS: readonly (keyof SocketLimits)[] = [
  "bindDeadline",
  "drainDeadline",
  "frameSize",
  "sendBuffer",
  "sockets",
  "unboundSockets",
  "socketsPerCaller",
  "bindingsPerSocket",
  "refusedBinds",
  "framesPerSecond",
  "maxReplay",
];

describe("createSocketBinder throws", () => {
  for (const name of LIMITS) {
    test(`RangeError when limits.${name} is no positive integer`, () => {
      for (const value of [0, -1, 1.5, NaN, Infinity, 2 ** 53, "7", null]) {
        // Whoever writes JavaScript can give anything.
        const limits = { [name]: value } as Partial<SocketLimits>;
        assertThrows(() => createSocketBinder({ ...OPTIONS, limits }), RangeError, `limits.${name}`);
      }
    });
  }

  test("TypeError when there is no such limit", () => {
    const limits = { sokets: 7 } as Partial<SocketLimits>; // a typing error that no type checker saw
    assertThrows(() => createSocketBinder({ ...OPTIONS, limits }), TypeError, '"sokets"');
  });

  const contradictions: readonly (readonly [string, Partial<SocketBinderOptions>])[] = [
    ["unboundSockets is above sockets", { limits: { sockets: 10, unboundSockets: 11 } }],
    ["socketsPerCaller is above sockets", { limits: { sockets: 10, socketsPerCaller: 11 } }],
    ["frameSize is too little for a token", { limits: { frameSize: 16_384 } }],
    ["replay.last is above maxReplay", { replay: { last: 11 }, limits: { maxReplay: 10 } }],
  ];
  for (const [why, options] of contradictions) {
    test(`RangeError when limits contradict each other: ${why}`, () => {
      assertThrows(() => createSocketBinder({ ...OPTIONS, ...options }), RangeError, "Cannot use limits");
    });
  }

  test("nothing when a default would contradict what is asked for", () => {
    createSocketBinder({ ...OPTIONS, limits: { sockets: 5 } });
    createSocketBinder({ ...OPTIONS, limits: { sockets: 10, unboundSockets: 10, socketsPerCaller: 10 } });
    createSocketBinder({ ...OPTIONS, limits: { frameSize: 16_512 } });
    createSocketBinder({ ...OPTIONS, replay: { last: 10 }, limits: { maxReplay: 10 } });
    createSocketBinder({ ...OPTIONS, replay: { last: 5000 } });
  });

  const wrong: readonly (readonly [string, Partial<SocketBinderOptions>, typeof TypeError | typeof RangeError])[] = [
    ["base ends with a slash", { base: "https://example.org/fhir/" }, TypeError],
    ["base is relative", { base: "/fhir" }, TypeError],
    ["base holds credentials", { base: "https://user:secret@example.org/fhir" }, TypeError],
    ["websocketUrl is https", { websocketUrl: "https://example.org/ws" }, TypeError],
    ["websocketUrl has no TLS", { websocketUrl: "ws://example.org/ws" }, TypeError],
    ["websocketUrl has a fragment", { websocketUrl: "wss://example.org/ws#x" }, TypeError],
    ["fhirVersion is unknown", { fhirVersion: "R6" as "R5" }, TypeError], // as JavaScript may
    ["storeTimeout is 0", { storeTimeout: 0 }, RangeError],
    ["storeTimeout is too long for a timer", { storeTimeout: 2 ** 31 }, RangeError],
    ["recheck is 0", { recheck: 0 }, RangeError],
    ["reconcile is a fraction", { reconcile: 0.5 }, RangeError],
    ["replay.last is 0", { replay: { last: 0 } }, RangeError],
    ["legacy has no origins", { legacy: { authenticate: () => undefined } }, TypeError],
    [
      "legacy.lifetime is 0",
      { legacy: { authenticate: () => undefined, lifetime: 0 }, origins: ["https://example.org"] },
      RangeError,
    ],
  ];
  for (const [why, options, type] of wrong) {
    test(`${type.name} when ${why}`, () => {
      const error = assertThrows(() => createSocketBinder({ ...OPTIONS, ...options }), type);
      assertEquals(error.message.includes("secret"), false);
    });
  }

  test("nothing when a ws URL is loopback, or allowed", () => {
    for (const websocketUrl of ["ws://127.0.0.1:8103/ws", "ws://localhost/ws", "ws://[::1]:1/ws"]) {
      createSocketBinder({ ...OPTIONS, websocketUrl });
    }
    createSocketBinder({ ...OPTIONS, websocketUrl: "ws://example.org/ws", allowInsecure: true });
  });
});
