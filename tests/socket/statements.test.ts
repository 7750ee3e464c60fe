// What the Subscriptions Backport IG and FHIR R5 say of WebSockets, statement by statement, seen from a client.

import type { FhirVersion } from "@fhir-ws/binding";
import { assert, assertEquals, assertExists } from "@std/assert";
import { describe, test } from "node:test";
import {
  ALICE,
  BOB,
  FHIR_VERSIONS,
  type Harness,
  inHarness,
  LIFETIME,
  type ReadNotification,
  type ServerFrame,
} from "./harness.ts";

/** Runs a test in each FHIR version. */
function inEach(name: string, run: (harness: Harness, version: FhirVersion) => Promise<void>): void {
  for (const fhirVersion of FHIR_VERSIONS) {
    test(`${name} (${fhirVersion})`, inHarness({ fhirVersion }, (harness) => run(harness, fhirVersion)));
  }
}

function notifications(frames: readonly ServerFrame[]): ReadNotification[] {
  return frames.flatMap((frame) => frame.kind === "notification" ? [frame] : []);
}

describe("statements", () => {
  inEach("T15: one handshake per Subscription of the token after each bind", async (h) => {
    const ids = ["s1", "s2", "s3"];
    for (const id of ids) await h.put(id);
    const socket = await h.open();
    for (let n = 0; n < 3; n++) {
      const frames = notifications(await h.bind(socket, await h.mint(ids)));
      assertEquals(frames.map(({ type, subscription }) => [type, subscription]), ids.map((id) => ["handshake", id]));
    }
  });

  inEach("T16, T17: bind-with-token is accepted without and with a colon", async (h) => {
    await h.put("s1");
    const socket = await h.open();
    await socket.say(`bind-with-token ${await h.mint(["s1"])}`, `bind-with-token: ${await h.mint(["s1"])}`);
    assertEquals(socket.story(), ["handshake s1 0", "handshake s1 0"]);
  });

  inEach("T18: notifications are in the Subscription's MIME type, and no other is bound", async (h, version) => {
    const mime = { R4: "4.0", R4B: "4.3", R5: "5.0" }[version];
    const good = ["application/fhir+json", "application/json", `application/fhir+json; fhirVersion=${mime}`];
    const bad = ["application/fhir+xml", "application/fhir+json; fhirVersion=3.0", "text/plain", "*/*"];
    for (const [n, payload] of [...good, ...bad].entries()) {
      await h.put(`s${n}`, { payload });
      const [frame] = await h.bind(await h.open(), await h.mint([`s${n}`]));
      assertEquals(frame?.kind, n < good.length ? "notification" : "outcome", payload);
    }
  });

  inEach("T19: notifications keep to the content level", async (h) => {
    await h.put("s1", { content: "empty" });
    await h.put("s2", { content: "id-only" });
    await h.put("s3", { content: "full-resource" });
    const socket = await h.bound(["s1", "s2", "s3"]);
    socket.take();
    await h.notify(["s1", "s2", "s3"]);
    const seen = notifications(socket.take()).map((
      { events, entries },
    ) => [events[0]?.focus !== undefined, entries.length]);
    assertEquals(seen, [[false, 0], [true, 0], [true, 1]]);
  });

  inEach("T20: no acknowledgement is needed", async (h) => {
    await h.put("s1");
    const socket = await h.bound(["s1"]);
    for (let n = 0; n < 50; n++) await h.notify("s1");
    assertEquals(socket.story(), Array.from({ length: 50 }, (_, n) => `event s1 ${n + 1}`));
  });

  inEach("T21: several tokens share a socket", async (h) => {
    const ids = ["s1", "s2", "s3", "s4"];
    for (const id of ids) await h.put(id);
    const socket = await h.open();
    for (const id of ids) await h.bind(socket, await h.mint([id]));
    await h.notify(ids);
    assertEquals(socket.story(), ids.map((id) => `event ${id} 1`));
  });

  inEach("T22: a heartbeat comes every heartbeatPeriod, none without one", async (h) => {
    await h.put("s1", { heartbeatPeriod: 20 });
    await h.put("s2");
    const socket = await h.bound(["s1", "s2"]);
    await h.advance(100_000);
    assertEquals(socket.story(), Array(5).fill("heartbeat s1 0"));
  });

  inEach("T23: heartbeats and handshakes never change the count", async (h) => {
    await h.put("s1", { heartbeatPeriod: 5 });
    const socket = await h.bound(["s1"]);
    await h.notify("s1");
    await h.advance(20_000);
    for (let n = 0; n < 3; n++) await h.bind(socket, await h.mint(["s1"]));
    await h.notify("s1");
    assertEquals(socket.story(), ["event s1 2"]);
    assertEquals(new Set(notifications(socket.frames).map(({ count }) => count)), new Set(["0", "1", "2"]));
  });

  inEach("T24: the first event has number 1; the highest number is the count", async (h) => {
    await h.put("s1", { maxCount: 3 });
    const socket = await h.bound(["s1"]);
    await h.notify("s1");
    socket.bufferedAmount = 2_000_000;
    for (let n = 0; n < 4; n++) await h.notify("s1");
    await socket.drain();
    const seen = notifications(socket.take()).map(({ count, events }) => [count, events.map(({ number }) => number)]);
    assertEquals(seen, [["1", ["1"]], ["4", ["2", "3", "4"]], ["5", ["5"]]]);
  });

  inEach("T25: the handshake of a new Subscription counts 0, later ones what has happened", async (h) => {
    await h.put("s1");
    const count = async () => notifications(await h.bind(await h.open(), await h.mint(["s1"])))[0]?.count;
    assertEquals(await count(), "0");
    await h.notify("s1");
    await h.notify("s1");
    assertEquals(await count(), "2");
  });

  inEach("T26–T28: what each level shows of a create, an update and a delete", async (h) => {
    for (const content of ["empty", "id-only", "full-resource"] as const) await h.put(content, { content });
    const ids = ["empty", "id-only", "full-resource"];
    const socket = await h.bound(ids);
    for (const interaction of ["create", "update", "delete"] as const) {
      socket.take();
      await h.notify(ids, { interaction });
      const [empty, idOnly, full] = notifications(socket.take());
      assert(empty && idOnly && full);
      assertEquals([empty.events[0]?.focus, empty.entries], [undefined, []]);
      assertExists(idOnly.events[0]?.focus);
      assert(idOnly.entries.every(({ resource }) => resource === undefined));
      assertExists(full.events[0]?.focus);
      const [entry] = full.entries;
      assertExists(entry?.request);
      assertEquals(entry.resource === undefined, interaction === "delete");
    }
  });

  inEach(
    "T29–T31: the status comes first; history entries have request and response, R5's have a fullUrl",
    async (h, version) => {
      await h.put("s1", { content: "full-resource", heartbeatPeriod: 5 });
      const socket = await h.bound(["s1"]);
      await h.notify("s1");
      await h.advance(5_000);
      const seen = notifications(socket.frames);
      assertEquals(seen.map(({ type }) => type), ["handshake", "event-notification", "heartbeat"]);
      for (const { bundle } of seen) {
        const [status] = bundle.entry;
        assertEquals(status?.resource?.resourceType, version === "R4" ? "Parameters" : "SubscriptionStatus");
        assertEquals(bundle.type, version === "R5" ? "subscription-notification" : "history");
        for (const { fullUrl, request, response } of bundle.entry) {
          assertExists(fullUrl);
          if (version !== "R5") assert(request && response);
        }
        if (version !== "R5") {
          assertEquals(status?.request, {
            method: "GET",
            url: `${h.base}/Subscription/s1/$status`,
          });
        }
      }
    },
  );

  inEach("T33: access is read again before notifications", async (h) => {
    await h.put("s1");
    const socket = await h.bound(["s1"]);
    await h.notify("s1");
    await h.subscriptions.delete("s1", ALICE);
    await h.put("s1", {}, BOB);
    await h.advance(5_000);
    await h.notify("s1");
    assertEquals(socket.story(), ["event s1 1", "not-found Subscription/s1", "close 1008 access-lost"]);
  });

  inEach("T34: events count while nobody is connected, and while the Subscription is in error", async (h) => {
    await h.put("s1");
    await h.notify("s1");
    const socket = await h.bound(["s1"]);
    await h.change("s1", { status: "error" });
    await h.notify("s1");
    await h.advance(60_000);
    assertEquals(socket.story(), []);
    await h.change("s1", { status: "active" });
    await h.notify("s1");
    assertEquals(socket.story(), ["event s1 2", "event s1 3"]);
  });

  inEach("T35: nothing is delivered after the expiration, unless a newer token was bound", async (h) => {
    await h.put("s1");
    const [renewed, left] = [await h.bound(["s1"]), await h.bound(["s1"])];
    await h.advance(LIFETIME * 500);
    await h.bind(renewed, await h.mint(["s1"]));
    await h.advance(LIFETIME * 500);
    await h.notify("s1");
    assertEquals(left.story(), ["expired Subscription/s1", "close 1008 expired"]);
    assertEquals(renewed.story(), ["event s1 1"]);
    await h.advance(LIFETIME * 500);
    await h.notify("s1");
    assertEquals(renewed.story(), ["expired Subscription/s1", "close 1008 expired"]);
  });
});
