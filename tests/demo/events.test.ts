import { assertEquals, assertNotEquals } from "@std/assert";
import { describe, it } from "node:test";
import {
  bindingToken,
  first,
  type JsonObject,
  object,
  refusal,
  type Running,
  subscribe,
  subscription,
  withDemo,
} from "./running.ts";
import { connect, type TestSocket } from "./sockets.ts";

const VERSIONS = ["R4", "R4B", "R5"] as const;

/** What a notification says, in whichever FHIR version. */
function status(bundle: JsonObject): { type: unknown; events: unknown; number?: unknown; focus?: unknown } {
  const resource = object(first(bundle.entry).resource);
  if (resource.resourceType !== "Parameters") {
    const [event] = (resource.notificationEvent ?? []) as JsonObject[];
    const focus = event?.focus === undefined ? undefined : object(event.focus).reference;
    return { type: resource.type, events: resource.eventsSinceSubscriptionStart, number: event?.eventNumber, focus };
  }
  const value = (list: unknown, name: string): unknown => {
    const found = (list as JsonObject[] | undefined)?.find((one) => one.name === name);
    return found?.part ?? Object.values(found ?? {})[1];
  };
  const event = value(resource.parameter, "notification-event");
  const focus = value(event, "focus") as JsonObject | undefined;
  return {
    type: value(resource.parameter, "type"),
    events: value(resource.parameter, "events-since-subscription-start"),
    number: value(event, "event-number"),
    focus: focus?.reference,
  };
}

/** A socket on which one Subscription is bound. */
async function listen(running: Running, version: string, id: string, user = "alice"): Promise<TestSocket> {
  const socket = await connect(running, version);
  socket.send(`bind-with-token ${await bindingToken(running, user, version, id)}`);
  assertEquals(status(await socket.next()).type, "handshake");
  return socket;
}

/** The end of a reference, whether it is absolute or not. */
function relative(focus: unknown): string {
  return String(focus).split("/").slice(-2).join("/");
}

