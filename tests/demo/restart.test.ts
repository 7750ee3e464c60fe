import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import { assertEquals } from "@std/assert";
import {
  bindingToken,
  first,
  type JsonObject,
  object,
  subscribe,
  subscription,
  withDemo,
  withFile,
} from "./running.ts";
import { connect } from "./sockets.ts";

/** Leaves a file as a crash at the worst moment would. */
function tamper(db: string, sql: string): void {
  const connection = new DatabaseSync(db);
  connection.exec(sql);
  connection.close();
}

/** The status resource of a notification of R5. */
function status(bundle: JsonObject): JsonObject {
  return object(first(bundle.entry).resource);
}

describe("a demo that starts again with its file", () => {
  for (const tokens of ["jwt", "opaque"] as const) {
    it(`knows its resources, access tokens, ${tokens} binding tokens and event numbers`, () =>
      withFile(async (db) => {
        let accessToken = "";
        let token = "";
        let id = "";
        await withDemo(async (running) => {
          accessToken = await running.login("alice");
          id = await subscribe(running, "alice", "R5", subscription("R5", "Patient"));
          token = await bindingToken(running, "alice", "R5", id);
          const body = { resourceType: "Patient" };
          await running.send({ method: "POST", path: "/fhir/R5/Patient", user: "alice", body });
        }, { db, tokens });
        await withDemo(async (running) => {
          const headers = { authorization: `Bearer ${accessToken}` };
          assertEquals((await running.send({ path: `/fhir/R5/Subscription/${id}`, headers })).json.id, id);
          const socket = await connect(running, "R5");
          socket.send(`bind-with-token ${token}`);
          assertEquals(status(await socket.next()).eventsSinceSubscriptionStart, "1");
        }, { db, tokens });
      }));
  }

  it("has keys that no other file has", () =>
    withFile(async (db) => {
      let authorization = "";
      await withDemo(async ({ login }) => {
        authorization = `Bearer ${await login("alice")}`;
      });
      await withDemo(async ({ send }) => {
        assertEquals((await send({ path: "/auth/me", headers: { authorization } })).status, 401);
      }, { db });
    }));

  it("keeps resources by version and binding tokens by base when its address changes", () =>
    withFile(async (db) => {
      const body = { ...subscription("R5", "Patient"), id: "s1" };
      let token = "";
      await withDemo(async (running) => {
        await running.send({ method: "PUT", path: "/fhir/R5/Subscription/s1", user: "alice", body });
        token = await bindingToken(running, "alice", "R5", "s1");
        const patient = { resourceType: "Patient" };
        await running.send({ method: "POST", path: "/fhir/R5/Patient", user: "alice", body: patient });
      }, { db });
      await withDemo(async (running) => {
        assertEquals((await running.send({ path: "/fhir/R5/Subscription/s1", user: "alice" })).status, 200);
        const socket = await connect(running, "R5");
        socket.send(`bind-with-token ${token}`);
        assertEquals(first((await socket.next()).issue).code, "unknown");
        socket.send(`bind-with-token ${await bindingToken(running, "alice", "R5", "s1")}`);
        assertEquals(status(await socket.next()).eventsSinceSubscriptionStart, "0");
      }, { db, origin: "https://demo.example.org" });
    }));

  it("gives a Subscription that was bound when it crashed an hour", () =>
    withFile(async (db) => {
      let id = "";
      await withDemo(async (running) => {
        id = await subscribe(running, "alice", "R5", subscription("R5", "Patient"));
      }, { db });
      tamper(db, "UPDATE watch SET due_at = NULL");
      await withDemo(async ({ send, pass }) => {
        const call = { path: `/fhir/R5/Subscription/${id}`, user: "alice" };
        pass(3599);
        assertEquals((await send(call)).json.status, "active");
        pass(1);
        assertEquals((await send(call)).json.status, "off");
      }, { db });
    }));

  it("ends what is left of a Subscription that it deleted when it crashed", () =>
    withFile(async (db) => {
      const call = { method: "PUT", path: "/fhir/R5/Subscription/s1", user: "alice" };
      const body = { ...subscription("R5", "Patient"), id: "s1" };
      let token = "";
      await withDemo(async (running) => {
        await running.send({ ...call, body });
        token = await bindingToken(running, "alice", "R5", "s1");
        const patient = { resourceType: "Patient" };
        await running.send({ method: "POST", path: "/fhir/R5/Patient", user: "alice", body: patient });
      }, { db });
      tamper(db, "DELETE FROM resource WHERE type = 'Subscription'; DELETE FROM watch");
      await withDemo(async (running) => {
        await running.send({ ...call, body });
        const socket = await connect(running, "R5");
        socket.send(`bind-with-token ${token}`);
        assertEquals(first((await socket.next()).issue).code, "unknown");
        socket.send(`bind-with-token ${await bindingToken(running, "alice", "R5", "s1")}`);
        assertEquals(status(await socket.next()).eventsSinceSubscriptionStart, "0");
      }, { db });
    }));
});
