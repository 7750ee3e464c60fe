// The Subscriptions of a base: which are accepted, what the library sees of them, which wait for a resource.

import type { DatabaseSync } from "node:sqlite";
import {
  checkSubscription,
  type FhirSubscription,
  type FhirVersion,
  type SubscriptionCheck,
  type SubscriptionLookup,
} from "@fhir-ws/binding";
import { transaction } from "./database.ts";
import { createLifetimes, isLive, type Lifetimes } from "./lifetimes.ts";
import { matches } from "./matching.ts";
import { Refusal } from "./outcome.ts";
import type { IdentifiedResource, Resource, ResourceStore } from "./resources.ts";
import { createWatchTable } from "./watches.ts";

/** Active Subscriptions of one user on one base. */
const MOST_ACTIVE = 100;

/** Those on other channels than websocket are resources like any other. */
export interface Subscriptions extends Omit<Lifetimes, "setStatus"> {
  /** What the library asks: by itself it lists those on websockets that are alive. */
  readonly lookup: Required<SubscriptionLookup>;
  /** The same, but it lists those of every channel and status. */
  readonly everything: Required<SubscriptionLookup>;
  /**
   * A Subscription as it is to be stored: one that waits for its activation has it.
   *
   * @throws {Refusal} 422 for one that could not be served, or is one too many.
   */
  admit(subscription: IdentifiedResource, owner: string): IdentifiedResource;
  /** Ids of the Subscriptions of this owner that wait for such a resource. */
  matching(resource: Resource, owner: string): readonly string[];
}

/** Looks after the Subscriptions among the resources. `now` is in milliseconds. */
export function createSubscriptions(
  db: DatabaseSync,
  version: FhirVersion,
  resources: ResourceStore,
  now: () => number,
): Subscriptions {
  const watches = createWatchTable(db, version);
  const { setStatus, ...lifetimes } = createLifetimes({ db, version, resources, watches, now });

  function read(id: string, owner: string): FhirSubscription | undefined {
    return resources.read("Subscription", id, owner)?.resource as FhirSubscription | undefined; // as its type says
  }

  const lookup: Required<SubscriptionLookup> = {
    read(id, caller) {
      lifetimes.settle();
      return read(id, caller.id);
    },
    list(caller, limit) {
      lifetimes.settle();
      return watches.live(caller.id, limit).flatMap((id) => read(id, caller.id) ?? []);
    },
    activate: (id) => transaction(db, () => setStatus(id, "active")),
  };

  return {
    ...lifetimes,
    lookup,
    everything: {
      ...lookup,
      list(caller, limit) {
        lifetimes.settle();
        return resources.ids("Subscription", caller.id, limit).flatMap((id) => read(id, caller.id) ?? []);
      },
    },
    admit(subscription, owner) {
      const check = checkSubscription(subscription, version);
      const status = check.websocket ? initialStatus(check, now()) : undefined;
      if (status === "active" && watches.countActive(owner, subscription.id) >= MOST_ACTIVE) {
        const text = `Cannot keep the Subscription: there are ${MOST_ACTIVE} active ones already`;
        throw new Refusal(422, "too-costly", text);
      }
      return status === undefined ? subscription : { ...subscription, status };
    },
    matching(resource, owner) {
      lifetimes.settle();
      return watches.waiting(owner, resource.resourceType)
        .filter(({ watch }) => watch !== undefined && matches(watch, resource))
        .map(({ id }) => id);
    },
  };
}

/**
 * The status that a websocket Subscription begins with where it is not the one that was sent.
 *
 * @throws {Refusal} 422 for one that could not be served.
 */
function initialStatus(check: SubscriptionCheck, now: number): "active" | "off" | undefined {
  const { status, endsAt, issues: [issue] } = check;
  if (issue !== undefined) throw new Refusal(422, "business-rule", issue.text ?? "Cannot serve the Subscription");
  if (isLive(check) && endsAt !== undefined && endsAt * 1000 <= now) return "off";
  return status === "requested" || status === "active" ? "active" : undefined;
}