describe("an event", () => {
  for (const version of VERSIONS) {
    it(`is raised in ${version} by a create, an update and a delete, with the resource unless it is gone`, () =>
      withDemo(async (running) => {
        const { send } = running;
        const id = await subscribe(running, "alice", version, subscription(version, "Patient"));
        const socket = await listen(running, version, id);
        const path = `/fhir/${version}/Patient/p1`;
        const body = { resourceType: "Patient", id: "p1", active: true };
        await send({ method: "PUT", path, user: "alice", body });
        await send({ method: "PUT", path, user: "alice", body: { ...body, active: false } });
        await send({ method: "DELETE", path, user: "alice" });
        await send({ method: "POST", path: `/fhir/${version}/Patient`, user: "alice", body });
        for (const [number, active] of [["1", true], ["2", false], ["3", undefined], ["4", true]]) {
          const bundle = await socket.next();
          const event = status(bundle);
          assertEquals([event.type, event.events, event.number], ["event-notification", number, number]);
          if (number !== "4") assertEquals(relative(event.focus), "Patient/p1");
          const [, entry] = bundle.entry as JsonObject[];
          assertEquals((entry?.resource as JsonObject | undefined)?.active, active);
        }
      }));
  }

  it("is raised by what an R4 search matches, a delete by its last version", () =>
    withDemo(async (running) => {
      const { send } = running;
      const criteria = "Patient?active=true&gender=female";
      const id = await subscribe(running, "alice", "R4", subscription("R4", "Patient", { criteria, status: "active" }));
      const socket = await listen(running, "R4", id);
      const path = "/fhir/R4/Patient/p1";
      const write = (more: JsonObject) =>
        send({ method: "PUT", path, user: "alice", body: { resourceType: "Patient", id: "p1", ...more } });
      await write({ active: true, gender: "male" });
      await write({ active: true, gender: "female" });
      assertEquals(status(await socket.next()).number, "1");
      await send({ method: "DELETE", path, user: "alice" });
      assertEquals(status(await socket.next()).number, "2");
      await write({ active: true, gender: "female" });
      assertEquals(status(await socket.next()).number, "3");
      await write({ active: false, gender: "female" });
      await send({ method: "DELETE", path, user: "alice" });
      await write({ active: true, gender: "female" });
      assertEquals(status(await socket.next()).number, "4", "the delete of what did not match was none");
    }));

  it("is for Subscriptions of the same owner and base alone", () =>
    withDemo(async (running) => {
      const { send } = running;
      const hers = await subscribe(running, "alice", "R4", subscription("R4", "Patient"));
      const his = await subscribe(running, "bob", "R4", subscription("R4", "Patient"));
      const elsewhere = await subscribe(running, "alice", "R4B", subscription("R4B", "Patient"));
      await send({ method: "POST", path: "/fhir/R4/Patient", user: "alice", body: { resourceType: "Patient" } });
      for (
        const [user, version, id, count] of [["alice", "R4", hers, "1"], ["bob", "R4", his, "0"], [
          "alice",
          "R4B",
          elsewhere,
          "0",
        ]]
      ) {
        const socket = await connect(running, String(version));
        socket.send(`bind-with-token ${await bindingToken(running, String(user), String(version), String(id))}`);
        assertEquals(status(await socket.next()).events, count);
      }
    }));

  it("counts while the Subscription is in error, and not while it is off", () =>
    withDemo(async (running) => {
      const { send } = running;
      const id = await subscribe(running, "alice", "R4", subscription("R4", "Patient"));
      const change = (status: string) =>
        send({
          method: "PUT",
          path: `/fhir/R4/Subscription/${id}`,
          user: "alice",
          body: { ...subscription("R4", "Patient", { status }), id },
        });
      const patient = { method: "POST", path: "/fhir/R4/Patient", user: "alice", body: { resourceType: "Patient" } };
      await send(patient);
      await change("error");
      await send(patient);
      await change("off");
      await send(patient);
      await change("requested");
      const socket = await connect(running, "R4");
      socket.send(`bind-with-token ${await bindingToken(running, "alice", "R4", id)}`);
      assertEquals(status(await socket.next()).events, "2");
    }));

  it("is no event for a Subscription that it creates", () =>
    withDemo(async (running) => {
      const topic = subscription("R4", "Subscription");
      const old = await subscribe(running, "alice", "R4", topic);
      const young = await subscribe(running, "alice", "R4", topic);
      const socket = await connect(running, "R4");
      socket.send(`bind-with-token ${await bindingToken(running, "alice", "R4", old)}`);
      assertEquals(status(await socket.next()).events, "1");
      socket.send(`bind-with-token ${await bindingToken(running, "alice", "R4", young)}`);
      assertEquals(status(await socket.next()).events, "0");
    }));

  it("comes in the order of the writes when many are written at once", () =>
    withDemo(async (running) => {
      const { send, login } = running;
      await login("alice");
      const id = await subscribe(running, "alice", "R5", subscription("R5", "Basic"));
      const socket = await listen(running, "R5", id);
      const path = "/fhir/R5/Basic/b1";
      const body = { resourceType: "Basic", id: "b1" };
      await Promise.all(Array.from({ length: 20 }, () => send({ method: "PUT", path, user: "alice", body })));
      for (let n = 1; n <= 20; n++) {
        const bundle = await socket.next();
        const [, entry] = bundle.entry as JsonObject[];
        assertEquals(status(bundle).number, String(n));
        assertEquals(object(object(entry?.resource).meta).versionId, String(n));
      }
    }));
});

describe("the JSON dialect", () => {
  it("binds, pings, renews and unbinds as the Medplum client does", () =>
    withDemo(async (running) => {
      const { send } = running;
      const criteria = "Communication?status=completed";
      const id = await subscribe(
        running,
        "alice",
        "R4",
        subscription("R4", "Communication", { criteria, status: "active" }),
      );
      const token = await bindingToken(running, "alice", "R4", id);
      const socket = await connect(running, "R4");
      const command = (type: string, token?: string) =>
        socket.send(JSON.stringify({ type, ...(token && { payload: { token } }) }));
      command("unbind-from-token", "a-token-of-yesterday");
      command("bind-with-token", token);
      for (let n = 0; n < 2; n++) {
        const handshake = object(first((await socket.next()).entry).resource);
        assertEquals([handshake.resourceType, handshake.type], ["SubscriptionStatus", "handshake"]);
        assertEquals(object(handshake.subscription).reference, `Subscription/${id}`);
        if (n === 0) command("bind-with-token", await bindingToken(running, "alice", "R4", id));
      }
      command("ping");
      assertEquals(await socket.next(), { type: "pong" });
      const body = { resourceType: "Communication", status: "completed" };
      await send({ method: "POST", path: "/fhir/R4/Communication", user: "alice", body });
      const { entry } = await socket.next();
      const [notification, resource] = entry as JsonObject[];
      assertEquals(object(notification?.resource).type, "event-notification");
      assertEquals(object(resource?.resource).status, "completed");
    }));
});

