// Elysia on Bun. `onRequest` comes before the router, so `$` and `%24` make no difference. Bun takes one handler for all
// sockets of a server: Elysia is its `fetch`, and the library has the sockets.

import { Elysia } from "elysia";
import { handleGetWsBindingToken, isBindingTokenRequest } from "@fhir-ws/binding";
import { type BunServer, type BunSocketHandler, createBunSockets } from "@fhir-ws/binding/server/bun";
import { binder, context, listening, writePatient } from "./setup.ts";

/** As much as is called here. */
declare const Bun: {
  serve(options: {
    readonly hostname: string;
    readonly port: number;
    fetch(request: Request, server: BunServer): Promise<Response | undefined> | Response;
    readonly websocket: BunSocketHandler;
  }): { readonly port: number };
};

const app = new Elysia()
  .onRequest(({ request }) => isBindingTokenRequest(request) ? handleGetWsBindingToken(request, context) : undefined)
  .put("/fhir/R5/Patient/:id", ({ params }) => writePatient(params.id));

const sockets = createBunSockets(binder);
const { port } = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: (request, server) =>
    new URL(request.url).pathname === "/ws" ? sockets.upgrade(request, server) : app.fetch(request),
  websocket: sockets.websocket,
});
listening(port);
