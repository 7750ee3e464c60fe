// One piece, in a process of its own: `piece.ts <piece> <place as JSON>` prints what its rounds came to, as JSON.

import process from "node:process";
import { measureFanOut } from "./fan_out.ts";
import { type Place, SOCKETS } from "./place.ts";
import { measureServers } from "./servers.ts";
import type { Piece } from "./sizing.ts";
import { measureWrites } from "./writes.ts";

const PIECES: { readonly [piece in Piece]: (place: Place) => Promise<number[]> } = {
  "writes": measureWrites,
  "servers": measureServers,
  "one": (place) => measureFanOut(place, 1),
  "many": (place) => measureFanOut(place, SOCKETS),
  "many-carried": (place) => measureFanOut({ ...place, carriesEvents: true }, SOCKETS),
};

const [, , piece, place = ""] = process.argv;
// The parent writes both, and knows the names.
const measure = PIECES[piece as Piece];
console.log(JSON.stringify(await measure(JSON.parse(place))));
process.exit(0);
