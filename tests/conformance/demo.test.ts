import { describe, it } from "node:test";
import { assertEquals } from "@std/assert";
import { bindingToken, refusal, type Running, subscribe, subscription, withDemo } from "../demo/running.ts";
import { connect } from "../demo/sockets.ts";
import { FHIR_VERSIONS } from "../operation/fake_host.ts";
import { items, type JsonObject, member, text } from "./json.ts";

const ORIGIN = "http://127.0.0.1:8103";
const MISSING = [404, "not-found", "Error reading subscription: Not found"];

/** The value of a parameter or element of the status that a Bundle begins with. */
function told(bundle: JsonObject, parameter: string, element: string): unknown {
  const [first = {}] = items(bundle.entry);
  const status = member(first, "resource");
  if (status.resourceType !== "Parameters") return status[element];
  const { name: _, ...value } = items(status.parameter).find(({ name }) => name === parameter) ?? {};
  return Object.values(value)[0];
}

/** Three things that happen to Patients. */
async function happen({ send }: Running, version: string): Promise<void> {
  for (const id of ["p1", "p2", "p3"]) {
    const body = { resourceType: "Patient", id };
    assertEquals(
      (await send({ method: "PUT", path: `/fhir/${version}/Patient/${id}`, user: "alice", body })).status,
      201,
    );
  }
}

describe("the demo's $status and $events", () => {
  for (const version of ["R4", "R4B"] as const) {
    it(`answer at the URL that a handshake in ${version} names`, () =>
      withDemo(async (running) => {
        const id = await subscribe(running, "alice", version, subscription(version, "Patient"));
        await happen(running, version);
        const socket = await connect(running, version);
        socket.send(`bind-with-token ${await bindingToken(running, "alice", version, id)}`);
        const handshake = await socket.next();
        const [first = {}] = items(handshake.entry);
        const { method, url } = member(first, "request");
        const path = text(url).slice(ORIGIN.length);
        const answer = await running.send({ method: text(method), path, user: "alice" });
        assertEquals([answer.status, answer.json.type], [200, "searchset"]);
        for (const bundle of [handshake, answer.json]) {
          assertEquals(told(bundle, "events-since-subscription-start", "eventsSinceSubscriptionStart"), "3");
        }
        assertEquals(told(answer.json, "type", "type"), "query-status");
      }));
  }

  for (const version of FHIR_VERSIONS) {
    it(`tell in ${version} their owner alone of Subscriptions on every channel`, () =>
      withDemo(async (running) => {
        const { send } = running;
        const base = `/fhir/${version}/Subscription`;
        const live = await subscribe(running, "alice", version, subscription(version, "Patient"));
        const hook = version === "R5" ? { channelType: { code: "rest-hook" } } : { channel: { type: "rest-hook" } };
        const other = await subscribe(running, "alice", version, subscription(version, "Patient", hook));
        const off = await subscribe(running, "alice", version, subscription(version, "Patient", { status: "off" }));
        await happen(running, version);

        const all = await send({ path: `${base}/$status`, user: "alice" });
        assertEquals([all.status, all.json.total], [200, 3]);
        assertEquals((await send({ path: `${base}/$status?status=off`, user: "alice" })).json.total, 1);
        assertEquals((await send({ path: `${base}/$status`, user: "bob" })).json.total, 0);
        assertEquals((await send({ path: `${base}/$status?id=${live}`, user: "bob" })).json.total, 0);
        for (const id of [live, other, off]) {
          for (const operation of ["$status", "$events", "%24status", "%24events"]) {
            const path = `${base}/${id}/${operation}`;
            assertEquals((await send({ path, user: "alice" })).status, 200);
            assertEquals(refusal(await send({ path, user: "bob" })), MISSING);
            assertEquals((await send({ path })).status, 401);
          }
        }
        const events = await send({ path: `${base}/${live}/$events?eventsSinceNumber=2`, user: "alice" });
        const resources = items(events.json.entry).slice(1).map((entry) => member(entry, "resource").id);
        assertEquals(resources, ["p2", "p3"]);
      }));
  }

  it("are not there below another path", () =>
    withDemo(async ({ send }) => {
      for (const path of ["/fhir/R4/Subscription/a/b/$status", "/fhir/R4/Patient/Subscription/a/$events"]) {
        assertEquals((await send({ path, user: "alice" })).status, 404);
      }
    }));
});

describe("the demo's OperationDefinitions", () => {
  const path = "/fhir/R4/OperationDefinition/Subscription-status";

  for (const version of FHIR_VERSIONS) {
    it(`are where they say that they are in ${version}`, () =>
      withDemo(async ({ send }) => {
        for (const code of ["get-ws-binding-token", "status", "events"]) {
          const one = `/fhir/${version}/OperationDefinition/Subscription-${code}`;
          const { json } = await send({ path: one, user: "bob" });
          assertEquals([json.url, json.code], [ORIGIN + one, code]);
        }
      }));
  }

  it("are read and nothing else, as JSON, by users", () =>
    withDemo(async ({ send }) => {
      assertEquals(refusal(await send({ path })).slice(0, 2), [401, "login"]);
      const refused = await send({ path, method: "PUT", user: "alice", body: {} });
      assertEquals([refused.status, refused.headers.get("allow")], [405, "GET, HEAD, OPTIONS"]);
      assertEquals((await send({ path, user: "alice", headers: { accept: "application/fhir+xml" } })).status, 406);
      const head = await send({ path, method: "HEAD", user: "alice" });
      assertEquals([head.status, head.text], [200, ""]);
    }));

  it("leave room for those of users", () =>
    withDemo(async ({ send }) => {
      const own = "/fhir/R4/OperationDefinition/mine";
      const body = { resourceType: "OperationDefinition", id: "mine" };
      assertEquals((await send({ path: own, method: "PUT", user: "alice", body })).status, 201);
      assertEquals((await send({ path: own, user: "alice" })).json.id, "mine");
      assertEquals((await send({ path: own, user: "bob" })).status, 404);
    }));
});
