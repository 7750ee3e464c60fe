// Notifications as text. One event is rendered once for all sockets of a caller that speak the same dialect.

import { buildNotification, type Dialect, type NotificationContent, type Notified } from "../fhir/notification.ts";
import { clock } from "../host.ts";
import type { LoggedEvent } from "../types.ts";
import type { Access, BinderState } from "./state.ts";

/** How a binding is spoken to; `legacy` is R4's `ping <id>`. */
export type SocketDialect = Dialect | "legacy";

/** What events look like, for as long as somebody has them in hand. */
export type Rendered = WeakMap<LoggedEvent, Partial<Record<SocketDialect, string>>>;

/** The frame of some events, at least one. */
export function renderEvents(
  state: BinderState,
  access: Access,
  dialect: SocketDialect,
  events: readonly LoggedEvent[],
): string {
  const [event] = events;
  if (event === undefined || events.length > 1) return renderNew(state, access, dialect, events);
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
  return dialect === "legacy"
    ? `ping ${access.watched.id}`
    : render(state, access, dialect, { type: "event-notification", events });
}

/** The frame that answers a bind. */
export function renderHandshake(state: BinderState, access: Access, dialect: SocketDialect, head: number): string {
  return dialect === "legacy"
    ? `bound ${access.watched.id}`
    : render(state, access, dialect, { type: "handshake", head });
}

/** The frame that says that the server is still there. */
export function renderHeartbeat(state: BinderState, access: Access, dialect: Dialect, head: number): string {
  return render(state, access, dialect, { type: "heartbeat", head });
}

function render(state: BinderState, access: Access, dialect: Dialect, content: NotificationContent): string {
  const { base, fhirVersion, defaultContent } = state.settings;
  const { facts, watched } = access;
  const level = facts.content ?? defaultContent;
  const notified: Notified = { base, fhirVersion, id: watched.id, facts, level, dialect, now: clock(state.settings) };
  return JSON.stringify(buildNotification(notified, content));
}

/** Events that one frame may hold. */
export function frameSizeOf(access: Access, dialect: SocketDialect): number {
  return dialect === "text" ? access.facts.maxCount ?? 1 : 1;
}
