import type { ContentLevel, FhirSubscription, FhirVersion } from "@fhir-ws/binding";

export const FHIR_VERSIONS: readonly FhirVersion[] = ["R4", "R4B", "R5"];
export const TOPIC = "http://example.org/SubscriptionTopic/admission";

const BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/";

/** What a Subscription says, in whatever way its version says it. */
export interface SubscriptionWish {
  /** Default `active`. */
  readonly status?: string;
  /** FHIR instant. */
  readonly end?: string;
  readonly content?: ContentLevel;
  /** Seconds. */
  readonly heartbeatPeriod?: number;
  readonly maxCount?: number;
  /** MIME type. */
  readonly payload?: string;
  /** Default `websocket`. */
  readonly channel?: string;
  /** Default `TOPIC`; `null` for a plain R4 search. */
  readonly topic?: string | null;
}

/** A Subscription as a client would have created it. */
export function makeSubscription(id: string, version: FhirVersion, wish: SubscriptionWish = {}): FhirSubscription {
  const { status = "active", end, channel = "websocket", topic = TOPIC } = wish;
  const subscription = {
    resourceType: "Subscription" as const,
    id,
    status,
    ...(end !== undefined && { end }),
    ...(version === "R5" ? makeR5(wish, channel, topic) : makeR4(wish, channel, topic)),
  };
  return subscription;
}

function makeR5({ content, heartbeatPeriod, maxCount, payload }: SubscriptionWish, code: string, topic: string | null) {
  return {
    channelType: { system: "http://terminology.hl7.org/CodeSystem/subscription-channel-type", code },
    ...(topic !== null && { topic }),
    ...(content !== undefined && { content }),
    ...(heartbeatPeriod !== undefined && { heartbeatPeriod }),
    ...(maxCount !== undefined && { maxCount }),
    ...(payload !== undefined && { contentType: payload }),
  };
}

function makeR4({ content, heartbeatPeriod, maxCount, payload }: SubscriptionWish, type: string, topic: string | null) {
  const extension = [
    ...(heartbeatPeriod === undefined
      ? []
      : [{ url: `${BACKPORT}backport-heartbeat-period`, valueUnsignedInt: heartbeatPeriod }]),
    ...(maxCount === undefined ? [] : [{ url: `${BACKPORT}backport-max-count`, valuePositiveInt: maxCount }]),
  ];
  return {
    criteria: topic ?? "Encounter?status=in-progress",
    reason: "test",
    channel: {
      type,
      ...(extension.length > 0 && { extension }),
      ...(payload !== undefined && { payload }),
      ...(content !== undefined && {
        _payload: { extension: [{ url: `${BACKPORT}backport-payload-content`, valueCode: content }] },
      }),
    },
  };
}
