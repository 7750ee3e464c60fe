// Numbers: what is new, what has come before, what is missing; and how bindings end.

import { assert, assertEquals } from "@std/assert";
import { describe, it } from "node:test";
import { goodServer, history, json, notification, outcome, parameters, read, watch } from "./stub.ts";

describe("subscribe", () => {
  it("delivers each number once, in order, and tells of gaps once", async () => {
    const client = watch(goodServer());
    await client.until(() => client.all("bound").length === 1);
    const [socket] = client.sockets;
    for (const numbers of [[1], [1], [3, 2], [2, 3, 4], [7], [9], [9, 8]]) {
      socket?.tell(notification("event-notification", Math.max(...numbers), numbers));
    }
    client.close();
    assertEquals(client.numbers(), [1, 2, 3, 4, 7, 9]);
    assertEquals(client.all("gap").map(({ from, to }) => [from, to]), [[5, 6], [8, 8]]);
  });

  it("reads a notification without events by its count", async () => {
    const client = watch(goodServer());
    await client.until(() => client.all("bound").length === 1);
    client.sockets[0]?.tell(notification("event-notification", 1));
    client.sockets[0]?.tell(history("event-notification", 2));
    client.close();
    assertEquals(client.numbers(), [1, 2]);
  });

  it("asks for what it missed after the socket was cut, and is told it once", async () => {
    let head = 0;
    const client = watch(goodServer({
      hear(socket, frame) {
        const { payload } = read(frame);
        socket.tell(notification("handshake", head));
        const since = Number((payload?.eventsSinceNumber as Record<string, string> | undefined)?.s1 ?? head + 1);
        for (let n = Math.max(1, since - 1); n <= head; n++) socket.tell(notification("event-notification", n, [n]));
      },
    }));
    await client.until(() => client.all("bound").length === 1);
    client.sockets[0]?.tell(notification("event-notification", ++head, [head]));
    head += 3;
    client.sockets[0]?.cut();
    await client.until(() => client.numbers().length === 4);
    client.close();
    assertEquals(read(client.sockets[0]?.frames[0]).payload, { token: "t1" });
    assertEquals(read(client.sockets[1]?.frames[0]).payload, { token: "t1", eventsSinceNumber: { s1: "2" } });
    assertEquals(client.numbers(), [1, 2, 3, 4]);
    assertEquals(client.all("gap"), []);
  });

  it("tells of what the server did not make up for, and takes it when it comes late", async () => {
    let head = 2;
    const client = watch(goodServer({ head: () => head }), { dialect: "text", timeout: 0.03 });
    await client.until(() => client.all("bound").length === 1);
    head = 5;
    client.sockets[0]?.cut();
    await client.until(() => client.all("gap").length === 1);
    assertEquals(client.sockets[1]?.frames, ["bind-with-token t1"]);
    for (const n of [4, 6]) client.sockets[1]?.tell(notification("event-notification", n, [n]));
    client.close();
    assertEquals(client.all("gap").map(({ from, to }) => [from, to]), [[3, 5]]);
    assertEquals(client.numbers(), [4, 6]);
  });

  it("begins where the caller left off", async () => {
    const client = watch(goodServer({ head: () => 9 }), { since: { s1: 7 } });
    await client.until(() => client.all("bound").length === 1);
    client.sockets[0]?.tell(notification("event-notification", 6, [6]));
    client.sockets[0]?.tell(notification("event-notification", 7, [7]));
    client.close();
    assertEquals(read(client.sockets[0]?.frames[0]).payload?.eventsSinceNumber, { s1: "7" });
    assertEquals(client.numbers(), [7]);
  });

  it("begins again with a Subscription that was made anew", async () => {
    let head = 7;
    const client = watch(goodServer({ head: () => head }), { timeout: 0.03 });
    await client.until(() => client.all("bound").length === 1);
    head = 0;
    client.sockets[0]?.cut();
    await client.until(() => client.all("restarted").length === 1);
    client.sockets[1]?.tell(notification("event-notification", 1, [1]));
    client.close();
    assertEquals(client.numbers(), [1]);
    assertEquals(client.all("gap"), []);
  });

  it("tells of a heartbeat, and of an event before it that did not come", async () => {
    const client = watch(goodServer(), { timeout: 0.03 });
    await client.until(() => client.all("bound").length === 1);
    client.sockets[0]?.tell(notification("heartbeat", 1));
    await client.until(() => client.all("gap").length === 1);
    client.close();
    assertEquals(client.all("heartbeat"), [{ type: "heartbeat", subscription: "s1", head: 1 }]);
    assertEquals(client.all("gap"), [{ type: "gap", subscription: "s1", from: 1, to: 1 }]);
  });

  it("lets a Subscription go that the server has ended, and keeps the others", async () => {
    const client = watch({
      answer: () => json(parameters()),
      hear: (socket) => ["s1", "s2"].forEach((id) => socket.tell(notification("handshake", 0, [], id))),
    }, { ids: ["s1", "s2"] });
    await client.until(() => client.all("bound").length === 2);
    const [socket] = client.sockets;
    socket?.tell(outcome("not-found", { diagnostics: "Subscription/s1", details: { text: "It is gone" } }));
    socket?.tell(notification("event-notification", 1, [1], "s1"));
    socket?.tell(notification("event-notification", 1, [1], "s2"));
    assertEquals(client.notifications.map(({ subscription }) => subscription), ["s2"]);
    const [ended] = client.all("ended");
    assert(ended?.final);
    assertEquals([ended.subscription, ended.error.code, ended.error.issues[0]?.text], ["s1", "ended", "It is gone"]);
    socket?.tell(outcome("business-rule", { diagnostics: "Subscription/s2" }));
    const end = await client.closed;
    assert(end.reason === "failed");
    assertEquals([end.error.code, socket?.left], ["ended", true]);
  });

  it("binds again what has expired, on the socket that is still open", async () => {
    const client = watch(goodServer());
    await client.until(() => client.all("bound").length === 1);
    client.sockets[0]?.tell(outcome("expired", { diagnostics: "Subscription/s1" }));
    await client.until(() => client.all("bound").length === 2);
    client.close();
    assertEquals(client.sockets.length, 1);
    assertEquals(client.all("ended").map(({ final }) => final), [false]);
  });

  it("goes on with those that the server does not name as gone", async () => {
    const client = watch({
      answer: async (request) =>
        (await request.clone().text()).includes("s1")
          ? json(outcome("not-found", { diagnostics: "Subscription/s1" }), { status: 404 })
          : json(parameters()),
      hear: (socket) => socket.tell(notification("handshake", 0, [], "s2")),
    }, { ids: ["s1", "s2"] });
    await client.until(() => client.all("bound").length === 1);
    client.close();
    assertEquals(client.all("ended").map(({ subscription, final }) => [subscription, final]), [["s1", true]]);
    assertEquals(client.requests.length, 2);
  });

  it("does not take the refusal of one for the handshake of another", async () => {
    const client = watch({
      answer: () => json(parameters()),
      hear: (socket) => socket.tell(outcome("not-found", { diagnostics: "Subscription/s1" })),
    }, { ids: ["s1", "s2"], timeout: 0.03, retries: 1 });
    const end = await client.closed;
    assert(end.reason === "failed");
    assertEquals(end.error.code, "no-handshake");
    assertEquals(client.all("retry").map(({ subscriptions }) => subscriptions), [["s2"]]);
  });

  it("tells of an OperationOutcome that ends nothing", async () => {
    const client = watch(goodServer());
    await client.until(() => client.all("bound").length === 1);
    client.sockets[0]?.tell(outcome("incomplete", { diagnostics: "Subscription/s1" }));
    client.sockets[0]?.tell("keepalive");
    client.close();
    assertEquals(client.all("outcome").map(({ issues }) => issues.map(({ code }) => code)), [["incomplete"]]);
    assertEquals([client.all("ended").length, client.all("unreadable").length], [0, 1]);
  });
});
