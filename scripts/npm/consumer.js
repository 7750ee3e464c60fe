// A consumer without types, as old as the oldest supported runtime: run where the package is installed, with the names
// of all entries. Imports and requires each, then binds a socket with a token.

import { strict as assert } from "node:assert";
import { createRequire } from "node:module";
import { join } from "node:path";
import process from "node:process";

const require = createRequire(join(process.cwd(), "consumer.js"));

async function main(names) {
  for (const name of names) {
    const imported = await import(name);
    assert.deepEqual(Object.keys(require(name)).sort(), Object.keys(imported).sort(), name);
  }
  const core = await import("@fhir-ws/binding");
  const memory = await import("@fhir-ws/binding/storage/memory");
  await bind(core, memory);
  console.log(`${names.length} entries`);
}

async function bind(core, memory) {
  const subscription = { resourceType: "Subscription", id: "s1", status: "active", channelType: { code: "websocket" } };
  const [events, bus, store] = [
    memory.createMemoryEventLog(),
    memory.createMemoryBus(),
    memory.createMemoryTokenStore(),
  ];
  const base = "https://example.org/fhir/R5";
  const endpoint = {
    base,
    fhirVersion: "R5",
    tokens: await core.createJwtSigner({ sign: { kid: "1", key: new Uint8Array(32).fill(7) }, store }),
    subscriptions: { read: () => subscription },
  };
  const binder = core.createSocketBinder({ ...endpoint, websocketUrl: "wss://example.org/ws", events, bus });
  const response = await core.handleGetWsBindingToken(
    new Request(`${base}/Subscription/s1/$get-ws-binding-token`),
    { ...endpoint, sockets: binder, authenticate: () => ({ id: "alice" }) },
  );
  assert.equal(response.status, 200);
  const { parameter } = await response.json();

  const frames = [];
  let wake = () => {};
  const { open } = await binder.admit(
    new Request("https://example.org/ws", { headers: { upgrade: "websocket" } }),
  );
  const session = open({ send: (text) => wake(frames.push(JSON.parse(text))), close: () => {} });
  const frame = () => new Promise((resolve) => wake = resolve);
  const handshake = frame();
  session.receive(`bind-with-token ${parameter[0].valueString}`);
  await handshake;
  const notified = frame();
  const notifier = core.createNotifier({ base, events, bus, tokenStore: store });
  await notifier.notify(["s1"], { interaction: "update", focus: "Patient/p1" });
  await notified;
  assert.deepEqual(frames.map(({ entry }) => entry[0].resource.type), ["handshake", "event-notification"]);
  session.closed();
  await binder.close();
}

await main(process.argv.slice(2));
