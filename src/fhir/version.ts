// What differs between the FHIR versions, in one table.

import type { FhirVersion } from "../types.ts";

const BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/";

interface VersionRow {
  /** The `fhirVersion` parameter of a media type. */
  readonly mime: string;
  /** Profile of a notification Bundle, and of its status resource; R5 has them in its core. */
  readonly bundleProfile?: string;
  readonly statusProfile?: string;
  /** R4 has no SubscriptionStatus resource. */
  readonly statusResource: "Parameters" | "SubscriptionStatus";
  readonly bundleType: "history" | "subscription-notification";
}

/** One row per version. */
export const VERSIONS: Readonly<Record<FhirVersion, VersionRow>> = {
  R4: {
    mime: "4.0",
    bundleProfile: `${BACKPORT}backport-subscription-notification-r4`,
    statusProfile: `${BACKPORT}backport-subscription-status-r4`,
    statusResource: "Parameters",
    bundleType: "history",
  },
  R4B: {
    mime: "4.3",
    bundleProfile: `${BACKPORT}backport-subscription-notification`,
    statusResource: "SubscriptionStatus",
    bundleType: "history",
  },
  R5: { mime: "5.0", statusResource: "SubscriptionStatus", bundleType: "subscription-notification" },
};

/** The URL of an extension of the Backport IG. */
export function backport(name: string): string {
  return BACKPORT + name;
}
