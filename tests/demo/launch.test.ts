import { connect as connectTcp, createServer } from "node:net";
import { once } from "node:events";
import { describe, it } from "node:test";
import { assert, assertEquals, assertFalse, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import { first, type JsonObject, object, subscription, withFile } from "./running.ts";
import { connectTo, login, send, start, withProcess } from "./process.ts";

const PORT_0 = ["--port", "0"];
const PATIENT = { resourceType: "Patient", active: true };

/** Subscribes to Patients in R5 and connects; the client is bound when it resolves, to a Subscription with so many events. */
async function subscribed(origin: string, token: string, id: string): Promise<{
  client: Awaited<ReturnType<typeof connectTo>>;
  events: unknown;
}> {
  const url = `${origin}/fhir/R5/Subscription/${id}`;
  await send(token, "PUT", url, { ...subscription("R5", "Patient"), id });
  const { json } = await send(token, "GET", `${url}/$get-ws-binding-token`);
  const values = new Map((json.parameter as JsonObject[]).map(({ name, ...value }) => [name, Object.values(value)[0]]));
  const client = await connectTo(String(values.get("websocket-url")));
  client.send(`bind-with-token ${values.get("token")}`);
  const handshake = object(first((await client.next()).entry).resource);
  assertEquals(handshake.type, "handshake");
  return { client, events: handshake.eventsSinceSubscriptionStart };
}

/** The number of the event that a notification tells of. */
function eventNumber(bundle: JsonObject): unknown {
  return first(object(first(bundle.entry).resource).notificationEvent).eventNumber;
}

describe("the demo server", () => {
  it("says where it listens, and serves REST, the operation and sockets there", () =>
    withProcess(PORT_0, async (origin, demo) => {
      assertMatch(origin, /^http:\/\/127\.0\.0\.1:[1-9]\d*$/);
      assertEquals(demo.stdout(), `Listening on ${origin}/\n`);
      const token = await login(origin, "alice");
      const { client } = await subscribed(origin, token, "s1");
      const { status } = await send(token, "POST", `${origin}/fhir/R5/Patient`, PATIENT);
      assertEquals(status, 201);
      assertEquals(eventNumber(await client.next()), "1");
      assertEquals((await fetch(`${origin}/`)).headers.get("content-type"), "text/html; charset=utf-8");
      client.close();
      assertEquals(demo.stderr(), "");
    }));

  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    it(`closes sockets with 1001 at ${signal} and exits 0`, () =>
      withProcess(PORT_0, async (origin, demo) => {
        const { client } = await subscribed(origin, await login(origin, "alice"), "s1");
        const unbound = await connectTo(`${origin.replace("http", "ws")}/ws/subscriptions-r4`);
        demo.kill(signal);
        assertEquals([(await client.closed).code, (await unbound.closed).code], [1001, 1001]);
        assertEquals(await demo.exit, 0);
        assertEquals(demo.stderr(), "");
      }));
  }

  it("answers a request 400 whose Host makes no URL", () =>
    withProcess(PORT_0, async (origin, demo) => {
      const socket = connectTcp(Number(new URL(origin).port), "127.0.0.1");
      socket.write("GET /fhir/R4/metadata HTTP/1.1\r\nHost: a b<>\r\nConnection: close\r\n\r\n");
      const [answer] = await once(socket, "data");
      assertMatch(String(answer), /^HTTP\/1\.1 400 /);
      socket.destroy();
      assertEquals(demo.stderr(), "");
    }));

  it("issues the tokens that it was told to", () =>
    withProcess([...PORT_0, "--tokens", "opaque", "--single-use", "--token-lifetime", "60"], async (origin) => {
      const token = await login(origin, "alice");
      const url = `${origin}/fhir/R4/Subscription/s1`;
      await send(token, "PUT", url, { ...subscription("R4", "Patient"), id: "s1" });
      const { json } = await send(token, "GET", `${url}/$get-ws-binding-token`);
      const [binding, expiration] = json.parameter as JsonObject[];
      assertMatch(String(binding?.valueString), /^[\w-]{43}$/);
      assertLess(Date.parse(String(expiration?.valueDateTime)) - Date.now(), 60_001);
      const [one, two] = await Promise.all(
        [1, 2].map(() => connectTo(`${origin.replace("http", "ws")}/ws/subscriptions-r4`)),
      );
      one?.send(`bind-with-token ${binding?.valueString}`);
      assertEquals((await one?.next())?.resourceType, "Bundle");
      two?.send(`bind-with-token ${binding?.valueString}`);
      assertEquals((await two?.next())?.resourceType, "OperationOutcome");
      one?.close();
      two?.close();
    }));

  it("closes a socket that never binds by its deadline", () =>
    withProcess([...PORT_0, "--bind-deadline", "1"], async (origin) => {
      const began = Date.now();
      const client = await connectTo(`${origin.replace("http", "ws")}/ws/subscriptions-r5`);
      assertEquals((await client.closed).code, 1008);
      assertLess(Date.now() - began, 10_000);
    }));

  it("waits no longer than a second for a client that does not close, and hears no second signal", () =>
    withProcess(PORT_0, async (origin, demo) => {
      const socket = connectTcp(Number(new URL(origin).port), "127.0.0.1");
      socket.write(
        "GET /ws/subscriptions-r4 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
      );
      await once(socket, "data");
      const ping = new TextEncoder().encode('{"type":"ping"}');
      socket.write(new Uint8Array([0x81, 0x80 + ping.length, 0, 0, 0, 0, ...ping])); // masked by zeros: RFC 6455 §5.3
      await once(socket, "data");
      socket.on("error", () => {}); // the server may cut it off
      const began = Date.now();
      demo.kill("SIGINT");
      await once(socket, "data");
      demo.kill("SIGINT"); // as Ctrl-C does: from the terminal itself, and forwarded by the task runner
      assertEquals(await demo.exit, 0);
      assertLess(Date.now() - began, 3000);
      socket.destroy();
    }));

  it("exits 2 with one line when it does not understand an option", async () => {
    for (const options of [["--prot", "1"], ["--port", "x"], ["--tokens"]]) {
      const demo = start(...options);
      assertEquals(await demo.exit, 2);
      assertMatch(demo.stderr(), /^Cannot start: .+\n$/);
      assertEquals(demo.stdout(), "");
    }
  });

  it("explains its options", async () => {
    const demo = start("--help");
    assertEquals(await demo.exit, 0);
    assertStringIncludes(demo.stdout(), "--single-use");
  });

  it("exits 1 with one line when it cannot listen or open its file", async () => {
    const other = createServer();
    other.listen(0, "127.0.0.1");
    await once(other, "listening");
    const address = other.address();
    assert(typeof address === "object" && address !== null);
    const demos = [start("--port", String(address.port)), start(...PORT_0, "--db", "/nonexistent/demo.db")];
    for (const demo of demos) {
      assertEquals(await demo.exit, 1);
      assertMatch(demo.stderr(), /^Cannot start: .+\n$/);
      assertEquals(demo.stdout(), "");
    }
    other.close();
  });

  it("warns of its secrets when others can reach it", async () => {
    // An address of nobody's (RFC 5737): the warning comes before the attempt, which fails.
    const demo = start(...PORT_0, "--host", "192.0.2.1");
    assertEquals(await demo.exit, 1);
    assertMatch(demo.stderr(), /^Warning: .*secrets.*\nCannot start: .+\n$/);
  });

  it("keeps all that it has acknowledged when it is killed in the middle", () =>
    withFile(async (file) => {
      let port = "0";
      let token = "";
      const written: string[] = [];
      await withProcess([...PORT_0, "--db", file], async (origin, demo) => {
        port = new URL(origin).port;
        token = await login(origin, "alice");
        const { client } = await subscribed(origin, token, "s1");
        const write = async (): Promise<void> => {
          while (true) {
            const { json } = await send(token, "POST", `${origin}/fhir/R5/Patient`, PATIENT);
            written.push(String(json.id));
            if (written.length === 50) demo.kill("SIGKILL");
          }
        };
        await Promise.all([write().catch(() => {}), write().catch(() => {})]);
        await client.closed;
      });
      await withProcess(["--port", port, "--db", file], async (origin) => {
        for (const id of written) {
          assertEquals((await send(token, "GET", `${origin}/fhir/R5/Patient/${id}`)).status, 200, id);
        }
        const { client, events } = await subscribed(origin, token, "s1");
        assertFalse(Number(events) < written.length, `${events} events of ${written.length} writes`);
        await send(token, "POST", `${origin}/fhir/R5/Patient`, PATIENT);
        assertEquals(eventNumber(await client.next()), String(Number(events) + 1));
        client.close();
      });
    }));
});
