import { assertEquals, fail } from "@std/assert";
import { after, before, describe, it } from "node:test";
import process from "node:process";
import { type AdapterLimits, adapterSuite } from "./adapter_suite.ts";
import { executable, type RuntimeName, type ServerProcess, startServer } from "./runtimes.ts";

const RUNTIMES: { readonly [name in RuntimeName]: AdapterLimits } = {
  deno: {
    ping: "Deno has no ping, its idleTimeout does it",
    terminate: "Deno cannot cut a connection",
    unmasked: "Deno 2.9 takes unmasked frames from clients",
  },
  node: { idle: "ws does not ping, the library's session does" },
  bun: {
    idle: "Bun's idleTimeout is 8 seconds or more, and the library's session pings before",
    early: "Bun answers 400 to a client that sends frames before it was answered",
  },
};

for (const [name, limits] of Object.entries(RUNTIMES) as [RuntimeName, AdapterLimits][]) {
  const reason = `no ${name} to start: TEST_${name.toUpperCase()} is not set`;
  if (executable(name) !== undefined) {
    describe(`server/${name}`, () => {
      let server: ServerProcess;
      before(async () => {
        server = await startServer(name);
      });
      after(async () => {
        const code = await server.stop();
        if (code !== undefined) fail(`the server ended with ${code}: ${server.stderr()}`);
      });
      adapterSuite({ server: () => server, limits });
      it("leaves nothing on the standard error", () => assertEquals(server.stderr(), ""));
    });
  } else if (process.env.CI) {
    it(`server/${name} has a runtime`, () => fail(reason));
  } else {
    it(`server/${name}`, { skip: reason }, () => {});
  }
}
