// What a server sends, as far as the soak looks at it.

/** A notification, an OperationOutcome or the answer to a ping. */
export type ServerFrame =
  | { readonly type: "handshake" | "heartbeat"; readonly id: string; readonly head: number }
  | { readonly type: "events"; readonly id: string; readonly events: readonly SentEvent[] }
  | { readonly type: "outcome"; readonly issues: readonly Issue[] }
  | { readonly type: "pong" }
  | { readonly type: "nonsense" };

/** An event of a notification. */
export interface SentEvent {
  readonly number: number;
  /** When the server raised it; milliseconds since the epoch. */
  readonly raisedAt: number;
}

/** An issue of an OperationOutcome; `id` is the Subscription that it names. */
export interface Issue {
  readonly code: string;
  readonly id: string | undefined;
}

interface Resource {
  readonly resourceType?: string;
  readonly type?: string;
  readonly issue?: readonly { readonly code: string; readonly diagnostics?: string }[];
  readonly entry?: readonly { readonly resource?: Status }[];
}

interface Status {
  readonly type: string;
  readonly eventsSinceSubscriptionStart: string;
  readonly subscription: { readonly reference: string };
  readonly notificationEvent?: readonly { readonly eventNumber: string; readonly timestamp: string }[];
}

export function readFrame(text: string): ServerFrame {
  const frame = parse(text);
  if (frame === undefined) return { type: "nonsense" };
  if (frame.type === "pong") return { type: "pong" };
  if (frame.issue !== undefined) {
    return { type: "outcome", issues: frame.issue.map(({ code, diagnostics }) => ({ code, id: idOf(diagnostics) })) };
  }
  const status = frame.entry?.[0]?.resource;
  const id = idOf(status?.subscription.reference);
  if (status === undefined || id === undefined) return { type: "nonsense" };
  const { type, eventsSinceSubscriptionStart, notificationEvent = [] } = status;
  if (type === "handshake" || type === "heartbeat") return { type, id, head: Number(eventsSinceSubscriptionStart) };
  if (type !== "event-notification") return { type: "nonsense" };
  const events = notificationEvent.map(({ eventNumber, timestamp }) => ({
    number: Number(eventNumber),
    raisedAt: Date.parse(timestamp),
  }));
  return { type: "events", id, events };
}

function parse(text: string): Resource | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // which the ledger does not let pass
  }
}

function idOf(reference: string | undefined): string | undefined {
  return reference?.split("Subscription/").at(1);
}
