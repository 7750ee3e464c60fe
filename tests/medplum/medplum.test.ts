// The unmodified Medplum client against the demo: what each version expects of a server.

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { describe, it } from "node:test";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { withProcess } from "../demo/process.ts";
import { executable } from "../server/runtimes.ts";
import type { HookSeen, Seen } from "./medplum.ts";
import { installMedplum } from "./packages.ts";

interface Version {
  readonly version: string;
  readonly folder: string;
  /** Whether it renews its tokens. */
  readonly refreshes: boolean;
  /** Whether it tells of an OperationOutcome by an event, or warns on the console only. */
  readonly tellsOutcomes: boolean;
  /** What it does with the old token and the Subscription after its socket was cut. */
  readonly unbindsOld: boolean;
  readonly keepsId: boolean;
}

const VERSIONS: readonly Version[] = [
  {
    version: "4.5.2",
    folder: "medplum-core-4.5.2",
    refreshes: false,
    tellsOutcomes: true,
    unbindsOld: false,
    keepsId: false,
  },
  {
    version: "5.1.15",
    folder: "medplum-core-5.1.15",
    refreshes: true,
    tellsOutcomes: true,
    unbindsOld: true,
    keepsId: true,
  },
  {
    version: "5.2.13",
    folder: "@medplum/core",
    refreshes: true,
    tellsOutcomes: false,
    unbindsOld: true,
    keepsId: false,
  },
];

/** Five minutes before its end a token is renewed, at the next look at it: the client's clock runs ahead of the demo's. */
const DEMO = ["--port", "0", "--token-lifetime", "330"];

const node = executable("node");
const installed = node === undefined ? { failure: "TEST_NODE is not set" } : await installMedplum();
const missing = "failure" in installed && `cannot run Medplum's client: ${installed.failure}`;
/** In CI nothing may be missing, so the tests run and fail. */
const skip = process.env.CI ? false : missing;

/** Runs a script of this folder on Node, which prints one line of JSON. */
async function run<T>(script: string, ...args: string[]): Promise<T> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const options = { env: { ...process.env, NO_COLOR: "1" }, timeout: 50_000 };
  const { stdout } = await promisify(execFile)(node ?? "node", [path, ...args], options);
  return JSON.parse(stdout.split("\n").find((line) => line.startsWith("{")) ?? "");
}

function packages(): string {
  assert("folder" in installed, String(missing));
  return join(installed.folder, "node_modules");
}

// Not every runtime tells the reason, so the name does.
describe(skip ? `the demo: ${skip}` : "the demo", { skip }, () => {
  for (const { version, folder, refreshes, tellsOutcomes, unbindsOld, keepsId } of VERSIONS) {
    it(`serves @medplum/core ${version} from the first bind to the last unbind`, () =>
      withProcess(DEMO, async (origin) => {
        const module = pathToFileURL(join(packages(), folder, "dist", "esm", "index.mjs")).href;
        const seen = await run<Seen>("client.ts", module, origin, refreshes ? "refreshes" : "does not refresh");
        const { connects, messages, errors, frames, steps } = seen;
        const { framesBeforeCut, framesBeforeEnd, errorsBeforeOutcome = 0, errorsBeforeCut } = steps;

        assertEquals(messages.map((message) => [message?.resourceType, message?.note]), [
          ["Communication", [{ text: "first" }]],
          ["Communication", [{ text: "second" }]],
        ]);
        assert(seen.heartbeats > 0 && seen.disconnects === 1);
        assertEquals(errors.slice(0, errorsBeforeOutcome), []);
        assertEquals(errors.slice(errorsBeforeOutcome, errorsBeforeCut).length, tellsOutcomes ? 1 : 0);

        const binds = frames.slice(0, framesBeforeCut);
        assert(binds.every(({ socket, type }) => socket === 0 && type === "bind-with-token"));
        assertEquals(binds.length > 1, refreshes);
        assertEquals(new Set(binds.map(({ token }) => token)).size, binds.length);
        assertEquals(new Set(connects.slice(0, binds.length)).size, 1);

        const after = frames.slice(framesBeforeCut, framesBeforeEnd);
        assertEquals(after.every(({ socket }) => socket > 0), true);
        assertEquals(after[0]?.type, unbindsOld ? "unbind-from-token" : "bind-with-token");
        if (unbindsOld) assertEquals(after[0]?.token, binds.at(-1)?.token);
        assert(after.some(({ type }) => type === "bind-with-token"));
        if (keepsId) assertEquals(connects.at(-1), connects[0]);
        else assertNotEquals(connects.at(-1), connects[0]);

        const last = frames.findLast(({ type }) => type === "bind-with-token");
        assertEquals(frames.at(-1), { ...last, type: "unbind-from-token" });
      }));
  }

  it("serves useSubscription of @medplum/react-hooks 5.2.13", () =>
    withProcess(DEMO, async (origin) => {
      const { connects, notes, frames } = await run<HookSeen>("hook.ts", join(packages(), ".."), origin);
      assertEquals(connects.length, 1);
      assertEquals(notes, [[{ text: "to the hook" }]]);
      assertEquals(frames.map(({ type }) => type), ["bind-with-token", "unbind-from-token"]);
    }));
});
