// Express. A route that is a pattern matches `$` and `%24` alike. It stands before `express.json()`: the operation reads
// its body itself.

import { createServer } from "node:http";
// @ts-types="express-types"
import express from "express";
// @ts-types="ws-types"
import { WebSocketServer } from "ws";
import { handleGetWsBindingToken } from "@fhir-ws/binding";
import { createNodeSockets, fetchListener } from "@fhir-ws/binding/server/node";
import { binder, context, listening, writePatient } from "./setup.ts";

const app = express();
const operation = fetchListener((request) => handleGetWsBindingToken(request, context));
app.all(/^\/fhir\/R5\/Subscription(?:\/[^/]+)?\/(?:\$|%24)get-ws-binding-token$/, operation);
app.use(express.json({ type: "application/fhir+json" }));
app.put("/fhir/R5/Patient/:id", async (request, response) => {
  response.json(await writePatient(request.params.id));
});

const sockets = createNodeSockets(binder, new WebSocketServer({ noServer: true, maxPayload: 65_536 }));
const server = createServer(app).on("upgrade", sockets.upgrade).listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (address !== null && typeof address === "object") listening(address.port);
});
