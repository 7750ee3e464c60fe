/**
 * The demo server on Node, with the options of `deno task start`.
 *
 * @module
 */
import { once } from "node:events";
import { createServer } from "node:http";
import { createNodeSockets, fetchListener } from "@fhir-ws/binding/server/node";
// @ts-types="ws-types"
import { WebSocketServer } from "ws";
import { launch } from "./launch.ts";

await launch(async ({ host, port }, { fetch, admit }) => {
  const sockets = createNodeSockets({ admit }, new WebSocketServer({ noServer: true, maxPayload: 65_536 }));
  const server = createServer(fetchListener(fetch));
  server.on("upgrade", sockets.upgrade);
  server.listen(port, host);
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("it listens on no port");
  return address.port;
});
