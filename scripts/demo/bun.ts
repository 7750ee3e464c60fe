/**
 * The demo server on Bun, with the options of `deno task start`.
 *
 * @module
 */
import { type BunServer, type BunSocketHandler, createBunSockets } from "@fhir-ws/binding/server/bun";
import { isSocketRequest } from "./app.ts";
import { launch } from "./launch.ts";

/** As much of Bun as is used, so that the file needs none of its types. */
interface BunRuntime {
  serve(options: {
    readonly hostname: string;
    readonly port: number;
    readonly development: boolean;
    fetch(request: Request, server: BunServer): Promise<Response | undefined>;
    readonly websocket: BunSocketHandler;
  }): { readonly port: number };
}

const { Bun } = globalThis as unknown as { readonly Bun: BunRuntime }; // only ever run there

await launch(({ host, port }, { fetch, admit }) => {
  const sockets = createBunSockets({ admit });
  const server = Bun.serve({
    hostname: host,
    port,
    development: false,
    fetch: (request, server) => isSocketRequest(request) ? sockets.upgrade(request, server) : fetch(request),
    websocket: sockets.websocket,
  });
  return server.port;
});
