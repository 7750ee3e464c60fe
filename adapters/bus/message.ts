// Bus messages as text.

import type { BusMessage } from "../../src/types.ts";

/** Said in place of what cannot be carried: compare with the log. */
export const RESYNC: BusMessage = { type: "resync" };

type EventMessage = BusMessage & { readonly type: "event" };

/** An event message whose readers take the event from the log. */
export function withoutEvent({ type, keys, numbers }: EventMessage): EventMessage {
  return { type, keys, numbers };
}

/** The messages of a text, or none where it was written by something else: anybody might write to the same channel. */
export function readMessages(text: string): readonly BusMessage[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value.filter(isMessage) : [];
  } catch {
    return []; // not JSON, and so not ours
  }
}

/** Whether this is a bus message, as far as its shape goes. */
export function isMessage(value: unknown): value is BusMessage {
  if (typeof value !== "object" || value === null) return false;
  // Members of anything, to be looked at one by one.
  const { type, key, subject, keys, numbers, event } = value as { readonly [name: string]: unknown };
  switch (type) {
    case "event":
      return isListOf(keys, (one) => typeof one === "string") && isListOf(numbers, Number.isSafeInteger) &&
        keys.length === numbers.length && (event === undefined || (typeof event === "object" && event !== null));
    case "changed":
      return typeof key === "string";
    case "revoked":
      return typeof subject === "string";
    default:
      return type === "resync";
  }
}

function isListOf(value: unknown, holds: (one: unknown) => boolean): value is readonly unknown[] {
  return Array.isArray(value) && value.every(holds);
}

/** Bytes of a text in UTF-8. */
function sizeOf(text: string): number {
  return new TextEncoder().encode(text).length;
}

/**
 * Texts of at most so many bytes that carry the messages in their order. What is too big goes by some keys at a time,
 * without its event when that is not small, and as a `resync` when one key alone is too big.
 */
export function packMessages(messages: readonly BusMessage[], maxSize: number): string[] {
  const packs: string[] = [];
  let open: string[] = [];
  let size = 1;
  for (const text of messages.flatMap((message) => fit(message, maxSize - 2))) {
    const more = sizeOf(text) + 1; // with a bracket or a comma
    if (size + more > maxSize) {
      packs.push(`[${open.join()}]`);
      open = [];
      size = 1;
    }
    open.push(text);
    size += more;
  }
  return open.length === 0 ? packs : [...packs, `[${open.join()}]`];
}

function fit(message: BusMessage, maxSize: number): string[] {
  const text = JSON.stringify(message);
  if (sizeOf(text) <= maxSize) return [text];
  if (message.type !== "event") return [JSON.stringify(RESYNC)];
  const { keys, numbers, event } = message;
  // An event that comes again with every few keys is at most half of what is sent.
  const isCarried = event !== undefined && keys.length > 1 && sizeOf(JSON.stringify(event)) <= maxSize / 4;
  if (event !== undefined && !isCarried) return fit(withoutEvent(message), maxSize);
  if (keys.length === 1) return [JSON.stringify(RESYNC)];
  const half = keys.length >> 1;
  return [
    ...fit({ ...message, keys: keys.slice(0, half), numbers: numbers.slice(0, half) }, maxSize),
    ...fit({ ...message, keys: keys.slice(half), numbers: numbers.slice(half) }, maxSize),
  ];
}
