// From the event log to a socket. The bus only wakes; what is sent next is always the number after the cursor.

import { operationOutcome } from "../fhir/outcome.ts";
import { askHost, clock, report, who } from "../host.ts";
import type { EventPage, LoggedEvent } from "../types.ts";
import { failed, isFresh, isOutdated, refresh } from "./access.ts";
import { type Binding, breakDown, endBinding } from "./binding.ts";
import { frameSizeOf, renderEvents } from "./rendering.ts";
import type { Access, BinderState, Watched } from "./state.ts";

/** Events read from the log at once. */
const PAGE = 100;

/** There is news of a log: who reads it from here on shares no read that was begun before. */
export function renewReads(watched: Watched): void {
  watched.reads = undefined;
}

/** Looks into the log for what the binding has not had. */
export function wake(state: BinderState, binding: Binding): void {
  if (binding.pumping || !binding.live) {
    binding.again = true;
    return;
  }
  if (binding.ended) return;
  binding.pumping = true;
  void pump(state, binding); // it never rejects
}

async function pump(state: BinderState, binding: Binding): Promise<void> {
  try {
    do binding.again = false; while (await step(state, binding) || binding.again);
  } catch (cause) {
    breakDown(state, binding, cause);
  } finally {
    binding.pumping = false;
  }
}

/** Sends a page of events; true when there is more to do. */
async function step(state: BinderState, binding: Binding): Promise<boolean> {
  const { access } = binding;
  if (binding.ended) return false;
  if (!isFresh(state, access, clock(state.settings)) && !await reread(state, access)) return false;
  if (!mayDeliver(state, binding, clock(state.settings))) return false;
  if (binding.cursor < binding.floor && !skip(binding, binding.floor, "are not replayed")) return false;
  const page = await readPage(state, access, binding.cursor);
  if (page === undefined || !mayDeliver(state, binding, clock(state.settings))) return false;
  if (page.head < binding.cursor) {
    endBinding(state, binding, "access-lost"); // the id was made anew: this is another Subscription
    return false;
  }
  if (page.oldest > binding.cursor + 1 && !skip(binding, page.oldest - 1, "are not kept any more")) return false;
  return await sendPage(state, binding, page);
}

/** True when what was read may be used, however long that took. Else who told of a change, or of failure, wakes again. */
async function reread(state: BinderState, access: Access): Promise<boolean> {
  await refresh(state, access);
  return !isOutdated(access) && !access.failing?.has("access");
}

/** Says that events are lost, up to a number, and goes on after it; false when the socket did not take that. */
function skip(binding: Binding, to: number, why: string): boolean {
  const text = `Events ${binding.cursor + 1} to ${to} ${why}`;
  const outcome = operationOutcome([{ code: "incomplete", text, subscription: binding.id }]);
  if (!binding.session.send(JSON.stringify(outcome))) return false;
  binding.cursor = to;
  return true;
}

async function sendPage(state: BinderState, binding: Binding, page: EventPage): Promise<boolean> {
  const before = binding.cursor;
  for (let n = 0; n < page.events.length;) {
    const { access } = binding;
    if (!isFresh(state, access, clock(state.settings)) && !await reread(state, access)) return false;
    const { changed } = access;
    const size = frameSizeOf(access, binding.dialect);
    const batch = page.events.slice(n, n + size);
    const allowed = state.settings.mayReceive === undefined ? batch : await withoutWithheld(state, access, batch);
    if (allowed === undefined) return false;
    // What was decided on the way may not fit any more.
    if (binding.access !== access || access.changed !== changed || frameSizeOf(access, binding.dialect) < size) {
      continue;
    }
    const now = clock(state.settings);
    if (!mayDeliver(state, binding, now)) return false;
    n += batch.length;
    const last = batch.at(-1)?.number ?? binding.cursor;
    if (allowed.length === 0) binding.cursor = last;
    else if (!sendEvents(state, binding, allowed, last, now)) return false;
  }
  // A page without progress, of a log that lags behind itself, is looked at again in time, not at once.
  return binding.cursor > before && binding.cursor < page.head;
}

/** The events that the caller may receive; `undefined` when the host cannot say, and none is sent then. */
async function withoutWithheld(
  state: BinderState,
  access: Access,
  events: readonly LoggedEvent[],
): Promise<readonly LoggedEvent[] | undefined> {
  const { settings } = state;
  const { subscription, caller } = access;
  if (subscription === undefined) return undefined;
  try {
    const decisions = await Promise.all(
      events.map((event) =>
        askHost(settings, "may-receive", () => settings.mayReceive?.(event, subscription, caller) ?? false)
      ),
    );
    access.failing?.delete("decision");
    return events.filter((_, n) => decisions[n]);
  } catch {
    failed(state, access, "decision"); // the host has been told the cause
    return undefined;
  }
}

/** Tested anew before every send: nothing goes out late, to the wrong state, or into a full buffer. */
export function mayDeliver(state: BinderState, binding: Binding, now: number): boolean {
  if (binding.ended || !binding.live) return false;
  if (now >= binding.expiresAt) {
    endBinding(state, binding, "expired");
    return false;
  }
  return binding.access.facts.status === "active" && !binding.session.suspect && binding.session.hasRoom();
}

function sendEvents(
  state: BinderState,
  binding: Binding,
  events: readonly LoggedEvent[],
  last: number,
  now: number,
): boolean {
  const text = renderEvents(state, binding.access, binding.dialect, events);
  return send(state, binding, text, events[0]?.number ?? last, last, now);
}

/** Sends the frame of the events from `first` to `last`. */
export function send(
  state: BinderState,
  binding: Binding,
  text: string,
  first: number,
  last: number,
  now: number,
): boolean {
  if (!binding.session.send(text)) return false;
  binding.cursor = last;
  binding.sentAt = now;
  if (state.settings.onEvent !== undefined) {
    const caller = who(binding.access.caller);
    report(state.settings, { type: "delivered", caller, subscription: binding.id, first, last });
  }
  return true;
}

/** Reads on from a number; bindings that are at the same one share the read. */
async function readPage(state: BinderState, access: Access, after: number): Promise<EventPage | undefined> {
  const { watched } = access;
  const reads = watched.reads ??= new Map();
  let reading = reads.get(after);
  if (reading === undefined) {
    reading = readLog(state, watched, after).finally(() => reads.delete(after));
    reads.set(after, reading);
  }
  try {
    const page = await reading;
    access.failing?.delete("log");
    return page;
  } catch {
    failed(state, access, "log"); // the host has been told the cause
    return undefined;
  }
}

function readLog(state: BinderState, watched: Watched, after: number): Promise<EventPage> {
  return askHost(state.settings, "log", () => state.settings.events.read(watched.key, after, PAGE));
}
