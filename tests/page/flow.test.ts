// What the page does while all goes well, in each base.

import { assertStringIncludes } from "@std/assert";
import { describe, it } from "node:test";
import { skip, titled, useBrowser } from "./suite.ts";

const VERSIONS = ["R4", "R4B", "R5"];

describe(titled("the page"), { skip }, () => {
  const { withPage } = useBrowser();

  it("shows a newcomer all of it at one press", () =>
    withPage(async ({ press, hears, sees, reads, counts }) => {
      await press("Show me");
      await hears(/Patient \S+ was created\. Its notification is the newest line/);
      await sees(/Handshake: bound to Subscription/);
      await sees(/Event 1: Patient\/\S+ created/);
      await reads("token-state", /good for 59:/);
      await reads("socket-state", /open for 0:/);
      await reads("subscription-list", /bound.*1 event/);
      await counts("events", 1);
    }));

  for (const version of VERSIONS) {
    it(`goes through every step by hand in ${version}`, () =>
      withPage(async ({ page, signIn, subscribe, press, sees, reads, counts }) => {
        await signIn("Alice");
        await subscribe(version);
        await press("Get a token");
        await reads("call-request", `POST /fhir/${version}/Subscription/$get-ws-binding-token`);
        await reads("call-answer", `"websocket-url"`);
        await reads("call-decoded", `/fhir/${version}"`);
        await press("Open a socket");
        await reads("socket-state", /open for/);
        for (const [n, dialect] of ["text", "colon", "JSON", "URL"].entries()) {
          await press(`Bind: ${dialect}`);
          await sees(/Handshake: bound/, n + 1);
        }
        await sees("Bind with the token, as text with a colon");
        await sees("?token=…");
        await press("Create");
        await sees(/Event 1: Patient\/\S+ created/);
        await press("Update");
        await sees(/Event 2: Patient\/\S+ updated/);
        await press("Delete");
        await sees(/Event 3: Patient\/\S+ deleted/);
        await press("Renew");
        await sees(/Handshake: bound to Subscription \S+, latest event 3/);
        await press("Unbind");
        await reads("subscription-list", "not bound");
        await counts("events", 3);
        await counts("handshakes", 5);
        const frame = page.locator("#timeline li", { hasText: /Event 3: / });
        await frame.click();
        assertStringIncludes(await frame.innerText(), `"resourceType": "Bundle"`);
      }));
  }

  it("waits for search criteria, with a content level, heartbeats and maxCount", () =>
    withPage(async ({ page, signIn, press, hears, sees, reads, counts }) => {
      await signIn("Alice");
      await page.getByLabel("search criteria").check();
      await page.getByLabel("Content").selectOption("id-only");
      await page.getByLabel("Heartbeat, seconds").fill("1");
      await page.getByLabel("maxCount").fill("5");
      await press("Create Subscription");
      await hears(/was created/);
      await reads("subscription-list", "Patient?active=true, id-only");
      await press("Bind: JSON");
      await sees(/Handshake: bound/);
      await press("Create");
      await sees(/Event 1: Patient\/\w/);
      await press("Update");
      await hears("was updated");
      await sees(/Heartbeat of \S+, latest event 1/);
      await counts("events", 1);
    }));

  it("shows the answers to nonsense and to any frame", () =>
    withPage(async ({ page, signIn, subscribe, press, sees }) => {
      await signIn("Bob");
      await subscribe();
      await press("Bind: text");
      await sees(/Handshake: bound/);
      await press("Send nonsense");
      await sees(/Outcome not-supported/);
      await press("Send nonsense");
      await sees(/Outcome unknown/);
      await press("Send");
      await sees("Pong");
      await page.getByLabel("Any frame").fill("{}");
      await page.keyboard.press("Enter");
      await sees("Something else: {}");
    }));

  it("binds by hand what was created meanwhile, too", () =>
    withPage(async ({ signIn, subscribe, press, sees, reads, lists }) => {
      await signIn("Alice");
      await subscribe();
      await press("Bind: text");
      await sees(/Handshake: bound/);
      await subscribe();
      await lists(2);
      await press("Bind: colon");
      await sees(/Handshake: bound/, 3);
      await reads("token-more", "for 2 Subscriptions");
      await reads("socket-more", "2 Subscriptions bound");
    }));
});
