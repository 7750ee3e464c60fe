// Hono on Node. Its router does not take `%24` for `$`, so the operation is asked for before it: as middleware.

import { serve } from "@hono/node-server";
import { Hono } from "hono";
// @ts-types="ws-types"
import { WebSocketServer } from "ws";
import { handleGetWsBindingToken, isBindingTokenRequest } from "@fhir-ws/binding";
import { createNodeSockets } from "@fhir-ws/binding/server/node";
import { binder, context, listening, writePatient } from "./setup.ts";

const app = new Hono();
app.use("/fhir/R5/*", ({ req }, next) => {
  return isBindingTokenRequest(req.raw) ? handleGetWsBindingToken(req.raw, context) : next();
});
app.put("/fhir/R5/Patient/:id", async (c) => c.json(await writePatient(c.req.param("id"))));

const sockets = createNodeSockets(binder, new WebSocketServer({ noServer: true, maxPayload: 65_536 }));
const options = { fetch: app.fetch, hostname: "127.0.0.1", port: 0 };
serve(options, ({ port }) => listening(port)).on("upgrade", sockets.upgrade);
