// The SQLite drivers of this runtime, each opened in the same way.

import type { SqliteDatabase } from "@fhir-ws/binding/storage/sqlite";
import process from "node:process";

export interface Connection extends SqliteDatabase {
  close(): void;
}

export interface Driver {
  readonly name: string;
  /** Why it cannot run here. */
  readonly skip?: string;
  open(path: string, options?: { readonly readonly?: boolean }): Connection;
}

type Constructor = new (path: string, options?: { readonly [name: string]: boolean }) => Connection;

interface Source {
  readonly name: string;
  readonly export: string;
  /** How its option is written. */
  readonly readonly: string;
  /** Set where no other runtime can have it. */
  readonly only?: "bun";
}

/** Those that are a runtime's own come last. */
const SOURCES: readonly Source[] = [
  { name: "better-sqlite3", export: "default", readonly: "readonly" },
  { name: "node:sqlite", export: "DatabaseSync", readonly: "readOnly" },
  { name: "bun:sqlite", export: "Database", readonly: "readonly", only: "bun" },
];

async function load(source: Source): Promise<Driver> {
  const { name, only } = source;
  const isHere = only === undefined || only in process.versions;
  try {
    // No literal, for a type checker looks into literals.
    const module: { readonly [name: string]: Constructor } = await import(name);
    const driver = toDriver(source, module[source.export]!);
    driver.open(":memory:").close();
    return driver;
  } catch (error) {
    if (isHere && process.env.CI) throw error;
    const skip = `it does not load here: ${(error as { readonly code?: unknown }).code ?? error}`;
    return {
      name,
      skip,
      open() {
        throw new Error(`Cannot open a database: ${skip}`);
      },
    };
  }
}

function toDriver({ name, readonly }: Source, Database: Constructor): Driver {
  return {
    name,
    open: (path, options) => options?.readonly ? new Database(path, { [readonly]: true }) : new Database(path),
  };
}

export const drivers: readonly Driver[] = await Promise.all(SOURCES.map(load));
