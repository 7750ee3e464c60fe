// Where a piece is measured, and with what.

import type { FhirResource, NotificationEvent } from "@fhir-ws/binding";
import type { ServerConfig } from "../../../tests/several/server.ts";

/** What keeps the events: the process itself, or an engine that processes share. */
export type Store = "memory" | ServerConfig["engine"];

export type Place = Pick<ServerConfig, "url" | "busUrl" | "name"> & {
  readonly store: Store;
  /** Whether the bus of PostgreSQL carries events. */
  readonly carriesEvents?: boolean;
};

/** That events are written to. */
export const SUBSCRIPTIONS = 1000;
/** Of one process that an event goes to. */
export const SOCKETS = 5000;

const RESOURCE: FhirResource & { readonly note: string } = {
  resourceType: "Patient",
  id: "p1",
  note: "x".repeat(960),
};

/** An event of 1 KiB. */
export const EVENT: NotificationEvent = { interaction: "update", focus: "Patient/p1", resource: RESOURCE };

/** What its engine is called where servers are set up. */
export function engineOf({ store }: Place): ServerConfig["engine"] {
  if (store === "memory") throw new Error("Cannot measure: memory is no engine");
  return store;
}

/** Milliseconds after which there are no more rounds than must be. */
const ENOUGH = 5000;
const LEAST_ROUNDS = 3;

/** Does it once to warm up, then some times: fewer where one takes long. */
export async function repeat(rounds: number, round: () => Promise<number>): Promise<number[]> {
  await round();
  const end = performance.now() + ENOUGH;
  const figures: number[] = [];
  while (figures.length < LEAST_ROUNDS || (figures.length < rounds && performance.now() < end)) {
    figures.push(await round());
  }
  return figures;
}
