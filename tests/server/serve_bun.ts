// A server process of the live suite. Imports are relative: any runtime starts it, from wherever the suite runs.
import { type BunServer, type BunSocketHandler, createBunSockets } from "../../adapters/server/bun.ts";
import { endWithParent } from "./parent.ts";
import { createStub } from "./stub_binder.ts";

declare const Bun: {
  serve(options: {
    hostname: string;
    port: number;
    fetch(request: Request, server: BunServer): Promise<Response | undefined>;
    websocket: BunSocketHandler;
  }): { readonly port: number };
};

endWithParent();
const { binder, handle, onError } = createStub();
const sockets = createBunSockets(binder, { onError });

const { port } = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: (request, server) => {
    const { pathname = "/ws/" } = URL.parse(request.url) ?? {}; // which may be none: the adapter's to answer
    return pathname.startsWith("/ws/") ? sockets.upgrade(request, server) : handle(request);
  },
  websocket: sockets.websocket,
});
console.log(`Listening on http://127.0.0.1:${port}`);
