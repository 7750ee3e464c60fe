// What servers of some size carry: `deno task bench --sizing`.

import { fileURLToPath } from "node:url";
import { clearBackend } from "../../../tests/several/backend.ts";
import { postgresEngine, redisEngine, uniqueName } from "../../../tests/several/engines.ts";
import { engineOf, type Place, type Store } from "./place.ts";

/** What is measured: events written, delivered by several servers, and one event to sockets of one or many Subscriptions. */
export type Piece = "writes" | "servers" | "one" | "many" | "many-carried";

/** What the rounds of each piece came to, by store: events per second, or milliseconds of one event. */
export type Sizing = ReadonlyMap<Store, ReadonlyMap<Piece, readonly number[]>>;

const PIECES: { readonly [store in Store]: readonly Piece[] } = {
  memory: ["one", "many"],
  postgres: ["writes", "servers", "one", "many", "many-carried"],
  redis: ["writes", "servers", "one", "many"],
};

const ENGINES = { memory: { url: "", skip: undefined }, postgres: postgresEngine, redis: redisEngine };

/** Measures on Deno. `say` is told what comes next, and of an engine that is not there. */
export async function measureSizing(say: (what: string) => void): Promise<Sizing> {
  const sizing = new Map<Store, Map<Piece, readonly number[]>>();
  for (const store of ["memory", "postgres", "redis"] as const) {
    const { url, skip } = ENGINES[store];
    if (skip !== undefined) {
      say(`${store} is left out: ${skip}`);
      continue;
    }
    const pieces = new Map<Piece, readonly number[]>();
    for (const piece of PIECES[store]) {
      say(`${store}: ${piece}`);
      pieces.set(piece, await measurePiece(piece, { store, url, busUrl: url, name: uniqueName() }));
    }
    sizing.set(store, pieces);
  }
  return sizing;
}

async function measurePiece(piece: Piece, place: Place): Promise<readonly number[]> {
  const script = fileURLToPath(new URL("piece.ts", import.meta.url));
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", script, piece, JSON.stringify(place)],
    stderr: "inherit",
  });
  try {
    const { success, stdout } = await command.output();
    if (!success) throw new Error(`Cannot measure ${piece} on ${place.store}: is "ulimit -n" above 10,000?`);
    return JSON.parse(new TextDecoder().decode(stdout));
  } finally {
    if (place.store !== "memory") await clearBackend({ ...place, engine: engineOf(place) });
  }
}
