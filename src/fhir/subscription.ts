// What a Subscription says that matters here, read once from any FHIR version.

import type { ContentLevel, FhirSubscription, FhirVersion } from "../types.ts";
import { instant, items, member, positiveInteger, text } from "./json.ts";
import { isFhirJson } from "./media_type.ts";
import { backport } from "./version.ts";

/** The facts of a Subscription. */
export interface SubscriptionFacts {
  readonly websocket: boolean;
  readonly status: string;
  /** Whole seconds since the epoch, rounded down. */
  readonly endsAt: number | undefined;
  /** Canonical of the topic; a plain R4 Subscription has a search instead. */
  readonly topic: string | undefined;
  readonly content: ContentLevel | undefined;
  /** Seconds. */
  readonly heartbeatPeriod: number | undefined;
  /** Events per notification. */
  readonly maxCount: number | undefined;
  /** What no change of status or time would mend: `its channel is not websocket`. */
  readonly problem: string | undefined;
}

/** Where each version keeps what; unknown values stay unread. */
interface Channel {
  readonly websocket: boolean;
  readonly topic: unknown;
  readonly content: unknown;
  readonly mime: unknown;
  readonly heartbeatPeriod: unknown;
  readonly maxCount: unknown;
}

const CHANNEL_TYPES = "http://terminology.hl7.org/CodeSystem/subscription-channel-type";
const STATUSES = new Set(["requested", "active", "error"]);

/** The content levels, from the lowest to the highest. */
export const LEVELS: readonly ContentLevel[] = ["empty", "id-only", "full-resource"];

/** Reads a Subscription; what is missing or malformed is left out or named in `problem`. */
export function readSubscription(subscription: FhirSubscription, version: FhirVersion): SubscriptionFacts {
  const channel = readChannel(subscription, version);
  const { websocket, topic, content, heartbeatPeriod, maxCount } = channel;
  const endsAt = readEnd(subscription);
  return {
    websocket,
    status: text(member(subscription, "status")) ?? "unknown",
    endsAt,
    topic: text(topic),
    content: isLevel(content) ? content : undefined,
    heartbeatPeriod: positiveInteger(heartbeatPeriod),
    maxCount: positiveInteger(maxCount),
    problem: findProblem(channel, endsAt, version),
  };
}

/** Why nobody may bind to it at this moment (milliseconds), or `undefined`. */
export function whyNotEligible(facts: SubscriptionFacts, now: number): string | undefined {
  if (facts.problem !== undefined) return facts.problem;
  if (!STATUSES.has(facts.status)) return `its status is "${facts.status}"`;
  if (facts.endsAt !== undefined && facts.endsAt * 1000 <= now) return "it has ended";
  return undefined;
}

function readChannel(subscription: FhirSubscription, version: FhirVersion): Channel {
  return version === "R5" ? readR5(subscription) : readR4(subscription);
}

/** NaN when it is no instant. */
function readEnd(subscription: FhirSubscription): number | undefined {
  const end = member(subscription, "end");
  return end === undefined ? undefined : Math.floor(instant(end) / 1000);
}

// https://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition-backport-subscription.html
function readR4(subscription: FhirSubscription): Channel {
  const channel = member(subscription, "channel");
  const custom = extension(member(channel, "_type"), "backport-channel-type", "valueCoding");
  const criteria = text(member(subscription, "criteria"));
  return {
    websocket: custom === undefined ? member(channel, "type") === "websocket" : isWebsocketCoding(custom),
    topic: criteria !== undefined && /^[a-z][a-z0-9+.-]*:/i.test(criteria) ? criteria : undefined,
    content: extension(member(channel, "_payload"), "backport-payload-content", "valueCode"),
    mime: member(channel, "payload"),
    heartbeatPeriod: extension(channel, "backport-heartbeat-period", "valueUnsignedInt"),
    maxCount: extension(channel, "backport-max-count", "valuePositiveInt"),
  };
}

// https://hl7.org/fhir/R5/subscription.html
function readR5(subscription: FhirSubscription): Channel {
  return {
    websocket: isWebsocketCoding(member(subscription, "channelType")),
    topic: member(subscription, "topic"),
    content: member(subscription, "content"),
    mime: member(subscription, "contentType"),
    heartbeatPeriod: member(subscription, "heartbeatPeriod"),
    maxCount: member(subscription, "maxCount"),
  };
}

function extension(element: unknown, name: string, value: string): unknown {
  const url = backport(name);
  return member(items(member(element, "extension")).find((one) => member(one, "url") === url), value);
}

/** The official R5 examples name no system. */
function isWebsocketCoding(coding: unknown): boolean {
  const system = member(coding, "system");
  return member(coding, "code") === "websocket" && (system === undefined || system === CHANNEL_TYPES);
}

/** Whether it is one of them. */
export function isLevel(content: unknown): content is ContentLevel {
  return LEVELS.some((level) => level === content);
}

/** What nobody could serve, and where it stands. */
export interface Problem {
  readonly applies: (channel: Channel, endsAt: number | undefined, version: FhirVersion) => boolean;
  readonly why: (version: FhirVersion) => string;
  /** FHIRPath in R4 and R4B, and in R5. */
  readonly element: readonly [r4: string, r5: string];
}

const PROBLEMS: readonly Problem[] = [
  {
    applies: ({ websocket }) => !websocket,
    why: () => "its channel is not websocket",
    element: ["Subscription.channel.type", "Subscription.channelType"],
  },
  {
    applies: ({ mime }, _, version) => mime !== undefined && !(typeof mime === "string" && isFhirJson(mime, version)),
    why: (version) => `its payload is not JSON of FHIR ${version}`,
    element: ["Subscription.channel.payload", "Subscription.contentType"],
  },
  {
    applies: ({ content }) => content !== undefined && !isLevel(content),
    why: () => "its content level is not known",
    element: ["Subscription.channel.payload.extension", "Subscription.content"],
  },
  {
    applies: (_, endsAt) => Number.isNaN(endsAt),
    why: () => "its end is not an instant",
    element: ["Subscription.end", "Subscription.end"],
  },
];

function findProblem(channel: Channel, endsAt: number | undefined, version: FhirVersion): string | undefined {
  return PROBLEMS.find(({ applies }) => applies(channel, endsAt, version))?.why(version);
}

/** All that no change of status or time would mend; what else is wrong on another channel is nobody's business here. */
export function findProblems(subscription: FhirSubscription, version: FhirVersion): readonly Problem[] {
  const channel = readChannel(subscription, version);
  const found = PROBLEMS.filter(({ applies }) => applies(channel, readEnd(subscription), version));
  return channel.websocket ? found : found.slice(0, 1);
}
