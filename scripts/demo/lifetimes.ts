// How long websocket Subscriptions live: until their end, or an hour after somebody was last bound.

import type { DatabaseSync } from "node:sqlite";
import { type BindingEvent, checkSubscription, type FhirVersion, type SubscriptionCheck } from "@fhir-ws/binding";
import { transaction } from "./database.ts";
import { readWatch } from "./matching.ts";
import type { IdentifiedResource, ResourceStore } from "./resources.ts";
import type { WatchRow, WatchTable } from "./watches.ts";

/** Milliseconds that a Subscription without an end may lie unbound. */
const IDLE = 3_600_000;
const LIVE: ReadonlySet<string> = new Set(["requested", "active", "error"]);

/** Keeps the table of watches in step with the resources and the time. */
export interface Lifetimes {
  /** To be called in the transaction that stores a Subscription. */
  track(subscription: IdentifiedResource, owner: string): void;
  /** To be called in the transaction that deletes one. */
  forget(id: string): void;
  /** A new version with another status; nothing where it has this status, or is on no websocket. */
  setStatus(id: string, status: "active" | "off"): void;
  /** Turns off what has had its time. Nothing here runs by itself: to be called before anything is read. */
  settle(): void;
  /** Learns from the binder who is bound. */
  onEvent(event: BindingEvent): void;
}

/** Begins with nobody bound. `now` is in milliseconds. */
export function createLifetimes(
  { db, version, resources, watches, now }: {
    readonly db: DatabaseSync;
    readonly version: FhirVersion;
    readonly resources: ResourceStore;
    readonly watches: WatchTable;
    readonly now: () => number;
  },
): Lifetimes {
  const bound = new Set<string>();
  // Whoever was bound when the process ended is so no more.
  watches.postponeAll(now() + IDLE);

  function track(subscription: IdentifiedResource, owner: string): void {
    const { id } = subscription;
    const { websocket, status, endsAt } = checkSubscription(subscription, version);
    if (!websocket) return watches.remove(id);
    const live = isLive({ status });
    const idleAt = bound.has(id) ? undefined : idleDue(watches.get(id)) ?? now() + IDLE;
    const dueAt = endsAt === undefined ? idleAt : endsAt * 1000;
    watches.put({
      id,
      owner,
      status: live ? status : "off",
      watch: readWatch(subscription, version),
      ends: endsAt !== undefined,
      dueAt: live ? dueAt : undefined,
    });
  }

  function setStatus(id: string, status: "active" | "off"): void {
    const { owner, status: before } = watches.get(id) ?? {};
    const found = owner === undefined ? undefined : resources.read("Subscription", id, owner);
    if (owner === undefined || found === undefined || before === status) return;
    track(resources.write({ ...found.resource, status }, owner).resource, owner);
  }

  return {
    track,
    setStatus,
    forget(id) {
      watches.remove(id);
      bound.delete(id);
    },
    settle() {
      const due = watches.due(now());
      if (due.length > 0) transaction(db, () => due.forEach((id) => setStatus(id, "off")));
    },
    onEvent(event) {
      if (event.type === "bound" && !bound.has(event.subscription)) {
        bound.add(event.subscription);
        watches.postpone(event.subscription, undefined);
      } else if (event.type === "ended" && event.lastOfSubscription && bound.delete(event.subscription)) {
        watches.postpone(event.subscription, now() + IDLE);
      }
    },
  };
}

/** Whether it is to be ended when its time has come. */
export function isLive({ status }: Pick<SubscriptionCheck, "status">): boolean {
  return LIVE.has(status);
}

/** An update does not give an unbound Subscription more time; bringing it back to life does. */
function idleDue(before: WatchRow | undefined): number | undefined {
  return before?.ends === false && isLive(before) ? before.dueAt : undefined;
}
