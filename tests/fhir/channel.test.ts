import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { websocketSubscription } from "../operation/fake_host.ts";
import { refusalOf } from "./refusal.ts";

const BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/";
const CHANNEL_TYPES = "http://terminology.hl7.org/CodeSystem/subscription-channel-type";

function customChannel(coding: unknown, type = "rest-hook"): object {
  return {
    channel: { type, _type: { extension: [{ url: `${BACKPORT}backport-channel-type`, valueCoding: coding }] } },
  };
}

const R4_CHANNELS: readonly (readonly [name: string, more: object, eligible: boolean])[] = [
  ["type websocket", { channel: { type: "websocket" } }, true],
  ["type websocket with endpoint and headers", {
    channel: { type: "websocket", endpoint: "https://example.org", header: ["X: y"] },
  }, true],
  ["type rest-hook", { channel: { type: "rest-hook" } }, false],
  ["type WebSocket", { channel: { type: "WebSocket" } }, false],
  ["no channel", { channel: undefined }, false],
  ["channel null", { channel: null }, false],
  ["a channel that is a text", { channel: "websocket" }, false],
  ["an array of channels", { channel: [{ type: "websocket" }] }, false],
  ["a type that is an array", { channel: { type: ["websocket"] } }, false],
  [
    "an inherited channel",
    { channel: undefined, ...JSON.parse('{"__proto__":{"channel":{"type":"websocket"}}}') },
    false,
  ],
  ["an R5 channelType", { channel: undefined, channelType: { code: "websocket" } }, false],
  ["a custom type websocket", customChannel({ system: CHANNEL_TYPES, code: "websocket" }), true],
  ["a custom type websocket without system", customChannel({ code: "websocket" }), true],
  [
    "a custom type websocket of another system",
    customChannel({ system: "http://example.org", code: "websocket" }),
    false,
  ],
  ["a custom type that overrides websocket", customChannel({ code: "carrier-pigeon" }, "websocket"), false],
  ["a custom type without a code", customChannel({ display: "websocket" }, "websocket"), false],
  ["a custom type that is nonsense", customChannel(7, "websocket"), false],
  ["another extension of the type", {
    channel: { type: "websocket", _type: { extension: [{ url: "http://example.org", valueCoding: { code: "x" } }] } },
  }, true],
  ["extensions that are nonsense", { channel: { type: "websocket", _type: { extension: [null, 7, "x", {}] } } }, true],
  ["an extension that is no array", { channel: { type: "websocket", _type: { extension: { url: "x" } } } }, true],
];
for (const version of ["R4", "R4B"] as const) {
  for (const [name, more, eligible] of R4_CHANNELS) {
    test(`handleGetWsBindingToken ${eligible ? "binds" : "refuses"} ${name} in ${version}`, async () => {
      const why = await refusalOf(websocketSubscription("s1", version, more), version);
      assertEquals(why, eligible ? undefined : "its channel is not websocket");
    });
  }
}

const R5_CHANNELS: readonly (readonly [name: string, channelType: unknown, eligible: boolean])[] = [
  ["system and code", { system: CHANNEL_TYPES, code: "websocket", display: "x" }, true],
  ["the code alone, as the official examples do", { code: "websocket" }, true],
  ["the code of another system", { system: "http://example.org", code: "websocket" }, false],
  ["an empty system", { system: "", code: "websocket" }, false],
  ["another code", { system: CHANNEL_TYPES, code: "rest-hook" }, false],
  ["a CodeableConcept", { coding: [{ system: CHANNEL_TYPES, code: "websocket" }] }, false],
  ["a text", "websocket", false],
  ["null", null, false],
  ["nothing", undefined, false],
];
for (const [name, channelType, eligible] of R5_CHANNELS) {
  test(`handleGetWsBindingToken ${eligible ? "binds" : "refuses"} a channelType of ${name} in R5`, async () => {
    const subscription = websocketSubscription("s1", "R5", { channelType, channel: { type: "websocket" } });
    assertEquals(await refusalOf(subscription, "R5"), eligible ? undefined : "its channel is not websocket");
  });
}
