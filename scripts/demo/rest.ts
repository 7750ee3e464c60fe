// Create, read, update and delete of resources: https://hl7.org/fhir/http.html

import type { DatabaseSync } from "node:sqlite";
import type { FhirVersion, MaybePromise, NotificationEvent, Notifier } from "@fhir-ws/binding";
import { isFhirId } from "../../src/fhir/json.ts";
import { isFhirJson, negotiate } from "../../src/fhir/media_type.ts";
import { isObject, readJson } from "./body.ts";
import { transaction } from "./database.ts";
import { isResourceType } from "./matching.ts";
import { jsonResponse, methodNotAllowed, notFound, Refusal } from "./outcome.ts";
import type { IdentifiedResource, Resource, ResourceStore, Stored } from "./resources.ts";
import type { Subscriptions } from "./subscriptions.ts";

/** What a base is made of, as far as REST needs it. */
export interface RestParts {
  readonly base: string;
  readonly version: FhirVersion;
  readonly db: DatabaseSync;
  readonly resources: ResourceStore;
  readonly subscriptions: Subscriptions;
  readonly notifier: Notifier;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Told when an event could not be raised: the write itself stands. */
  readonly onError: (cause: unknown) => void;
  /** @throws {Refusal} 401 */
  authenticate(request: Request): Promise<{ readonly id: string }>;
}

interface Call {
  readonly request: Request;
  readonly type: string;
  /** None at type level. */
  readonly id: string;
  readonly history: string | undefined;
  readonly owner: string;
  /** What to answer with. */
  readonly mime: string;
}

type Interaction = (parts: RestParts, call: Call) => MaybePromise<Response>;

const TYPE_LEVEL: ReadonlyMap<string, Interaction> = new Map([["POST", create]]);
const INSTANCE_LEVEL: ReadonlyMap<string, Interaction> = new Map<string, Interaction>([
  ["GET", read],
  ["HEAD", read],
  ["PUT", update],
  ["DELETE", remove],
]);
const VERSION_LEVEL: ReadonlyMap<string, Interaction> = new Map([["GET", read], ["HEAD", read]]);

/**
 * Answers `Type`, `Type/id` or `Type/id/_history/version`, given as segments.
 *
 * @throws {Refusal}
 */
export async function answerRest(parts: RestParts, request: Request, segments: readonly string[]): Promise<Response> {
  const [type = "", id, , history] = segments;
  const level = levelOf(segments);
  const interaction = level?.get(request.method);
  if (level !== undefined && interaction === undefined) throw methodNotAllowed([...level.keys(), "OPTIONS"].join(", "));
  const mime = acceptable(request, parts.version);
  const { id: owner } = await parts.authenticate(request);
  if (interaction === undefined || !isResourceType(type)) throw notFound();
  if (id !== undefined && !isFhirId(id)) throw new Refusal(400, "value", "Cannot read the id: it is not a FHIR id");
  parts.subscriptions.settle();
  return await interaction(parts, { request, type, id: id ?? "", history, owner, mime });
}

/**
 * The media type to answer with.
 *
 * @throws {Refusal} 406
 */
export function acceptable(request: Request, version: FhirVersion): string {
  const format = new URL(request.url).searchParams.get("_format");
  const mime = negotiate(request.headers.get("accept"), format, version);
  if (mime === undefined) throw new Refusal(406, "not-supported", `Only JSON of FHIR ${version} can be sent here`);
  return mime;
}

function levelOf(segments: readonly string[]): typeof TYPE_LEVEL | undefined {
  if (segments.length === 1) return TYPE_LEVEL;
  if (segments.length === 2) return INSTANCE_LEVEL;
  return segments.length === 4 && segments[2] === "_history" ? VERSION_LEVEL : undefined;
}

async function create(parts: RestParts, call: Call): Promise<Response> {
  const sent = await readResource(parts, call);
  const stored = save(parts, { ...sent, id: crypto.randomUUID() }, call.owner);
  await raise(parts, "create", stored, call.owner);
  return resourceResponse(parts, call, stored, 201);
}

function read({ resources }: RestParts, call: Call): Response {
  const found = resources.read(call.type, call.id, call.owner);
  // Of the versions only the last is kept.
  const wanted = call.history ?? String(found?.version);
  if (found === undefined || String(found.version) !== wanted) throw notFound();
  return jsonResponse(found.resource, { type: call.mime, headers: versionHeaders(found) });
}

