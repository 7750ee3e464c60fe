// From the bus to the sockets: an event that comes with all it says need not be read from the log where it is the next.

import { clock, report } from "../host.ts";
import type { BusMessage } from "../types.ts";
import { isFresh } from "./access.ts";
import { type Binding, breakDown } from "./binding.ts";
import { mayDeliver, renewReads, send, wake } from "./delivery.ts";
import { type Arrival, arrivalOf, renderArrival, type SocketDialect } from "./rendering.ts";
import type { Access, BinderState } from "./state.ts";

/** What is to be sent of an event in hand. */
interface Frame {
  readonly binding: Binding;
  readonly text: string;
  readonly number: number;
}

/** Frames that are made before the first of them is sent. */
const BURST = 64;

/**
 * An event came over the bus, for some Subscriptions. Many frames are made, then sent at one go: sending goes faster
 * when nothing else is done in between, here and for whoever receives.
 */
export function deliverAll(
  state: BinderState,
  { keys, numbers, event }: BusMessage & { readonly type: "event" },
): void {
  const arrival = event && arrivalOf(event, clock(state.settings));
  const frames: Frame[] = [];
  keys.forEach((key, n) => deliver(state, key, numbers[n] ?? 0, arrival, frames));
  sendAll(state, frames);
}

function deliver(
  state: BinderState,
  key: string,
  number: number,
  arrival: Arrival | undefined,
  frames: Frame[],
): void {
  const watched = state.watched.get(key);
  if (watched === undefined) return;
  renewReads(watched);
  for (const access of watched.accesses.values()) {
    try {
      deliverTo(state, access, number, arrival, frames);
    } catch (cause) {
      // Nothing can be made of this message; perhaps of what the log holds.
      report(state.settings, { type: "error", during: "internal", cause });
      for (const binding of access.bindings) wake(state, binding);
    }
  }
}

/** The fast path sends what is in hand; whatever stands in its way is the pump's business. */
function deliverTo(
  state: BinderState,
  access: Access,
  number: number,
  arrival: Arrival | undefined,
  frames: Frame[],
): void {
  const isFast = arrival !== undefined && state.settings.mayReceive === undefined && isFresh(state, access, arrival.at);
  const texts: Partial<Record<SocketDialect, string>> = {};
  for (const binding of access.bindings) {
    if (binding.live && number <= binding.cursor) continue; // doubled
    if (isFast && isNext(binding, number)) {
      const text = texts[binding.dialect] ??= renderArrival(state, access, binding.dialect, arrival, number);
      if (frames.push({ binding, text, number }) === BURST) sendAll(state, frames);
    } else wake(state, binding);
  }
}

/** Sends the frames, of which there are none then. */
function sendAll(state: BinderState, frames: Frame[]): void {
  for (const frame of frames.splice(0)) {
    try {
      sendFrame(state, frame);
    } catch (cause) {
      breakDown(state, frame.binding, cause);
    }
  }
}

/** What was sent before may have changed anything: the access that the frame was made for too. */
function sendFrame(state: BinderState, { binding, text, number }: Frame): void {
  const now = clock(state.settings);
  const mayStill = isNext(binding, number) && isFresh(state, binding.access, now) && mayDeliver(state, binding, now);
  if (mayStill) send(state, binding, text, number, number, now);
  else wake(state, binding);
}

function isNext({ pumping, cursor }: Binding, number: number): boolean {
  return !pumping && number === cursor + 1;
}
