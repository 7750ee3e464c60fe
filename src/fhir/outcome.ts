// OperationOutcome: https://hl7.org/fhir/operationoutcome.html

import { errorRow, type IssueType } from "../error_table.ts";
import type { BindingErrorCode, BindingIssue } from "../errors.ts";
import type { FhirResource } from "../types.ts";

/** An OperationOutcome as the library writes it; it fits that of `@types/fhir`. */
export interface OperationOutcome extends FhirResource {
  readonly resourceType: "OperationOutcome";
  readonly issue: OutcomeIssue[];
}

interface OutcomeIssue {
  readonly severity: "fatal" | "error";
  readonly code: IssueType;
  readonly details: { readonly text: string };
  readonly diagnostics?: string;
  readonly expression?: string[];
}

/** One issue per problem; `details.text` is the code's own where the problem has none. */
export function operationOutcome(issues: readonly BindingIssue[]): OperationOutcome {
  return { resourceType: "OperationOutcome", issue: issues.map(outcomeIssue) };
}

function outcomeIssue({ code, text, expression, subscription }: BindingIssue): OutcomeIssue {
  const row = errorRow(code);
  return {
    severity: severity(code),
    code: row.issue,
    details: { text: text ?? row.text },
    ...(subscription !== undefined && { diagnostics: `Subscription/${subscription}` }),
    ...(expression !== undefined && { expression: [expression] }),
  };
}

function severity(code: BindingErrorCode): "fatal" | "error" {
  return code === "internal" ? "fatal" : "error";
}
