// A host that is asked about Subscriptions and their events.

import {
  createNotifier,
  type EventLog,
  handleSubscriptionEvents,
  handleSubscriptionStatus,
  type NotificationEvent,
  type SubscriptionEventsContext,
  type SubscriptionStatusContext,
} from "@fhir-ws/binding";
import { createMemoryBus, createMemoryEventLog } from "@fhir-ws/binding/storage/memory";
import { assert, assertEquals } from "@std/assert";
import { producedBy } from "../tools/produced.ts";
import { type FakeHost, type HostOptions, makeHost } from "./fake_host.ts";

export type AskedOptions =
  & HostOptions
  & Partial<Omit<SubscriptionEventsContext & SubscriptionStatusContext, "events">>
  & {
    readonly events?: EventLog;
  };

export interface AskedHost extends FakeHost {
  readonly ctx: FakeHost["ctx"] & SubscriptionEventsContext & SubscriptionStatusContext;
  /** Something has happened to `Patient/p1`, `Patient/p2`, … */
  happen(id: string, times: number, more?: Partial<NotificationEvent>): Promise<void>;
}

export function makeAskedHost({ events = createMemoryEventLog(), ...options }: AskedOptions = {}): AskedHost {
  const host = makeHost(options);
  const notifier = createNotifier({ base: host.ctx.base, events, bus: createMemoryBus() });
  return {
    ...host,
    ctx: { ...host.ctx, events },
    async happen(id, times, more = {}) {
      for (let n = 1; n <= times; n++) {
        const resource = { resourceType: "Patient", id: `p${n}` };
        await notifier.notify([id], { interaction: "update", focus: `Patient/p${n}`, resource, ...more });
      }
    },
  };
}

export async function askStatus(
  { ctx }: Pick<AskedHost, "ctx">,
  target: string,
  init?: RequestInit,
): Promise<Response> {
  return await producedBy(await handleSubscriptionStatus(new Request(`${ctx.base}/${target}`, init), ctx));
}

export async function askEvents(
  { ctx }: Pick<AskedHost, "ctx">,
  target: string,
  init?: RequestInit,
): Promise<Response> {
  return await producedBy(await handleSubscriptionEvents(new Request(`${ctx.base}/${target}`, init), ctx));
}

/** What a status says, in whatever shape. */
export interface Told {
  readonly subscription: string;
  readonly type: string;
  readonly status: string;
  readonly head: string;
  readonly topic: string | undefined;
  readonly error: string | undefined;
  readonly events: readonly { readonly number: string; readonly focus: string | undefined }[];
}

/** An answer, taken apart. */
export interface ToldBundle {
  readonly type: string;
  readonly total: number | undefined;
  readonly link: readonly { readonly relation: string; readonly url: string }[];
  readonly statuses: readonly Told[];
  /** The entries that are no status. */
  readonly others: readonly Entry[];
}

interface Entry {
  readonly fullUrl: string;
  readonly resource?: Resource;
  readonly request?: { readonly method: string; readonly url: string };
  readonly response?: { readonly status: string };
  readonly search?: { readonly mode: string };
}

interface Reference {
  readonly reference: string;
}

interface Parameter {
  readonly name: string;
  readonly valueString?: string;
  readonly valueCode?: string;
  readonly valueCanonical?: string;
  readonly valueReference?: Reference;
  readonly valueCodeableConcept?: { readonly text: string };
  readonly part?: readonly Parameter[];
}

interface Resource {
  readonly resourceType: string;
  readonly id: string;
  readonly parameter?: readonly Parameter[];
  readonly subscription: Reference;
  readonly type: string;
  readonly status: string;
  readonly eventsSinceSubscriptionStart: string;
  readonly topic?: string;
  readonly error?: readonly { readonly text: string }[];
  readonly notificationEvent?: readonly { readonly eventNumber: string; readonly focus?: Reference }[];
}

/** The Bundle of a good answer. */
export async function readBundle(response: Response): Promise<ToldBundle> {
  const body: {
    resourceType: string;
    type: string;
    total?: number;
    link?: ToldBundle["link"];
    entry?: Entry[];
  } = await (await producedBy(response)).json();
  assertEquals([response.status, body.resourceType], [200, "Bundle"], JSON.stringify(body));
  assertEquals(response.headers.get("cache-control"), "no-store");
  const entries = body.entry ?? [];
  const statuses = entries.filter(({ resource }) => resource !== undefined && isStatus(resource));
  for (const { fullUrl, resource } of statuses) assertEquals(fullUrl, `urn:uuid:${resource?.id}`);
  return {
    type: body.type,
    total: body.total,
    link: body.link ?? [],
    statuses: statuses.map(({ resource }) => tell(resource)),
    others: entries.filter((entry) => !statuses.includes(entry)),
  };
}

function isStatus({ resourceType }: Resource): boolean {
  return resourceType === "SubscriptionStatus" || resourceType === "Parameters";
}

function tell(status: Resource | undefined): Told {
  assert(status !== undefined);
  if (status.parameter === undefined) {
    return {
      subscription: status.subscription.reference,
      type: status.type,
      status: status.status,
      head: status.eventsSinceSubscriptionStart,
      topic: status.topic,
      error: status.error?.[0]?.text,
      events: (status.notificationEvent ?? []).map(({ eventNumber, focus }) => ({
        number: eventNumber,
        focus: focus?.reference,
      })),
    };
  }
  const find = (parameters: readonly Parameter[], name: string) => parameters.find((one) => one.name === name);
  const one = (name: string) => find(status.parameter ?? [], name);
  return {
    subscription: one("subscription")?.valueReference?.reference ?? "",
    type: one("type")?.valueCode ?? "",
    status: one("status")?.valueCode ?? "",
    head: one("events-since-subscription-start")?.valueString ?? "",
    topic: one("topic")?.valueCanonical,
    error: one("error")?.valueCodeableConcept?.text,
    events: status.parameter.filter(({ name }) => name === "notification-event").map(({ part = [] }) => ({
      number: find(part, "event-number")?.valueString ?? "",
      focus: find(part, "focus")?.valueReference?.reference,
    })),
  };
}
