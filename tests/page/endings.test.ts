// What the page shows of bindings that end, and how they come back.

import { describe, it } from "node:test";
import { skip, titled, useBrowser } from "./suite.ts";

describe(titled("the page, when a binding ends"), { skip }, () => {
  const { withPage } = useBrowser();

  it("stays bound beyond the life of a token while the client keeps it so", () =>
    withPage(
      async ({ signIn, subscribe, press, sees, counts }) => {
        await signIn("Alice");
        await subscribe("R5");
        await press("Keep me subscribed");
        await sees(/Handshake: bound/, 3);
        await press("Create");
        await sees(/Event 1/);
        await counts("outcomes", 0);
        await counts("reconnects", 0);
        await press("Stop the client");
        await sees("The socket was closed with 1000");
      },
      "--token-lifetime",
      "6",
    ));

  it("shows a token expire that nobody renews", () =>
    withPage(
      async ({ signIn, subscribe, press, sees, reads }) => {
        await signIn("Alice");
        await subscribe();
        await press("Bind: text");
        await reads("token-state", /good for 0:0/);
        await sees(/Outcome expired: .* \(Subscription /);
        await sees("The socket was closed with 1008");
        await reads("token-state", "expired");
        await reads("subscription-list", "ended: expired");
        await press("Bind: text");
        await sees(/Handshake: bound/, 2);
      },
      "--token-lifetime",
      "3",
    ));

  it("lets a token expire with its Subscriptions", () =>
    withPage(async ({ signIn, subscribe, press, hears, sees, reads }) => {
      await signIn("Alice");
      await subscribe();
      await press("Let it expire in 5 s");
      await hears("no token outlives them");
      await reads("token-state", /good for 0:0/);
      await reads("subscription-list", /ends in 0:/);
      await sees(/Outcome expired/);
      await reads("subscription-list", "its end has passed");
    }));

  it("shows what a revoked token does, by hand and to the client", () =>
    withPage(async ({ signIn, subscribe, press, sees, reads }) => {
      await signIn("Alice");
      await subscribe();
      await press("Bind: text");
      await sees(/Handshake: bound/);
      await press("Revoke the token");
      await sees(/Outcome unknown/);
      await sees("The socket was closed with 1008");
      await reads("token-state", "revoked");
      await press("Keep me subscribed");
      await sees(/Handshake: bound/, 2);
      await press("Revoke the token");
      await sees(/Handshake: bound/, 3);
    }));

  it("comes back after its socket was cut, with the event that it missed", () =>
    withPage(async ({ signIn, subscribe, press, sees, counts }) => {
      await signIn("Alice");
      await subscribe("R4B");
      await press("Keep me subscribed");
      await sees(/Handshake: bound/);
      await press("Create");
      await sees(/Event 1/);
      await press("Cut the socket");
      await sees("The socket was closed with 4000: cut by you");
      await press("Update");
      await sees(/The client tries again in/);
      await sees(/Handshake: bound/, 2);
      await sees(/Event 2: Patient\/\S+ updated/);
      await counts("events", 2);
      await counts("gaps", 0);
      await counts("reconnects", 1);
    }));

  it("ends and deletes single Subscriptions", () =>
    withPage(async ({ lists, signIn, subscribe, press, hears, sees, reads }) => {
      await signIn("Alice");
      await subscribe();
      await press("Keep me subscribed");
      await sees(/Handshake: bound/);
      await subscribe();
      await reads("subscription-list", /bound.*bound/s);
      await press(/^End in 5 s: Subscription/);
      await hears("ends in 5 seconds");
      await reads("subscription-list", "its end has passed");
      await press("Renew");
      await hears("Bound with a new token.");
      await press(/^Delete: Subscription/);
      await lists(1);
      await press(/^Delete: Subscription/);
      await hears("was deleted");
      await sees(/Outcome not-found/);
      await lists(0);
    }));
});
