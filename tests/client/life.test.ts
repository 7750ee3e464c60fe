// Renewals, silence, and the end.

import { assert, assertEquals } from "@std/assert";
import { describe, it } from "node:test";
import { goodServer, json, notification, outcome, parameters, read, type StubServer, watch } from "./stub.ts";

/** Counts the timers that have neither fired nor been cleared. */
function countTimers(): { active(): number; restore(): void } {
  const plain = pick();
  const active = new Set<unknown>();
  function pick() {
    const { setTimeout, setInterval, clearTimeout, clearInterval } = globalThis;
    return { setTimeout, setInterval, clearTimeout, clearInterval };
  }
  Object.assign(globalThis, {
    setTimeout: (run: (value: unknown) => void, delay: number, value: unknown) => {
      const timer = plain.setTimeout(() => {
        active.delete(timer);
        run(value);
      }, delay);
      active.add(timer);
      return timer;
    },
    setInterval: (run: () => void, delay: number) => {
      const timer = plain.setInterval(run, delay);
      active.add(timer);
      return timer;
    },
    clearTimeout: (timer: number) => {
      active.delete(timer);
      plain.clearTimeout(timer);
    },
    clearInterval: (timer: number) => {
      active.delete(timer);
      plain.clearInterval(timer);
    },
  });
  return { active: () => active.size, restore: () => void Object.assign(globalThis, plain) };
}

/** Tokens that live two seconds, each with its own URL where `urls`. */
function shortLived(urls: boolean, more: Partial<StubServer> = {}): StubServer {
  let n = 0;
  return goodServer({
    answer: () => json(parameters({ token: `t${++n}`, expiration: 1.3, url: `wss://example.org/${urls ? n : "ws"}` })),
    ...more,
  });
}

