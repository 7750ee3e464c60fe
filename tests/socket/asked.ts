import type { ContentLevel } from "@fhir-ws/binding";
import { assertNotification, typeOf } from "../conformance/notification_checks.ts";
import type { ServerFrame } from "./server_frame.ts";
import type { SubscriptionWish } from "./subscriptions.ts";

/** Sees that a text notification of R4 passes what Inferno looks at, by one of the wishes that it may come from. */
export function assertAsked(
  frame: ServerFrame,
  wishes: ReadonlyMap<string, readonly SubscriptionWish[]>,
  defaultContent: ContentLevel = "empty",
): void {
  if (frame.kind !== "notification" || frame.bundle.entry[0]?.resource?.resourceType !== "Parameters") return;
  const { subscription: id, text } = frame;
  const type = typeOf(frame.type);
  let failure: unknown;
  for (const { content: level = defaultContent, heartbeatPeriod, topic } of wishes.get(id) ?? []) {
    try {
      return assertNotification(text, {
        ...{ id, type, level },
        heartbeats: heartbeatPeriod !== undefined,
        search: topic === null,
      });
    } catch (error) {
      failure = error;
    }
  }
  if (failure !== undefined) throw failure;
}
