// What the page keeps apart, keeps and forgets, as users come and go.

import { assertEquals } from "@std/assert";
import { describe, it } from "node:test";
import { withProcess } from "../demo/process.ts";
import { DEMO, skip, titled, useBrowser } from "./suite.ts";
import { until } from "./visit.ts";

describe(titled("the page, as users come and go"), { skip }, () => {
  const { open, withPage } = useBrowser();

  it("forgets the traffic of one user when another signs in", () =>
    withPage(async ({ page, signIn, press, hears, sees, counts, reads, lists }) => {
      await press("Show me");
      await sees(/Event 1/);
      await press("Sign out");
      await hears("Signed out.");
      await signIn("Bob");
      await counts("events", 0);
      await reads("token-state", "none yet");
      await lists(0);
      assertEquals(await page.locator("#timeline li").count(), 2); // Bob's login, and the question for his Subscriptions
    }));

  it("has an opaque token for a single bind", () =>
    withPage(
      async ({ signIn, subscribe, press, sees, reads }) => {
        await signIn("Alice");
        await subscribe("R4B");
        await press("Bind: JSON");
        await sees(/Handshake: bound/);
        await reads("call-decoded", "An opaque token: it says nothing");
        await press("Bind: text");
        await sees(/Outcome unknown/);
        await press("Renew");
        await sees(/Handshake: bound/, 2);
      },
      "--tokens",
      "opaque",
      "--single-use",
    ));

  it("shows each of two users nothing but their own", () =>
    withProcess(DEMO, (origin) =>
      open(origin, (alice) =>
        open(origin, async (bob) => {
          for (const [visitor, name] of [[alice, "Alice"], [bob, "Bob"]] as const) {
            await visitor.signIn(name);
            await visitor.subscribe();
            await visitor.press("Keep me subscribed");
            await visitor.sees(/Handshake: bound/);
          }
          await alice.press("Create");
          await alice.sees(/Event 1/);
          await bob.press("Create");
          await bob.press("Update");
          await bob.sees(/Event 2/);
          await alice.counts("events", 1);
          await bob.counts("events", 2);
          await alice.lists(1);
        }))));

  it("finds the user's Subscriptions again when it is loaded anew, until they sign out", () =>
    withPage(async ({ page, signIn, subscribe, press, hears, reads, lists }) => {
      await signIn("Alice");
      await subscribe();
      await page.reload();
      await reads("user", "Alice");
      await reads("subscription-list", "Topic Patient");
      await press("Sign out");
      await hears("Signed out.");
      await page.reload();
      await lists(0);
      await signIn("Bob");
      await lists(0);
    }));

  it("keeps the newest two hundred lines", () =>
    withPage(async ({ page, signIn, subscribe, press, sees }) => {
      await signIn("Alice");
      await subscribe();
      await press("Bind: JSON");
      await sees(/Handshake: bound/);
      const lines = page.locator("#timeline li");
      // Each press is two lines; a server that bears only so many frames a second is not to be asked for more.
      await page.evaluate(`for (let n = 0; n < 75; n++) document.querySelector("[data-action=create]").click()`);
      await until(async () => await lines.count() >= 150, () => "150 lines");
      await page.evaluate(`for (let n = 0; n < 75; n++) document.querySelector("[data-action=create]").click()`);
      await sees(/Event 150/);
      assertEquals(await lines.count(), 200);
    }));
});
