import { assertEquals } from "@std/assert";
import { describe, it } from "node:test";
import { type Answer, bindingToken, first, type Running, subscribe, subscription, withDemo } from "./running.ts";
import { connect } from "./sockets.ts";

const FORM = { "content-type": "application/x-www-form-urlencoded" };

function revoke({ send }: Running, user: string | undefined, form: string, headers = FORM): Promise<Answer> {
  return send({ method: "POST", path: "/oauth2/revoke", body: form, headers, ...(user !== undefined && { user }) });
}

describe("POST /oauth2/revoke", () => {
  for (const tokens of ["jwt", "opaque"] as const) {
    it(`ends what the caller's own ${tokens} token has bound, and the token`, () =>
      withDemo(async (running) => {
        const id = await subscribe(running, "alice", "R5", subscription("R5", "Patient"));
        const token = await bindingToken(running, "alice", "R5", id);
        const socket = await connect(running, "R5");
        socket.send(`bind-with-token ${token}`);
        assertEquals((await socket.next()).resourceType, "Bundle");
        const { status, text, headers } = await revoke(running, "alice", `token=${token}`);
        assertEquals([status, text, headers.get("cache-control")], [200, "", "no-store"]);
        assertEquals(first((await socket.next()).issue).code, "unknown");
        assertEquals(await socket.closed, 1008);
        const other = await connect(running, "R5");
        other.send(`bind-with-token ${token}`);
        assertEquals(first((await other.next()).issue).code, "unknown");
        other.leave();
      }, { tokens }));

    it(`answers another's ${tokens} token like an unknown one, and leaves it alone`, () =>
      withDemo(async (running) => {
        const id = await subscribe(running, "alice", "R4", subscription("R4", "Patient"));
        const token = await bindingToken(running, "alice", "R4", id);
        for (const form of [`token=${token}`, "token=nonsense", "token="]) {
          const { status, text } = await revoke(running, "bob", form);
          assertEquals([status, text], [200, ""]);
        }
        const socket = await connect(running, "R4");
        socket.send(`bind-with-token ${token}`);
        assertEquals((await socket.next()).resourceType, "Bundle");
        socket.leave();
      }, { tokens }));
  }

  it("has nothing against a token that has expired", () =>
    withDemo(async (running) => {
      const id = await subscribe(running, "alice", "R4", subscription("R4", "Patient"));
      const token = await bindingToken(running, "alice", "R4", id);
      running.pass(61);
      assertEquals((await revoke(running, "alice", `token=${token}`)).status, 200);
    }, { tokenLifetime: 60 }));

  it("refuses strangers, other methods and what is no form with a token", () =>
    withDemo(async (running) => {
      assertEquals((await revoke(running, undefined, "token=x")).status, 401);
      assertEquals((await running.send({ path: "/oauth2/revoke", user: "alice" })).status, 405);
      for (const form of ["", "toke=x", "token=x&token=y"]) {
        const { status, json } = await revoke(running, "alice", form);
        assertEquals([status, json.error], [400, "invalid_request"], form);
      }
      const { status, json } = await revoke(running, "alice", "token=x", { "content-type": "text/plain" });
      assertEquals([status, json.error], [400, "invalid_request"]);
    }));
});
