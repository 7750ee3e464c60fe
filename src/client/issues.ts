// What OperationOutcomes say of Subscriptions.

import { list, type Loose, text } from "./json.ts";
import type { ReceivedIssue } from "./types.ts";

/** Codes after which a Subscription cannot be bound again. */
export const GONE = /^(?:not-found|deleted|business-rule|forbidden)$/;

/** Codes after which it is not bound, by that token. */
export const LOST = /^(?:not-found|deleted|business-rule|forbidden|expired|unknown|no-store)$/;

/** The issues of an OperationOutcome. */
export function issuesOf(outcome: Loose | undefined): ReceivedIssue[] {
  return list(outcome?.issue).map((issue) => {
    const diagnostics = text(issue?.diagnostics);
    return {
      severity: text(issue?.severity) || "error",
      code: text(issue?.code),
      text: text(issue?.details?.text) || diagnostics || undefined,
      subscription: /^Subscription\/([A-Za-z0-9\-.]{1,64})$/.exec(diagnostics)?.[1],
    };
  });
}
