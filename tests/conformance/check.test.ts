import { test } from "node:test";
import { checkSubscription, type FhirResource, type FhirVersion } from "@fhir-ws/binding";
import { assertEquals, assertMatch } from "@std/assert";
import { FHIR_VERSIONS, MIME_VERSION, websocketSubscription } from "../operation/fake_host.ts";

const BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-";
const CHANNELS = "http://terminology.hl7.org/CodeSystem/subscription-channel-type";

/** What a Subscription says of its channel, in the words of each version. */
interface Wishes {
  readonly channel?: string;
  /** R4: the extension that overrides the channel; R5: the coding itself. */
  readonly coding?: object;
  readonly mime?: unknown;
  readonly content?: unknown;
  readonly end?: unknown;
}

function wish(version: FhirVersion, { channel = "websocket", coding, mime, content, end }: Wishes): FhirResource {
  const more = end === undefined ? {} : { end };
  if (version === "R5") {
    return websocketSubscription("s1", version, {
      channelType: coding ?? { code: channel },
      ...(mime !== undefined && { contentType: mime }),
      ...(content !== undefined && { content }),
      ...more,
    });
  }
  const type = coding && { extension: [{ url: `${BACKPORT}channel-type`, valueCoding: coding }] };
  const level = content !== undefined && { extension: [{ url: `${BACKPORT}payload-content`, valueCode: content }] };
  return websocketSubscription("s1", version, {
    channel: {
      type: channel,
      ...(type && { _type: type }),
      ...(mime !== undefined && { payload: mime }),
      ...(level && { _payload: level }),
    },
    ...more,
  });
}

const R4_ELEMENTS = {
  channel: "Subscription.channel.type",
  mime: "Subscription.channel.payload",
  content: "Subscription.channel.payload.extension",
  end: "Subscription.end",
};
const ELEMENTS = {
  R4: R4_ELEMENTS,
  R4B: R4_ELEMENTS,
  R5: {
    channel: "Subscription.channelType",
    mime: "Subscription.contentType",
    content: "Subscription.content",
    end: "Subscription.end",
  },
};

/** What is wrong with each, and whether it is on a websocket. */
type Row = readonly [what: string, wishes: Wishes, wrong: readonly (keyof typeof R4_ELEMENTS)[], websocket?: false];

function rowsOf(version: FhirVersion): readonly Row[] {
  const other = version === "R5" ? "R4" : "R5";
  const json = "application/fhir+json";
  return [
    ["a plain one", {}, []],
    ["an official coding", { coding: { system: CHANNELS, code: "websocket" } }, []],
    ...["empty", "id-only", "full-resource"].map((content): Row => [`the level ${content}`, { content }, []]),
    ["JSON of its version", { mime: `${json};fhirVersion=${MIME_VERSION[version]}` }, []],
    ["an end", { end: "2031-01-01T00:00:00Z" }, []],
    ["an end in the past", { end: "2001-01-01T00:00:00Z" }, []],
    ["a rest-hook", { channel: "rest-hook" }, ["channel"], false],
    ["a channel of a code system of its own", { coding: { system: "urn:x", code: "websocket" } }, ["channel"], false],
    ["an unheard-of channel", { coding: { system: CHANNELS, code: "pigeon" } }, ["channel"], false],
    ["XML", { mime: "application/fhir+xml" }, ["mime"]],
    ["text", { mime: "text/plain" }, ["mime"]],
    ["a payload that is no text", { mime: 7 }, ["mime"]],
    ["JSON of another version", { mime: `${json}; fhirVersion=${MIME_VERSION[other]}` }, ["mime"]],
    ["an unknown level", { content: "half" }, ["content"]],
    ["a level that is no text", { content: 7 }, ["content"]],
    ["an end without a time", { end: "2031-01-01" }, ["end"]],
    ["everything wrong", { mime: "text/xml", content: "half", end: "soon" }, ["mime", "content", "end"]],
    ["a rest-hook with XML", { channel: "rest-hook", mime: "text/xml" }, ["channel"], false],
  ];
}

for (const version of FHIR_VERSIONS) {
  for (const [what, wishes, wrong, websocket = true] of rowsOf(version)) {
    test(`checkSubscription finds ${wrong.join(", ") || "nothing"} wrong with ${what} in ${version}`, () => {
      const check = checkSubscription(wish(version, wishes), version);
      assertEquals(check.issues.map(({ expression }) => expression), wrong.map((one) => ELEMENTS[version][one]));
      for (const { code, text } of check.issues) {
        assertEquals(code, "not-eligible");
        assertMatch(text ?? "", /^Cannot serve the Subscription: its /);
      }
      assertEquals([check.websocket, check.status], [websocket, "active"]);
    });
  }
}

test("checkSubscription takes the extension's channel before the type's", () => {
  const coding = { system: CHANNELS, code: "websocket" };
  assertEquals(checkSubscription(wish("R4", { channel: "message", coding }), "R4").websocket, true);
  assertEquals(checkSubscription(wish("R4", { coding: { system: "urn:x", code: "zulip" } }), "R4").websocket, false);
});

test("checkSubscription tells the status and the end in whole seconds", () => {
  const sent = websocketSubscription("s1", "R4", { status: "off", end: "2001-09-09T01:46:40.999Z" });
  const { status, endsAt } = checkSubscription(sent, "R4");
  assertEquals([status, endsAt], ["off", 1_000_000_000]);
  const { channel: _, ...bare } = { ...websocketSubscription("s1"), status: 7, channel: 7 };
  assertEquals(checkSubscription(bare, "R5").status, "unknown");
  assertEquals("endsAt" in checkSubscription(bare, "R5"), false);
});

test("checkSubscription survives whatever is no Subscription", () => {
  for (const version of FHIR_VERSIONS) {
    for (
      const junk of [{ resourceType: "Patient" }, { resourceType: "Subscription", channel: null, channelType: [] }]
    ) {
      assertEquals(checkSubscription(junk, version).websocket, false);
    }
  }
});
