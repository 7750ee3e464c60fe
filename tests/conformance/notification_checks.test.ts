import { test } from "node:test";
import { assertThrows } from "@std/assert";
import { readFixture } from "../operation/fake_host.ts";
import { assertNotification, type Expected } from "./notification_checks.ts";

const KINDS: Readonly<Record<string, Omit<Expected, "id">>> = {
  "handshake": { type: "handshake", level: "full-resource", heartbeats: false },
  "heartbeat": { type: "heartbeat", level: "full-resource", heartbeats: true },
  "event-empty": { type: "event-notification", level: "empty", heartbeats: false },
  "event-id-only": { type: "event-notification", level: "id-only", heartbeats: false },
  "event-full-resource": { type: "event-notification", level: "full-resource", heartbeats: false },
};
/** What breaks any of them. */
const BREAKS: Readonly<Record<string, (frame: string) => string>> = {
  "another type of Bundle": (frame) => frame.replace('"history"', '"collection"'),
  "no response": (frame) => frame.replace('"response"', '"answer"'),
  "another Subscription": (frame) => frame.replaceAll("Subscription/s1", "Subscription/s2"),
  "another request": (frame) => frame.replace("/$status", "/$state"),
  "no type": (frame) => frame.replace('"name": "type"', '"name": "kind"'),
};

for (const [kind, expected] of Object.entries(KINDS)) {
  test(`assertNotification passes the ${kind} of the reference, and nothing else for it`, async () => {
    const frame = await readFixture(`notifications/R4/${kind}.json`);
    assertNotification(frame, { id: "s1", ...expected });
    for (const [what, broken] of Object.entries(BREAKS)) {
      assertThrows(() => assertNotification(broken(frame), { id: "s1", ...expected }), Error, undefined, what);
    }
    for (const [other, wrong] of Object.entries(KINDS)) {
      if (other !== kind) {
        assertThrows(() => assertNotification(frame, { id: "s1", ...wrong }), Error, undefined, other);
      }
    }
  });
}
