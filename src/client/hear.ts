// What frames mean for the Subscriptions of a link.

import type { FhirResource } from "../types.ts";
import { greet, refuse } from "./bind.ts";
import { failure } from "./errors.ts";
import { eventsOf, headOf, statusesOf } from "./frame.ts";
import { GONE, issuesOf, LOST } from "./issues.ts";
import { first, idsOf, type Loose, parse, text } from "./json.ts";
import type { Link } from "./link.ts";
import type { Connection } from "./socket.ts";
import type { ReceivedIssue } from "./types.ts";

/** Takes a frame. It never throws. */
export function hear(link: Link, connection: Connection, data: unknown): void {
  const { tallies, emit, notify, current } = link;
  const frame = parse(data);
  if (text(frame?.resourceType) === "OperationOutcome") return hearOutcome(link, connection, issuesOf(frame));
  const statuses = statusesOf(frame);
  if (statuses.length === 0 && text(frame?.type) !== "pong") emit({ type: "unreadable" });
  for (const status of statuses) {
    const type = first(status, "type");
    const head = headOf(status);
    const [only] = tallies.size === 1 ? tallies.keys() : [];
    const subscription = idsOf(first(status, "subscription"))[0] || only || "";
    const tally = tallies.get(subscription);
    if (!tally) continue; // another's, or one that has ended
    if (type === "event-notification") {
      greet(connection, subscription); // there are servers that send no handshake
      const fresh = tally.take(eventsOf(status));
      const bundle = frame as unknown as FhirResource; // it has a status
      if (fresh.length > 0) notify({ subscription, events: fresh, bundle });
    } else if (type === "handshake") {
      greet(connection, subscription);
      hearClock(link, frame);
      emit({ type: "bound", subscription, head });
      // While another socket is bound that one may simply be further.
      tally.begin(head, !current || !!current.ended);
    } else if (type === "heartbeat") {
      emit({ type, subscription, head });
      tally.expect(head);
    }
  }
}

/** Clients that may not read the `Date` of an answer know by the time at which a Bundle was made. */
function hearClock(link: Link, bundle: Loose | undefined): void {
  const ahead = Date.parse(text(bundle?.timestamp)) - Date.now();
  // Both signs can only be late.
  link.ahead = Math.max(link.ahead || ahead, ahead || link.ahead);
}

function hearOutcome(link: Link, connection: Connection, issues: readonly ReceivedIssue[]): void {
  const { tallies, newest, emit } = link;
  // While another socket is being bound, what the old one loses is of no more interest.
  if (connection === newest && lose(link, issues, LOST)) return;
  // What was let go before may be refused once more: that is no word on the others.
  const ours = issues.find(({ subscription: id }) => id === undefined || tallies.has(id));
  if (ours) refuse(connection, failure("refused", { issues }, ours.text ?? ours.code));
  emit({ type: "outcome", issues });
}

/** Ends the bindings that issues name, and says whether there were some. */
export function lose(link: Link, issues: readonly ReceivedIssue[], codes: RegExp): boolean {
  const { tallies, newest, emit } = link;
  const named = issues.filter(({ subscription = "", code }) => tallies.has(subscription) && codes.test(code));
  for (const issue of named) {
    const { subscription = "", code } = issue;
    const error = failure("ended", { issues: [issue] }, issue.text ?? code);
    const final = GONE.test(code);
    if (final) tallies.delete(subscription);
    if (newest) refuse(newest, error, subscription);
    if (!final || tallies.size === 0) link.lost = error;
    emit({ type: "ended", subscription, final, error });
  }
  return named.length > 0;
}
