// Sending together what comes together.

import type { BusMessage } from "../../src/types.ts";

/** One batch at a time; those who come meanwhile share the next one, and how it went. */
export function createBatches(
  send: (messages: readonly BusMessage[]) => Promise<void>,
): (message: BusMessage) => Promise<void> {
  let next: { readonly messages: BusMessage[]; readonly sent: Promise<void> } | undefined;
  let last: Promise<void> = Promise.resolve();

  function open(): NonNullable<typeof next> {
    const messages: BusMessage[] = [];
    const sent = last.then(() => {
      next = undefined;
      return send(messages);
    });
    last = sent.catch(() => {}); // its publishers are told
    return { messages, sent };
  }

  return (message) => {
    next ??= open();
    next.messages.push(message);
    return next.sent;
  };
}
