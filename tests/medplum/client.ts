/**
 * One Medplum client through its life, in a process of its own: `node client.ts <module> <origin>`. Prints what it saw.
 *
 * @module
 */
import process from "node:process";
import { hurry, layWire, recordFrames, recordingFetch } from "./environment.ts";
import type { Emitter, MedplumModule, Seen } from "./medplum.ts";

const [, , module = "", origin = ""] = process.argv;
const wire = await layWire(new URL(origin));
const login = await fetch(`${origin}/oauth2/token`, {
  method: "POST",
  body: new URLSearchParams({ grant_type: "client_credentials", client_id: "alice", client_secret: "alice-secret" }),
});
const { access_token: accessToken } = await login.json();
hurry();
const { frames, outcomes, say } = recordFrames();

const { MedplumClient }: MedplumModule = await import(module);
const medplum = new MedplumClient({ baseUrl: `${wire.origin}/`, fetch: recordingFetch, accessToken });
await medplum.getProfileAsync();
const criteria = "Communication?status=completed";
const seen: Seen = { connects: [], messages: [], errors: [], heartbeats: 0, disconnects: 0, steps: {}, frames };

const emitter = medplum.subscribeToCriteria(criteria);
emitter.addEventListener("connect", ({ payload }) => seen.connects.push(String(payload?.subscriptionId)));
emitter.addEventListener("message", ({ payload }) => seen.messages.push(payload?.entry?.[1]?.resource));
emitter.addEventListener("error", ({ payload }) => seen.errors.push(String(payload)));
emitter.addEventListener("disconnect", () => seen.disconnects++);
const master: Emitter = medplum.getMasterSubscriptionEmitter();
master.addEventListener("heartbeat", () => seen.heartbeats++);

await until("connected", () => seen.connects.length > 0);
await write("first");
await until("told", () => seen.messages.length > 0);

const [id = ""] = seen.connects;
const subscription = await medplum.readResource("Subscription", id);
const period = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-heartbeat-period";
const extension = [{ url: period, valueUnsignedInt: 1 }];
const channel = { ...(subscription.channel as object), extension }; // a Subscription has one
await medplum.updateResource({ ...subscription, channel });
await until("heard a heartbeat", () => seen.heartbeats > 0);

if (process.argv[4] === "refreshes") await until("refreshed", () => seen.connects.length > 1);
const connects = seen.connects.length;
seen.steps.framesBeforeCut = frames.length;
seen.steps.errorsBeforeOutcome = seen.errors.length;
say("hello");
await until("had an OperationOutcome", () => outcomes.length > 0);
seen.steps.errorsBeforeCut = seen.errors.length;
wire.cut();
await until("reconnected", () => seen.connects.length > connects);
const messages = seen.messages.length;
await write("second");
await until("told again", () => seen.messages.length > messages);

seen.steps.framesBeforeEnd = frames.length;
medplum.unsubscribeFromCriteria(criteria);
await until("unbound", () => seen.disconnects > 0 && frames.at(-1)?.type === "unbind-from-token");
console.log(JSON.stringify(seen));
process.exit(0);

async function write(text: string): Promise<void> {
  await medplum.createResource({ resourceType: "Communication", status: "completed", note: [{ text }] });
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let n = 0; !holds(); n++) {
    if (n > 3000) throw new Error(`It has not ${what}: ${JSON.stringify(seen)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
