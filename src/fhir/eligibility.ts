// Whether a Subscription may be bound, and how to say that it may not.

import { BindingError, type BindingIssue } from "../errors.ts";
import type { FhirSubscription, FhirVersion } from "../types.ts";
import { readSubscription, type SubscriptionFacts, whyNotEligible } from "./subscription.ts";

/** The facts of a Subscription that may be bound at this moment (milliseconds), or what is wrong with it. */
export function judgeSubscription(
  id: string,
  subscription: FhirSubscription | undefined,
  version: FhirVersion,
  now: number,
): SubscriptionFacts | BindingIssue {
  if (!subscription) return { code: "not-found", subscription: id };
  const facts = readSubscription(subscription, version);
  const why = whyNotEligible(facts, now);
  return why === undefined
    ? facts
    : { code: "not-eligible", text: `Cannot bind Subscription "${id}": ${why}`, subscription: id };
}

/** Tells the two answers of `judgeSubscription` apart. */
export function isIssue(judged: SubscriptionFacts | BindingIssue): judged is BindingIssue {
  return "code" in judged;
}

/** One error of several issues; what is not found decides over what is not eligible. */
export function refusalOf(issues: readonly BindingIssue[]): BindingError {
  const code = issues.some((issue) => issue.code === "not-found") ? "not-found" : "not-eligible";
  return new BindingError(code, undefined, { issues });
}