describe("subscribe", () => {
  it("renews on the same socket, once after another", async () => {
    const client = watch(shortLived(false));
    await client.until(() => client.all("bound").length === 3);
    client.close();
    assertEquals(client.sockets.length, 1);
    assertEquals(client.sockets[0]?.frames.map((frame) => read(frame).payload), [
      { token: "t1" },
      { token: "t2" },
      { token: "t3" },
    ]);
    assertEquals(client.all("retry"), []);
  });

  it("renews on a new socket where the URL is another, and hears the old one until the new one is bound", async () => {
    let late: (() => void) | undefined;
    const client = watch(
      shortLived(true, {
        hear(socket) {
          if (socket.url.endsWith("1")) return socket.tell(notification("handshake", 0));
          late ??= () => socket.tell(notification("handshake", 0));
        },
      }),
      { timeout: 5, dialect: "json" },
    );
    await client.until(() => late !== undefined);
    const [old, next] = client.sockets;
    assertEquals(read(next?.frames[0]).payload, { token: "t2", eventsSinceNumber: { s1: "1" } });
    old?.tell(notification("event-notification", 1, [1]));
    assertEquals(old?.left, false);
    late?.();
    next?.tell(notification("event-notification", 1, [1]));
    next?.tell(notification("event-notification", 2, [2]));
    old?.tell(notification("event-notification", 2, [2]));
    await client.until(() => old?.left === true);
    assertEquals(next?.left, false);
    client.close();
    assertEquals(client.numbers(), [1, 2]);
    assertEquals([client.all("gap"), client.all("restarted"), client.all("retry")], [[], [], []]);
  });

  it("binds on a new socket, at once, when the old one closes for a binding that ended before the new token came", async () => {
    let answers = 0;
    const client = watch(
      goodServer({
        answer() {
          if (++answers === 2) client.sockets[0]?.tell(outcome("expired", { diagnostics: "Subscription/s1" }));
          return json(parameters({ token: `t${answers}`, expiration: 1.3 }));
        },
        hear(socket) {
          if (answers === 2 && socket === client.sockets[0]) socket.cut(1008);
          else socket.tell(notification("handshake", 0));
        },
      }),
      { dialect: "json" },
    );
    await client.until(() => client.all("bound").length === 3);
    client.close();
    assertEquals(client.all("ended").map(({ final }) => final), [false]);
    assertEquals(client.all("retry"), []);
    // And it has not learnt from that to open a socket for every token.
    assertEquals(client.sockets.map(({ frames }) => frames.map((frame) => read(frame).payload?.token)), [
      ["t1", "t2"],
      ["t2", "t3"],
    ]);
  });

  it("takes what the old socket loses for nothing while it binds on another", async () => {
    const client = watch(
      shortLived(true, {
        hear(socket) {
          if (socket.url.endsWith("2")) client.sockets[0]?.tell(outcome("expired", { diagnostics: "Subscription/s1" }));
          socket.tell(notification("handshake", 0));
        },
      }),
      { dialect: "json" },
    );
    await client.until(() => client.all("bound").length === 2 && client.sockets[0]?.left === true);
    client.close();
    assertEquals([client.all("ended"), client.all("retry"), client.sockets.length], [[], [], 2]);
  });

  it("keeps what is bound when a renewal fails, and tries again", async () => {
    let answers = 0;
    const server = goodServer({
      answer: () => ++answers === 2 ? json({}, { status: 503 }) : json(parameters({ expiration: 1.3 })),
    });
    const client = watch(server);
    await client.until(() => client.all("retry").length === 1);
    client.sockets[0]?.tell(notification("event-notification", 1, [1]));
    await client.until(() => client.all("bound").length === 2);
    client.close();
    assertEquals([client.sockets.length, client.numbers()], [1, [1]]);
  });

  it("reads a day as its end, and pings meanwhile", async () => {
    const tomorrow = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
    const client = watch(goodServer({ answer: () => json(parameters({ expiration: tomorrow })) }), {
      idleTimeout: 0.04,
    });
    await client.until(() => (client.sockets[0]?.frames.length ?? 0) > 4);
    client.close();
    assertEquals(read(client.sockets[0]?.frames.at(-1)), { type: "ping" });
    assertEquals([client.sockets.length, client.requests.length], [1, 1]);
  });

  for (const dialect of ["json", "text"] as const) {
    it(`leaves a socket that has fallen silent, in the ${dialect} dialect`, async () => {
      const server = goodServer({
        hear: (socket, frame) => frame.includes("ping") ? undefined : socket.tell(notification("handshake", 0)),
      });
      const client = watch(server, { dialect, idleTimeout: 0.05 });
      await client.until(() => client.all("bound").length === 2);
      client.close();
      assertEquals(client.all("retry").map(({ error }) => error.code), ["silent"]);
      assert(client.sockets[0]?.left);
    });
  }

  it("tells nothing, sends nothing, asks nothing and waits for nothing after it was closed or aborted", async () => {
    const timers = countTimers();
    for (const when of ["asking", "opening", "binding", "bound", "waiting"]) {
      const abort = new AbortController();
      const client = watch({
        answer: () => when === "asking" ? new Promise(() => {}) : json(parameters()),
        open: () => when === "opening" ? "nothing" : "open",
        hear(socket) {
          if (when === "bound") socket.tell(notification("handshake", 0));
          if (when === "waiting") socket.cut();
        },
      }, { signal: abort.signal, timeout: 60, backoff: { first: 60, longest: 60 } });
      await client.until(() =>
        when === "asking"
          ? client.requests.length === 1
          : when === "bound"
          ? client.all("bound").length === 1
          : when === "waiting"
          ? client.all("retry").length === 1
          : when === "opening"
          ? client.sockets.length === 1
          : client.sockets[0]?.frames.length === 1
      );
      const { length } = client.events;
      abort.abort();
      assertEquals(await client.closed, { reason: "closed" });
      const [socket] = client.sockets;
      if (when !== "asking" && when !== "waiting") assert(socket?.left, when);
      socket?.tell(notification("event-notification", 1, [1]));
      assertEquals([client.events.length, client.notifications.length], [length, 0]);
      assertEquals(timers.active(), 0, when);
      client.close();
    }
    timers.restore();
  });

  it("does nothing for a signal that was aborted before", async () => {
    const client = watch(goodServer(), { signal: AbortSignal.abort() });
    assertEquals(await client.closed, { reason: "closed" });
    assertEquals(client.sockets, []);
  });

  it("goes on when a callback throws, which the runtime hears of", async () => {
    const thrown: (() => void)[] = [];
    const { queueMicrotask: plain } = globalThis;
    const client = watch(goodServer(), {
      onNotification: () => {
        globalThis.queueMicrotask = (run) => void thrown.push(run);
        throw new Error("mine");
      },
    });
    await client.until(() => client.all("bound").length === 1);
    try {
      client.sockets[0]?.tell(notification("event-notification", 1, [1]));
    } finally {
      globalThis.queueMicrotask = plain;
    }
    client.sockets[0]?.tell(notification("heartbeat", 1));
    client.close();
    assertEquals([thrown.length, client.all("heartbeat").length], [1, 1]);
  });

  it("asks for no more than a hundred Subscriptions by one token", async () => {
    const ids = Array.from({ length: 101 }, (_, n) => `s${n}`);
    const client = watch(goodServer(), { ids });
    await client.until(() => client.sockets.length === 2);
    client.close();
    assertEquals(client.requests.length, 2);
  });
});
