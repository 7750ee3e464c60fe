// What the launchers of all runtimes have in common: options, one line when ready, signals.

import process from "node:process";
import { createDemo, type Demo } from "./app.ts";
import { isLoopback, originOf } from "./hosts.ts";
import { type DemoOptions, parseOptions } from "./options.ts";

/** Starts to listen and returns the port, or throws why it cannot. Requests that come early wait for the demo. */
export type Listen = (
  address: { readonly host: string; readonly port: number },
  demo: Pick<Demo, "fetch" | "admit">,
) => number | Promise<number>;

/** Milliseconds after which nothing is waited for any more; binders give their sockets one second. */
const PATIENCE = 2000;

/** Runs the demo by the command line. Exit codes: 0 after a signal, 2 for wrong options, 1 for the rest. */
export async function launch(listen: Listen): Promise<void> {
  const line = parseOptions(process.argv.slice(2));
  if ("help" in line) return console.log(line.help);
  if ("mistake" in line) return quit(2, line.mistake);
  try {
    await run(line.options, listen);
  } catch (error) {
    quit(1, `Cannot start: ${error instanceof Error ? error.message : error}`);
  }
}

async function run({ host, port, publicUrl, ...settings }: DemoOptions, listen: Listen): Promise<void> {
  if (!isLoopback(host)) {
    console.error(`Warning: ${host} may be reached from elsewhere, and everybody knows the secrets of alice and bob`);
  }
  const demo = Promise.withResolvers<Demo>();
  const listeningPort = await listen({ host, port }, {
    fetch: async (request) => (await demo.promise).fetch(request),
    admit: async (request) => (await demo.promise).admit(request),
  });
  const origin = originOf(host, listeningPort);
  const running = await createDemo({ ...settings, origin: publicUrl ?? origin });
  demo.resolve(running);
  // Ctrl-C in a terminal arrives twice: from the terminal itself, and forwarded by the task runner.
  let ending: Promise<void> | undefined;
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => void (ending ??= shutDown(running)));
  console.log(`Listening on ${origin}/`);
}

/** REST goes on while sockets close. Servers are not asked to stop: Deno's would cut the sockets off at once. */
async function shutDown(demo: Demo): Promise<void> {
  setTimeout(() => process.exit(0), PATIENCE);
  try {
    await demo.close();
  } catch (error) {
    console.error(error);
  }
  process.exit(0);
}

function quit(code: number, text: string): void {
  console.error(text);
  process.exit(code);
}