async function update(parts: RestParts, call: Call): Promise<Response> {
  const { type, id, owner } = call;
  const { resources, notifier } = parts;
  const sent = await readResource(parts, call);
  if (sent.id !== id) throw new Refusal(400, "value", "Cannot read the body: its id is not the one of the path");
  // A crash may have come between a delete and what follows from it: the old Subscription's tokens and numbers end here.
  if (type === "Subscription" && resources.ownerOf(type, id) === undefined) await notifier.deleted(id);
  const stored = save(parts, { ...sent, id }, owner);
  const created = stored.version === 1;
  const changed = !created && type === "Subscription" ? notifier.changed(id) : undefined;
  await Promise.all([changed, raise(parts, created ? "create" : "update", stored, owner)]);
  return resourceResponse(parts, call, stored, created ? 201 : 200);
}

async function remove(parts: RestParts, { type, id, owner }: Call): Promise<Response> {
  const { db, resources, subscriptions, notifier, now } = parts;
  const last = resources.read(type, id, owner);
  if (last === undefined) throw notFound();
  transaction(db, () => {
    resources.remove(type, id);
    if (type === "Subscription") subscriptions.forget(id);
  });
  const deleted = type === "Subscription" ? notifier.deleted(id) : undefined;
  const updated = new Date(now()).toISOString();
  await Promise.all([deleted, raise(parts, "delete", { ...last, updated }, owner)]);
  return new Response(null, { status: 204, headers: { "cache-control": "no-store" } });
}

/** @throws {Refusal} 415, 413, 400 */
async function readResource({ version }: RestParts, { request, type }: Call): Promise<Resource> {
  if (!isFhirJson(request.headers.get("content-type") ?? "", version)) {
    throw new Refusal(415, "not-supported", `Only JSON of FHIR ${version} can be read here`);
  }
  const body = await readJson(request);
  if (body.resourceType !== type) {
    throw new Refusal(400, "value", `Cannot read the body: its resourceType is not "${type}"`);
  }
  if (body.meta !== undefined && !isObject(body.meta)) {
    throw new Refusal(400, "structure", "Cannot read the body: its meta is not an object");
  }
  const { id, ...rest } = body;
  return { ...rest, resourceType: type, ...(typeof id === "string" && { id }) };
}

/** @throws {Refusal} 404 when it is another's, 422 */
function save({ db, resources, subscriptions }: RestParts, resource: IdentifiedResource, owner: string): Stored {
  const { resourceType: type, id } = resource;
  return transaction(db, () => {
    if ((resources.ownerOf(type, id) ?? owner) !== owner) throw notFound();
    if (type !== "Subscription") return resources.write(resource, owner);
    const stored = resources.write(subscriptions.admit(resource, owner), owner);
    subscriptions.track(stored.resource, owner);
    return stored;
  });
}

/** Runs up to the log without a pause, so that events have the order of the writes. */
async function raise(
  { subscriptions, notifier, onError }: RestParts,
  interaction: NotificationEvent["interaction"],
  { resource, updated }: Stored,
  owner: string,
): Promise<void> {
  const focus = `${resource.resourceType}/${resource.id}`;
  const waiting = subscriptions.matching(resource, owner);
  // A new Subscription has not been waiting for itself.
  const ids = interaction === "create" ? waiting.filter((id) => focus !== `Subscription/${id}`) : waiting;
  if (ids.length === 0) return;
  try {
    await notifier.notify(ids, {
      interaction,
      focus,
      timestamp: updated,
      ...(interaction !== "delete" && { resource }),
    });
  } catch (error) {
    onError(error); // what was written stays written, and the client is to know that
  }
}

function resourceResponse({ base }: RestParts, { mime }: Call, stored: Stored, status: number): Response {
  const { resource: { resourceType, id }, version } = stored;
  const location = `${base}/${resourceType}/${id}/_history/${version}`;
  const headers = { ...versionHeaders(stored), ...(status === 201 && { location }) };
  return jsonResponse(stored.resource, { status, type: mime, headers });
}

function versionHeaders({ version, updated }: Stored): Record<string, string> {
  return { etag: `W/"${version}"`, "last-modified": new Date(updated).toUTCString() };
}
