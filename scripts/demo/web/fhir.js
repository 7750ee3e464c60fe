// The resources that the page writes, in the words of each FHIR version.

/** @import { Followed, Json, Version, Wish } from "./types.ts" */

import { get, list } from "./json.js";

const EXTENSIONS = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/";
const CHANNEL_TYPES = "http://terminology.hl7.org/CodeSystem/subscription-channel-type";
const CLASSES = "http://terminology.hl7.org/CodeSystem/v3-ActCode";

/**
 * The canonical of the demo's topic for a resource type.
 *
 * @param {string} type
 * @returns {string}
 */
export function topicOf(type) {
  return `http://example.org/SubscriptionTopic/${type}`;
}

/**
 * A Subscription: https://hl7.org/fhir/R5/subscription.html, or in R4 and R4B
 * https://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition-backport-subscription.html
 *
 * @param {Wish} wish
 * @returns {Json}
 */
export function subscription(wish) {
  const common = { resourceType: "Subscription", status: "requested", reason: "To see it on the demo's page" };
  return { ...common, ...(wish.version === "R5" ? inR5(wish) : inR4(wish)) };
}

/** @param {Wish} wish */
function inR5({ type, content, heartbeat, maxCount }) {
  return {
    topic: topicOf(type),
    channelType: { system: CHANNEL_TYPES, code: "websocket" },
    content,
    contentType: "application/fhir+json",
    ...(heartbeat !== undefined && { heartbeatPeriod: heartbeat }),
    ...(maxCount !== undefined && { maxCount }),
  };
}

/** @param {Wish} wish */
function inR4({ by, type, criteria, content, heartbeat, maxCount }) {
  const extension = [
    ...(heartbeat === undefined ? [] : [backport("heartbeat-period", { valueUnsignedInt: heartbeat })]),
    ...(maxCount === undefined ? [] : [backport("max-count", { valuePositiveInt: maxCount })]),
  ];
  return {
    criteria: by === "criteria" ? criteria : topicOf(type),
    channel: {
      ...(extension.length > 0 && { extension }),
      type: "websocket",
      payload: "application/fhir+json",
      _payload: { extension: [backport("payload-content", { valueCode: content })] },
    },
  };
}

/**
 * @param {string} name
 * @param {Json} value
 */
function backport(name, value) {
  return { url: `${EXTENSIONS}backport-${name}`, ...value };
}

/**
 * What the page shows of a Subscription.
 *
 * @param {Json} resource
 * @returns {Followed}
 */
export function readSubscription(resource) {
  const end = Date.parse(String(resource.end));
  const payload = list(get(get(get(resource, "channel"), "_payload"), "extension"))[0];
  const wants = String(resource.topic ?? resource.criteria ?? "?");
  return {
    id: String(resource.id),
    wants: wants.replace(topicOf(""), "Topic "),
    content: String(resource.content ?? get(payload, "valueCode") ?? "full-resource"),
    since: Date.now(),
    endsAt: Number.isNaN(end) ? undefined : end,
    bound: false,
    events: 0,
  };
}

/** @type {Readonly<Record<string, (version: Version, turn: number) => Json>>} */
const EXAMPLES = {
  Patient: (_version, turn) => ({
    active: turn % 2 === 0,
    name: [{ family: "Chalmers", given: ["Peter", "James"].slice(turn % 2) }],
  }),
  Observation: (_version, turn) => ({
    status: turn === 0 ? "preliminary" : "amended",
    code: { text: "Heart rate" },
    valueQuantity: { value: 60 + turn, unit: "/min" },
  }),
  Encounter: (version, turn) => {
    const ambulatory = { system: CLASSES, code: "AMB" };
    return {
      status: turn % 2 === 0 ? "planned" : "in-progress",
      class: version === "R5" ? [{ coding: [ambulatory] }] : ambulatory,
    };
  },
};

/**
 * A resource to write; each turn gives it other values.
 *
 * @param {string} type
 * @param {Version} version
 * @param {number} turn
 * @returns {Json}
 */
export function example(type, version, turn) {
  return { resourceType: type, ...EXAMPLES[type]?.(version, turn) };
}
