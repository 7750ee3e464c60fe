// What the page says when the server goes away or answers nonsense, and that it goes on.

import { describe, it } from "node:test";
import { withProcess } from "../demo/process.ts";
import { withFile } from "../demo/running.ts";
import { DEMO, skip, titled, useBrowser } from "./suite.ts";

describe(titled("the page, when the server fails it"), { skip }, () => {
  const { open, withPage } = useBrowser();

  it("goes on when the server was started again, with a file as if nothing had been", () =>
    withFile(async (file) => {
      let port = "0";
      await withProcess([...DEMO, "--db", file], async (origin, demo) => {
        port = new URL(origin).port;
        await open(origin, async ({ signIn, subscribe, press, sees, isTold, isFine }) => {
          await signIn("Alice");
          await subscribe();
          await press("Keep me subscribed");
          await sees(/Handshake: bound/);
          demo.kill("SIGTERM");
          await sees("The socket was closed with 1001");
          await demo.exit;
          await press("Create");
          await isTold("The server does not answer");
          await withProcess(["--port", port, "--db", file], async () => {
            await sees(/Handshake: bound/, 2);
            await press("Create");
            await sees(/Event 1/);
            await isFine();
          });
        });
      });
    }));

  it("asks to sign in again when the server does not know the login any more", () =>
    withProcess(
      DEMO,
      (origin, demo) =>
        open(origin, async ({ lists, signIn, subscribe, press, sees, isTold, isFine }) => {
          await signIn("Alice");
          await subscribe();
          await press("Bind: text");
          await sees(/Handshake: bound/);
          demo.kill("SIGKILL");
          await isTold("The connection to the server was lost. Bind again to go on.");
          await demo.exit;
          await withProcess(["--port", new URL(origin).port], async () => {
            await press("Create");
            await isTold("The server does not know this login any more");
            await lists(0);
            await signIn("Alice");
            await isFine();
            await press("Show me");
            await sees(/Event 1/);
          });
        }),
    ));

  it("says so when an answer is not JSON, and goes on", () =>
    withPage(async ({ page, signIn, subscribe, press, isTold, isFine, sees }) => {
      await signIn("Alice");
      const html = { status: 502, contentType: "text/html", body: "<h1>Bad gateway</h1>" };
      for (const url of ["**/fhir/R4/Subscription", "**/oauth2/token"]) {
        await page.route(url, (route) => route.fulfill(html));
      }
      await press("Create Subscription");
      await isTold("The server answered 502 with something that is not JSON.");
      await sees(/POST \/fhir\/R4\/Subscription: 502/);
      await page.route("**/fhir/R4/Patient", (route) => route.fulfill({ ...html, status: 200, body: "null" }));
      await press("Create");
      await isTold("The server answered 200 with something that is not JSON.");
      await page.unroute("**/fhir/R4/Subscription");
      await subscribe();
      await isFine();
      await press("Sign out");
      await press("Bob");
      await isTold("The server answered 502");
    }));

  it("says what is missing, and what the server refuses", () =>
    withPage(async ({ signIn, press, isTold, isFine }) => {
      await signIn("Alice");
      await press("Get a token");
      await isTold("There is no Subscription that runs: create one first.");
      await press("Update");
      await isTold("There is no Patient of yours yet: create one first.");
      await press("Dismiss");
      await isFine();
    }));
});
