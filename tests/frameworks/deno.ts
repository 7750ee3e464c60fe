// Plain Deno.serve.

import { handleGetWsBindingToken, isBindingTokenRequest } from "@fhir-ws/binding";
import { createDenoSockets } from "@fhir-ws/binding/server/deno";
import { binder, context, listening, writePatient } from "./setup.ts";

const sockets = createDenoSockets(binder);

async function answer(request: Request): Promise<Response> {
  if (isBindingTokenRequest(request)) return await handleGetWsBindingToken(request, context);
  const { pathname } = new URL(request.url);
  if (pathname === "/ws") return await sockets.upgrade(request);
  const [, id] = /^\/fhir\/R5\/Patient\/([^/]+)$/.exec(pathname) ?? [];
  return id !== undefined && request.method === "PUT"
    ? Response.json(await writePatient(id))
    : new Response(null, { status: 404 });
}

Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: ({ port }) => listening(port) }, answer);