describe("a token", () => {
  it("binds from the socket's URL", () =>
    withDemo(async (running) => {
      const id = await subscribe(running, "alice", "R4", subscription("R4", "Patient"));
      const socket = await connect(running, "R4", `?token=${await bindingToken(running, "alice", "R4", id)}`);
      assertEquals(status(await socket.next()).type, "handshake");
    }));

  for (const tokens of ["jwt", "opaque"] as const) {
    it(`binds once when it is ${tokens} and single-use`, () =>
      withDemo(async (running) => {
        const id = await subscribe(running, "alice", "R4", subscription("R4", "Patient"));
        const token = await bindingToken(running, "alice", "R4", id);
        const [one, two] = [await connect(running, "R4"), await connect(running, "R4")];
        one.send(`bind-with-token ${token}`);
        assertEquals(status(await one.next()).type, "handshake");
        two.send(`bind-with-token ${token}`);
        assertEquals(first((await two.next()).issue).code, "unknown");
      }, { tokens, singleUse: true }));

    it(`binds on no other base when it is ${tokens}`, () =>
      withDemo(async (running) => {
        const body = { ...subscription("R4", "Patient"), id: "s1" };
        for (const version of ["R4", "R4B"]) {
          await running.send({ method: "PUT", path: `/fhir/${version}/Subscription/s1`, user: "alice", body });
        }
        const socket = await connect(running, "R4B");
        socket.send(`bind-with-token ${await bindingToken(running, "alice", "R4", "s1")}`);
        assertEquals(first((await socket.next()).issue).code, "unknown");
      }, { tokens }));

    it(`dies with its Subscription when it is ${tokens}, also for one of the same id`, () =>
      withDemo(async (running) => {
        const { send } = running;
        const path = "/fhir/R4/Subscription/s1";
        const body = { ...subscription("R4", "Patient"), id: "s1" };
        await send({ method: "PUT", path, user: "alice", body });
        const token = await bindingToken(running, "alice", "R4", "s1");
        await send({ method: "POST", path: "/fhir/R4/Patient", user: "alice", body: { resourceType: "Patient" } });
        assertEquals((await send({ method: "DELETE", path, user: "alice" })).status, 204);
        await send({ method: "PUT", path, user: "alice", body });
        const socket = await connect(running, "R4");
        socket.send(`bind-with-token ${token}`);
        assertEquals(first((await socket.next()).issue).code, "unknown");
        socket.send(`bind-with-token ${await bindingToken(running, "alice", "R4", "s1")}`);
        assertEquals(status(await socket.next()).events, "0", "its count starts again");
      }, { tokens }));
  }

  it("of REST does not bind", () =>
    withDemo(async (running) => {
      const socket = await connect(running, "R4");
      socket.send(`bind-with-token ${await running.login("alice")}`);
      assertEquals(first((await socket.next()).issue).code, "unknown");
    }));
});

describe("a binding", () => {
  it("ends as not-found when its Subscription is deleted", () =>
    withDemo(async (running) => {
      const id = await subscribe(running, "alice", "R4", subscription("R4", "Patient"));
      const socket = await listen(running, "R4", id);
      await running.send({ method: "DELETE", path: `/fhir/R4/Subscription/${id}`, user: "alice" });
      const issue = first((await socket.next()).issue);
      assertEquals([issue.code, issue.diagnostics], ["not-found", `Subscription/${id}`]);
      assertEquals(await socket.closed, 1008);
    }));

  it("ends as business-rule when its Subscription is turned off, or put on another channel", () =>
    withDemo(async (running) => {
      for (const more of [{ status: "off" }, { channel: { type: "email" } }]) {
        const id = await subscribe(running, "alice", "R4", subscription("R4", "Patient"));
        const socket = await listen(running, "R4", id);
        const body = { ...subscription("R4", "Patient", more), id };
        await running.send({ method: "PUT", path: `/fhir/R4/Subscription/${id}`, user: "alice", body });
        assertEquals(first((await socket.next()).issue).code, "business-rule");
        assertEquals(await socket.closed, 1008);
      }
    }));

  it("is told nothing of a write that was refused", () =>
    withDemo(async (running) => {
      const id = await subscribe(running, "alice", "R4", subscription("R4", "Patient"));
      const socket = await listen(running, "R4", id);
      const bad = await running.send({ method: "POST", path: "/fhir/R4/Patient", user: "alice", body: "{}" });
      assertEquals(refusal(bad)[0], 400);
      assertEquals(socket.waiting, []);
    }));
});

describe("close", () => {
  it("closes every socket with 1001", async () => {
    const closed: Promise<number>[] = [];
    await withDemo(async (running) => {
      const id = await subscribe(running, "alice", "R4", subscription("R4", "Patient"));
      closed.push((await listen(running, "R4", id)).closed, (await connect(running, "R5")).closed);
    });
    assertEquals(await Promise.all(closed), [1001, 1001]);
    assertNotEquals(closed.length, 0);
  });
});
