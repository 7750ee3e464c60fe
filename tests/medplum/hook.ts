/**
 * `useSubscription` of React, in a process of its own: `node hook.ts <folder> <origin>`. Prints what it saw.
 *
 * @module
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { hurry, recordFrames, recordingFetch } from "./environment.ts";
import type { HookModules, HookSeen } from "./medplum.ts";

const [, , folder = "", origin = ""] = process.argv;
const login = await fetch(`${origin}/oauth2/token`, {
  method: "POST",
  body: new URLSearchParams({ grant_type: "client_credentials", client_id: "alice", client_secret: "alice-secret" }),
});
const { access_token: accessToken, project, profile } = await login.json();

const require = createRequire(join(folder, "package.json"));
const { JSDOM }: HookModules["jsdom"] = require("jsdom");
const { window } = new JSDOM(`<div id="root"></div>`, { url: origin, pretendToBeVisual: true });
// What browsers have and jsdom does not.
Object.assign(window, { TextDecoder, TextEncoder });
Object.assign(globalThis, { window, document: window.document });
hurry();
const { frames } = recordFrames();

const core = join(folder, "node_modules", "@medplum", "core", "dist", "esm", "index.mjs");
const hooks = join(folder, "node_modules", "@medplum", "react-hooks", "dist", "esm", "index.mjs");
const { MedplumClient }: HookModules["core"] = await import(pathToFileURL(core).href);
const { MedplumProvider, useSubscription }: HookModules["hooks"] = await import(pathToFileURL(hooks).href);
const { createElement }: HookModules["react"] = require("react");
const { createRoot }: HookModules["dom"] = require("react-dom/client");

const seen: HookSeen = { connects: [], notes: [], frames };

function Watcher(): null {
  useSubscription(
    "Communication?status=completed",
    (bundle) => seen.notes.push(bundle.entry?.[1]?.resource?.note),
    { onSubscriptionConnect: (id) => seen.connects.push(id) },
  );
  return null;
}

const medplum = new MedplumClient({ baseUrl: `${origin}/`, fetch: recordingFetch });
await medplum.setActiveLogin({ accessToken, project, profile });
const root = createRoot(window.document.getElementById("root"));
root.render(createElement(MedplumProvider, { medplum }, createElement(Watcher)));
await until("connected", () => seen.connects.length > 0);
const note = [{ text: "to the hook" }];
await medplum.createResource({ resourceType: "Communication", status: "completed", note });
await until("told", () => seen.notes.length > 0);
root.unmount();
await until("unbound", () => frames.at(-1)?.type === "unbind-from-token");
console.log(JSON.stringify(seen));
process.exit(0);

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let n = 0; !holds(); n++) {
    if (n > 3000) throw new Error(`The hook has not ${what}: ${JSON.stringify(seen)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
