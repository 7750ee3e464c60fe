import { assertEquals } from "@std/assert";
import { describe, test } from "node:test";
import { inHarness } from "./harness.ts";

describe("a store that hangs during a bind", () => {
  for (const name of ["verify", "read", "listen", "revocations", "heads", "redeem"] as const) {
    test(
      `"${name}": no-store after storeTimeout, other sockets untouched`,
      inHarness({ singleUse: true, storeTimeout: 2000, limits: { bindDeadline: 60 } }, async (h) => {
        await h.put("s1");
        const socket = await h.open();
        const frame = `bind-with-token ${await h.mint(["s1"])}`;
        h.host.hang(name);
        await socket.say(frame, { type: "ping" });
        const other = await h.open();
        await other.say({ type: "ping" });
        assertEquals(other.story(), ["pong"]);
        h.host.heal(name);
        await h.put("s2");
        // Listening is done once for all sockets: who binds meanwhile waits for the same answer.
        if (name !== "listen" && name !== "revocations") {
          assertEquals((await h.bind(other, await h.mint(["s2"]))).length, 1);
        }
        await h.advance(1999);
        assertEquals(socket.story(), []);
        await h.advance(1);
        assertEquals(socket.story(), ["no-store", "pong"]);
        const during = ({ listen: "bus", revocations: "verify", heads: "log" } as const)[name as "listen"] ?? name;
        assertEquals(h.toldOf("error").map((event) => event.during), [during]);
        await socket.say(frame);
        assertEquals(socket.story(), ["handshake s1 0"]);
      }),
    );
  }
});
