// One of several servers over one engine: `server.ts <config>`, see `ServerConfig`. It prints "listening <port>", takes
// orders by lines, and answers each with a line: `write <group> <n>` with "wrote <group> <n> <number>" or "failed
// <group> <n>", `revoke <token id>` with "revoked". The end of its input ends it.

import {
  type BindingTokenContext,
  createJwtSigner,
  createNotifier,
  createSocketBinder,
  type FhirSubscription,
  handleGetWsBindingToken,
} from "@fhir-ws/binding";
import { createNodeSockets, fetchListener } from "@fhir-ws/binding/server/node";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { createInterface } from "node:readline";
// @ts-types="ws-types"
import { WebSocketServer } from "ws";
import { SUBSCRIPTIONS_PER_GROUP } from "./cluster.ts";
import { openBackend } from "./backend.ts";

/** What a server is told at its start, as JSON. */
export interface ServerConfig {
  readonly engine: "postgres" | "redis";
  readonly url: string;
  /** Where the bus listens: it may lie behind something that can be cut. */
  readonly busUrl: string;
  /** The schema, channel and prefix that all of them have in common. */
  readonly name: string;
  /** The key of their tokens, in hexadecimal digits. */
  readonly secret: string;
  /** Seconds. */
  readonly reconcile: number;
}

const BASE = "https://example.org/fhir";
const config: ServerConfig = JSON.parse(process.argv[2] ?? "{}");
const { events, tokenStore, bus } = await openBackend(config);
const key = Uint8Array.from(config.secret.match(/../g) ?? [], (digits) => parseInt(digits, 16));
const server = createServer();
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const { port } = server.address() as AddressInfo; // of a TCP server

const endpoint = {
  base: BASE,
  fhirVersion: "R5" as const,
  storeTimeout: 2000,
  tokens: await createJwtSigner({ sign: { kid: "k1", key }, store: tokenStore, singleUse: true }),
  subscriptions: { read: readSubscription },
};
const binder = createSocketBinder({
  ...endpoint,
  websocketUrl: `ws://127.0.0.1:${port}/ws`,
  events,
  bus,
  reconcile: config.reconcile,
  limits: { maxReplay: 100_000 },
});
const context: BindingTokenContext = { ...endpoint, sockets: binder, authenticate: () => ({ id: "alice" }) };
const notifier = createNotifier({ base: BASE, events, bus, tokenStore });
const sockets = createNodeSockets(binder, new WebSocketServer({ noServer: true }));
server.on("request", fetchListener((request) => handleGetWsBindingToken(request, context)));
server.on("upgrade", sockets.upgrade);

/** Every Subscription is there, and everybody's. */
function readSubscription(id: string): FhirSubscription {
  const subscription = { resourceType: "Subscription", id, status: "active", channelType: { code: "websocket" } };
  return { ...subscription, topic: "http://example.org/topic", content: "id-only" } as FhirSubscription; // as R5 has it
}

async function write(group: string, n: string): Promise<void> {
  const ids = Array.from({ length: SUBSCRIPTIONS_PER_GROUP }, (_, index) => `${group}-${index}`);
  try {
    const [number] = await notifier.notify(ids, { interaction: "update", focus: `Patient/${n}` });
    console.log(`wrote ${group} ${n} ${number}`);
  } catch {
    console.log(`failed ${group} ${n}`); // whether it was written is not known
  }
}

console.log(`listening ${port}`);
for await (const line of createInterface({ input: process.stdin })) {
  const [order, first = "", second = ""] = line.split(" ");
  if (order === "write") void write(first, second);
  else if (order === "revoke") void notifier.revoke({ token: first }).then(() => console.log("revoked"));
}
process.exit(0);
