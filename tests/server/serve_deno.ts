// A server process of the live suite. Imports are relative: any runtime starts it, from wherever the suite runs.
import { createDenoSockets } from "../../adapters/server/deno.ts";
import { endWithParent } from "./parent.ts";
import { createStub } from "./stub_binder.ts";

endWithParent();
const { binder, handle, onError } = createStub();
const sockets = createDenoSockets(binder, { closeTimeout: 1, onError });
const impatient = createDenoSockets(binder, { idleTimeout: 1, onError });

function answer(request: Request): Promise<Response> {
  const { pathname = "/ws/" } = URL.parse(request.url) ?? {}; // which may be none: the adapter's to answer
  if (pathname === "/ws/idle") return impatient.upgrade(request);
  return pathname.startsWith("/ws/") ? sockets.upgrade(request) : handle(request);
}

Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(`Listening on http://127.0.0.1:${port}`),
}, answer);
