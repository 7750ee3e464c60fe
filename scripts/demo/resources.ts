// Resources of every type, by FHIR version. An id belongs to whoever used it first.

import type { DatabaseSync } from "node:sqlite";
import type { FhirResource, FhirVersion } from "@fhir-ws/binding";
import { isObject } from "./body.ts";

/** A resource as it was read from outside, or as it is kept. */
export type Resource = FhirResource & { readonly [name: string]: unknown };

/** A resource that has its id. */
export type IdentifiedResource = Resource & { readonly id: string };

/** A resource with what the server adds to it. */
export interface Stored {
  /** Holds `meta.versionId` and `meta.lastUpdated`. */
  readonly resource: IdentifiedResource;
  readonly version: number;
  /** FHIR instant. */
  readonly updated: string;
}

/** The resources of one FHIR version. */
export interface ResourceStore {
  /** `undefined` when there is none, or it is another's. */
  read(type: string, id: string, owner: string): Stored | undefined;
  /** Ids of an owner's resources of a type, in their order. */
  ids(type: string, owner: string, limit: number): readonly string[];
  ownerOf(type: string, id: string): string | undefined;
  /** Creates, or replaces what this owner has. */
  write(resource: IdentifiedResource, owner: string): Stored;
  remove(type: string, id: string): void;
}

/** Keeps resources in a database. `now` is in milliseconds. */
export function createResourceStore(db: DatabaseSync, fhir: FhirVersion, now: () => number): ResourceStore {
  const select = db.prepare(
    "SELECT owner, version, updated, body FROM resource WHERE fhir = ? AND type = ? AND id = ?",
  );
  const upsert = db.prepare(
    `INSERT INTO resource (fhir, type, id, owner, version, updated, body) VALUES (?, ?, ?, ?, 1, ?, ?)
     ON CONFLICT DO UPDATE SET version = version + 1, updated = excluded.updated, body = excluded.body
     RETURNING version`,
  );
  const ids = db.prepare("SELECT id FROM resource WHERE fhir = ? AND type = ? AND owner = ? ORDER BY id LIMIT ?");
  const remove = db.prepare("DELETE FROM resource WHERE fhir = ? AND type = ? AND id = ?");
  return {
    read(type, id, owner) {
      const row = select.get(fhir, type, id);
      if (row === undefined || row.owner !== owner) return undefined;
      return stored(JSON.parse(String(row.body)), Number(row.version), String(row.updated));
    },
    ids: (type, owner, limit) => ids.all(fhir, type, owner, limit).map(({ id }) => String(id)),
    ownerOf(type, id) {
      const row = select.get(fhir, type, id);
      return row && String(row.owner);
    },
    write(resource, owner) {
      const { resourceType, id } = resource;
      const updated = new Date(now()).toISOString();
      const row = upsert.get(fhir, resourceType, id, owner, updated, JSON.stringify(resource));
      return stored(resource, Number(row?.version), updated);
    },
    remove: (type, id) => void remove.run(fhir, type, id),
  };
}

function stored(sent: IdentifiedResource, version: number, updated: string): Stored {
  const { resourceType, id, meta, ...rest } = sent;
  const kept = isObject(meta) ? meta : {};
  const resource = {
    resourceType,
    id,
    meta: { ...kept, versionId: String(version), lastUpdated: updated },
    ...rest,
  };
  return { resource, version, updated };
}
