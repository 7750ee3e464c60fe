// A server process of the live suite. Imports are relative: any runtime starts it, from wherever the suite runs.
import { createServer } from "node:http";
import process from "node:process";
import { createNodeSockets, fetchListener } from "../../adapters/server/node.ts";
import { endWithParent } from "./parent.ts";
import { createStub } from "./stub_binder.ts";

// Where a test on another runtime has found the package; Node alone would not find it there.
const { WebSocketServer } = await import(process.env.TEST_WS ?? "ws");

endWithParent();
const { binder, handle, onError } = createStub();
const wss = new WebSocketServer({ noServer: true, maxPayload: 65_536, closeTimeout: 1000 });
const sockets = createNodeSockets(binder, wss, { onError });

const server = createServer(fetchListener(async (request) => {
  if (!new URL(request.url).pathname.startsWith("/ws/")) return await handle(request);
  const { refused } = await binder.admit(request); // a plain request for a socket's path
  return refused ?? new Response(null, { status: 426 });
}, { onError }));
server.on("upgrade", sockets.upgrade);
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (address !== null && typeof address === "object") console.log(`Listening on http://127.0.0.1:${address.port}`);
});
