// Notifications as text. One event is rendered once for all sockets of a caller that speak the same dialect.

import { buildNotification, type Dialect } from "../fhir/notification.ts";
import { stamp, type StatusContent } from "../fhir/status.ts";
import { fill, inQuotes, type Look, makeTemplate, type Template } from "../fhir/template.ts";
import { clock } from "../host.ts";
import type { ContentLevel, LoggedEvent, NotificationEvent } from "../types.ts";
import type { Access, BinderState } from "./state.ts";

/** How a binding is spoken to; `legacy` is R4's `ping <id>`. */
export type SocketDialect = Dialect | "legacy";

/** What events look like, for as long as somebody has them in hand. */
export type Rendered = WeakMap<LoggedEvent, Partial<Record<SocketDialect, string>>>;

/** Templates with what each does not leave open, which is little: there are a few dozen at most, and mostly one. */
export type Templates = {
  readonly dialect: Dialect;
  readonly status: string;
  readonly level: ContentLevel | undefined;
  readonly hasTopic: boolean;
  readonly template: Template;
}[];

/** Notifications that differ in words only. */
interface Alike {
  readonly templates: Templates;
  readonly content: (number: string) => StatusContent;
  /** When all of them are made, if that is known; milliseconds. */
  readonly at?: number;
}

/** An event in hand, which may be one of many Subscriptions, and when it came. */
export type Arrival = Required<Alike>;

export function arrivalOf(event: NotificationEvent, at: number): Arrival {
  return { templates: [], content: (number) => ({ type: "event-notification", events: [{ ...event, number }] }), at };
}

/** The frame of an event, for the Subscription where it has this number. */
export function renderArrival(
  state: BinderState,
  access: Access,
  dialect: SocketDialect,
  arrival: Arrival,
  number: number,
): string {
  return dialect === "legacy" ? legacyPing(access) : renderLike(state, access, dialect, arrival, number);
}

/** The frame of some events, at least one. */
export function renderEvents(
  state: BinderState,
  access: Access,
  dialect: SocketDialect,
  events: readonly LoggedEvent[],
): string {
  const [event] = events;
  // For one socket there is nothing to share.
  if (event === undefined || events.length > 1 || access.bindings.size === 1) {
    return renderNew(state, access, dialect, events);
  }
  const rendered = access.rendered ??= new WeakMap();
  const texts = rendered.get(event) ?? {};
  rendered.set(event, texts);
  return texts[dialect] ??= renderNew(state, access, dialect, events);
}

function renderNew(
  state: BinderState,
  access: Access,
  dialect: SocketDialect,
  events: readonly LoggedEvent[],
): string {
  if (dialect === "legacy") return legacyPing(access);
  const notified = { ...lookOf(state, access, dialect), id: access.watched.id, ...stamp(clock(state.settings)) };
  return JSON.stringify(buildNotification(notified, { type: "event-notification", events }));
}

/** R4: https://hl7.org/fhir/R4/subscription.html#channels */
function legacyPing({ watched }: Access): string {
  return `ping ${watched.id}`;
}

/** The frame that answers a bind. */
export function renderHandshake(state: BinderState, access: Access, dialect: SocketDialect, head: number): string {
  if (dialect === "legacy") return `bound ${access.watched.id}`;
  const { handshake: templates } = state.templates;
  return renderLike(state, access, dialect, { templates, content: (head) => ({ type: "handshake", head }) }, head);
}

/** The frame that says that the server is still there. */
export function renderHeartbeat(state: BinderState, access: Access, dialect: Dialect, head: number): string {
  const { heartbeat: templates } = state.templates;
  return renderLike(state, access, dialect, { templates, content: (head) => ({ type: "heartbeat", head }) }, head);
}

/** From a template, which is made where there is none. */
function renderLike(
  state: BinderState,
  access: Access,
  dialect: Dialect,
  alike: Alike,
  number: number,
): string {
  const { watched, facts } = access;
  const { timestamp, statusId } = stamp(alike.at ?? clock(state.settings));
  return fill(templateFor(state, access, dialect, alike), {
    id: inQuotes(watched.id),
    topic: inQuotes(facts.topic ?? ""),
    number: String(number),
    timestamp,
    statusId,
  });
}

function templateFor(
  state: BinderState,
  access: Access,
  dialect: Dialect,
  { templates, content, at }: Alike,
): Template {
  const { status, content: level, topic } = access.facts;
  const hasTopic = topic !== undefined;
  for (const one of templates) {
    if (one.status === status && one.level === level && one.dialect === dialect && one.hasTopic === hasTopic) {
      return one.template;
    }
  }
  const timestamp = at === undefined ? undefined : stamp(at).timestamp;
  const template = makeTemplate(lookOf(state, access, dialect), content, timestamp);
  templates.push({ dialect, status, level, hasTopic, template });
  return template;
}

function lookOf({ settings }: BinderState, { facts }: Access, dialect: Dialect): Look {
  const { base, fhirVersion, defaultContent } = settings;
  return { base, fhirVersion, facts, level: facts.content ?? defaultContent, dialect };
}

/** Events that one frame may hold. */
export function frameSizeOf(access: Access, dialect: SocketDialect): number {
  return dialect === "text" ? access.facts.maxCount ?? 1 : 1;
}
