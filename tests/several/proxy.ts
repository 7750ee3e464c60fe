// A stretch of network that can be cut.

import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface Proxy {
  readonly port: number;
  /** Connections that go through it. */
  readonly connections: number;
  /** Ends what goes through it, and lets nothing through until it is restored. */
  cut(): void;
  restore(): void;
  close(): void;
}

/** Stands in front of a port of this machine. */
export async function startProxy(target: number): Promise<Proxy> {
  const sockets = new Set<Socket>();
  let isCut = false;

  function join(near: Socket): void {
    if (isCut) return void near.destroy();
    const far = connect(target, "127.0.0.1");
    for (const [from, to] of [[near, far], [far, near]] as const) {
      from.setNoDelay(true);
      sockets.add(from);
      from.on("data", (bytes) => to.write(bytes));
      from.on("error", () => {}); // a close follows
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  }

  const server = createServer(join);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  function cut(): void {
    isCut = true;
    for (const socket of sockets) socket.destroy();
  }
  return {
    port: (server.address() as AddressInfo).port, // of a TCP server
    get connections() {
      return sockets.size / 2;
    },
    cut,
    restore: () => void (isCut = false),
    close() {
      cut();
      server.close();
    },
  };
}
