// The writing side of notifications.

import { instant, member, text } from "../fhir/json.ts";
import { askHost } from "../host.ts";
import { checkBase } from "../setup.ts";
import type {
  BusMessage,
  NotificationEvent,
  Notifier,
  NotifierOptions,
  RevokingNotifier,
  TokenStore,
} from "../types.ts";
import { ANY_REVOCATION, revocationSubject, subscriptionKey, subscriptionKeys, subscriptionSubject } from "./key.ts";

/**
 * Makes what tells bindings, in this process and in others, of events and changes. It holds nothing itself: any process
 * may have one for each base.
 *
 * With a `tokenStore`, the one that the signer has, it can also revoke.
 *
 * @throws {TypeError} when `base` is not an absolute http URL without a slash at its end. `notify` throws it for an event
 * of which no notification could be made: its `focus`, `interaction`, `timestamp` or `additionalContext` is none.
 *
 * @example
 * ```ts
 * import { createNotifier } from "@fhir-ws/binding";
 * import { createMemoryBus, createMemoryEventLog } from "@fhir-ws/binding/storage/memory";
 *
 * const notifier = createNotifier({
 *   base: "https://example.org/fhir/R5",
 *   events: createMemoryEventLog(),
 *   bus: createMemoryBus(),
 * });
 * const [number] = await notifier.notify(["s1"], { interaction: "create", focus: "Patient/p1" });
 * if (number !== 1) throw new Error("unreachable");
 * ```
 */
export function createNotifier(options: NotifierOptions & { readonly tokenStore: TokenStore }): RevokingNotifier;
/** Without a token store: it cannot revoke. */
export function createNotifier(options: NotifierOptions): Notifier;
export function createNotifier(options: NotifierOptions): Notifier | RevokingNotifier {
  const { base, events, bus, tokenStore } = options;
  checkBase(base);

  /** What the log and the stores have taken stands, bus or no bus, unless both are part of a transaction. */
  async function hint(message: BusMessage): Promise<void> {
    try {
      await askHost(options, "bus", () => bus.publish(message));
    } catch (error) {
      if (bus.isTransactional) throw error; // a COMMIT would roll back, and not say so
      return; // the host has been told the cause, and binders find what stands within `reconcile`
    }
  }

  /** The subject first: who sees the count move must find what moved it. */
  async function revokeSubject(subject: string, store: TokenStore): Promise<void> {
    await store.revoke(subject);
    await store.revoke(ANY_REVOCATION);
  }

  const notifier: Notifier = {
    async notify(subscriptions, event, tenant) {
      checkEvent(event);
      const ids = [...new Set(subscriptions)];
      if (ids.length === 0) return [];
      const keys = subscriptionKeys(base, tenant, ids);
      const timed = { ...event, timestamp: event.timestamp ?? new Date().toISOString() };
      const numbers = await events.append(keys, timed);
      await hint({ type: "event", keys, numbers, event: timed });
      if (ids.length === subscriptions.length) return numbers;
      const numberOf = new Map(ids.map((id, n) => [id, numbers[n] ?? 0]));
      return subscriptions.map((id) => numberOf.get(id) ?? 0);
    },
    async changed(subscription, tenant) {
      await bus.publish({ type: "changed", key: subscriptionKey(base, tenant, subscription) });
    },
    async deleted(subscription, tenant) {
      const key = subscriptionKey(base, tenant, subscription);
      if (tokenStore !== undefined) await revokeSubject(subscriptionSubject(base, tenant, subscription), tokenStore);
      await events.drop(key);
      await hint({ type: "changed", key });
    },
  };
  if (tokenStore === undefined) return notifier;
  return {
    ...notifier,
    async revoke(what) {
      const subject = revocationSubject(base, what);
      await revokeSubject(subject, tokenStore);
      await hint({ type: "revoked", subject });
    },
  };
}

/** @throws {TypeError} for what no Bundle could be made of later. */
function checkEvent({ focus, interaction, timestamp, additionalContext }: NotificationEvent): void {
  if (typeof focus !== "string" || !/^[A-Za-z]+\/[A-Za-z0-9\-.]{1,64}$/.test(focus)) {
    throw new TypeError(`Cannot notify: focus is not a relative reference such as "Patient/p1"`);
  }
  if (!["create", "update", "delete"].includes(interaction)) {
    throw new TypeError(`Cannot notify: interaction "${interaction}" is not known`);
  }
  if (timestamp !== undefined && Number.isNaN(instant(timestamp))) {
    throw new TypeError("Cannot notify: timestamp is not a FHIR instant");
  }
  if (additionalContext !== undefined && !isContext(additionalContext)) {
    throw new TypeError("Cannot notify: additionalContext is not a list of references");
  }
}

function isContext(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => text(member(one, "reference")) !== undefined);
}
