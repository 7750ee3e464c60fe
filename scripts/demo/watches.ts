// What has to be found quickly of the websocket Subscriptions of one FHIR version.

import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import type { FhirVersion } from "@fhir-ws/binding";
import type { Watch } from "./matching.ts";

/** A websocket Subscription, in short. */
export interface WatchRow {
  readonly id: string;
  readonly owner: string;
  readonly status: string;
  /** None when nothing that happens here would match. */
  readonly watch: Watch | undefined;
  /** Whether it has an end of its own. */
  readonly ends: boolean;
  /** Milliseconds; none when it is off already, or has no end and somebody is bound to it. */
  readonly dueAt: number | undefined;
}

/** A table of them. */
export interface WatchTable {
  get(id: string): WatchRow | undefined;
  put(row: WatchRow): void;
  remove(id: string): void;
  /** How many active ones this owner has, besides one. */
  countActive(owner: string, besides: string): number;
  /** Those of this owner that count events about such resources. */
  waiting(owner: string, type: string): readonly WatchRow[];
  /** Ids of those of this owner that could be bound. */
  live(owner: string, limit: number): readonly string[];
  /** Ids of those that are to be turned off by now. */
  due(now: number): readonly string[];
  /** Sets when one without an end is turned off, if it is not off. */
  postpone(id: string, dueAt: number | undefined): void;
  /** The same for all that somebody was bound to. */
  postponeAll(dueAt: number): void;
}

/** The table of one FHIR version. */
export function createWatchTable(db: DatabaseSync, fhir: FhirVersion): WatchTable {
  const live = "status IN ('requested', 'active', 'error')";
  const get = db.prepare("SELECT * FROM watch WHERE fhir = ? AND id = ?");
  const put = db.prepare("INSERT OR REPLACE INTO watch VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
  const remove = db.prepare("DELETE FROM watch WHERE fhir = ? AND id = ?");
  const count = db.prepare(
    "SELECT count(*) AS n FROM watch WHERE fhir = ? AND owner = ? AND status = 'active' AND id <> ?",
  );
  const waiting = db.prepare(
    "SELECT * FROM watch WHERE fhir = ? AND owner = ? AND status IN ('active', 'error') AND type = ? ORDER BY id",
  );
  const liveOf = db.prepare(`SELECT id FROM watch WHERE fhir = ? AND owner = ? AND ${live} ORDER BY id LIMIT ?`);
  const due = db.prepare("SELECT id FROM watch WHERE fhir = ? AND due_at <= ?");
  const postpone = db.prepare(`UPDATE watch SET due_at = ? WHERE fhir = ? AND id = ? AND NOT ends AND ${live}`);
  const postponeAll = db.prepare(
    `UPDATE watch SET due_at = ? WHERE fhir = ? AND due_at IS NULL AND NOT ends AND ${live}`,
  );
  return {
    get: (id) => readRow(get.get(fhir, id)),
    put({ id, owner, status, watch, ends, dueAt }) {
      const values = JSON.stringify(watch?.values ?? []);
      put.run(fhir, id, owner, status, watch?.type ?? null, values, Number(ends), dueAt ?? null);
    },
    remove: (id) => void remove.run(fhir, id),
    countActive: (owner, besides) => Number(count.get(fhir, owner, besides)?.n),
    waiting: (owner, type) => waiting.all(fhir, owner, type).flatMap((row) => readRow(row) ?? []),
    live: (owner, limit) => liveOf.all(fhir, owner, limit).map(({ id }) => String(id)),
    due: (now) => due.all(fhir, now).map(({ id }) => String(id)),
    postpone: (id, dueAt) => void postpone.run(dueAt ?? null, fhir, id),
    postponeAll: (dueAt) => void postponeAll.run(dueAt, fhir),
  };
}

function readRow(row: Record<string, SQLOutputValue> | undefined): WatchRow | undefined {
  return row && {
    id: String(row.id),
    owner: String(row.owner),
    status: String(row.status),
    watch: row.type === null ? undefined : { type: String(row.type), values: JSON.parse(String(row.wanted)) },
    ends: row.ends === 1,
    dueAt: row.due_at === null ? undefined : Number(row.due_at),
  };
}
