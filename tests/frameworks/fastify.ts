// Fastify. A hook takes the operation before the router and the body's parser, which knows no `application/fhir+json`.

import { fastify } from "fastify";
// @ts-types="ws-types"
import { WebSocketServer } from "ws";
import { handleGetWsBindingToken } from "@fhir-ws/binding";
import { createNodeSockets, fetchListener } from "@fhir-ws/binding/server/node";
import { binder, context, listening, writePatient } from "./setup.ts";

const OPERATION = /^\/fhir\/R5\/Subscription(?:\/[^/]+)?\/(?:\$|%24)get-ws-binding-token(?:\?|$)/;

const app = fastify();
const operation = fetchListener((request) => handleGetWsBindingToken(request, context));
app.addHook("onRequest", (request, reply, next) => {
  if (!OPERATION.test(request.url)) return next();
  reply.hijack();
  operation(request.raw, reply.raw);
});
app.put<{ Params: { id: string } }>("/fhir/R5/Patient/:id", ({ params }) => writePatient(params.id));

const sockets = createNodeSockets(binder, new WebSocketServer({ noServer: true, maxPayload: 65_536 }));
app.server.on("upgrade", sockets.upgrade);
listening(Number(new URL(await app.listen({ host: "127.0.0.1", port: 0 })).port));
