/**
 * The demo server on Deno: `deno task start --help`.
 *
 * @module
 */
import { createDenoSockets } from "@fhir-ws/binding/server/deno";
import { isSocketRequest } from "./app.ts";
import { launch } from "./launch.ts";

await launch(({ host, port }, { fetch, admit }) => {
  const sockets = createDenoSockets({ admit });
  const server = Deno.serve(
    { hostname: host, port, onListen() {} },
    (request) => isSocketRequest(request) ? sockets.upgrade(request) : fetch(request),
  );
  return server.addr.port;
});
