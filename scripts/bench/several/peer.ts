// The other process: `peer.ts <place and key of the tokens, as JSON>`. Its binder is behind /ws; on sockets of /bare it
// sends what it hears by hand. It prints its port, and the end of its input ends it.

import { createJwtSigner, createSocketBinder } from "@fhir-ws/binding";
import process from "node:process";
import { openBackend } from "../../../tests/several/backend.ts";
import { BASE, SUBSCRIPTION } from "../samples.ts";
import { serve } from "../sockets/serve.ts";
import { openByHand, type Place } from "./by_hand.ts";

const { secret, ...place }: Place & { readonly secret: readonly number[] } = JSON.parse(process.argv[2] ?? "");
const { events, bus } = await openBackend({ ...place, busUrl: place.url });
const binder = createSocketBinder({
  base: BASE,
  fhirVersion: "R5",
  tokens: await createJwtSigner({ sign: { kid: "k1", key: new Uint8Array(secret) } }),
  subscriptions: { read: (id) => ({ ...SUBSCRIPTION, id, content: "full-resource" }) },
  websocketUrl: "ws://127.0.0.1/ws",
  events,
  bus,
});
const server = await serve(binder);
const hand = await openByHand(place);
await hand.hear((content) => {
  for (const socket of server.bare) socket.send(content);
});
console.log(server.port);
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
