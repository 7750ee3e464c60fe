// Engines that belong to one test alone, so that it may crash and restart them.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";

export interface OwnEngine {
  readonly url: string;
  /** Ends it without giving it time for anything. */
  crash(): Promise<void>;
  /** Resolves when it listens again. */
  start(): Promise<void>;
  /** Ends it for good and removes its files. */
  remove(): Promise<void>;
}

/** How to run one, or why it cannot be run. */
export type EngineKit = { readonly skip: string } | { readonly skip?: never; make(): Promise<OwnEngine> };

interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly url: string;
  /** What it prints when it is ready. */
  readonly ready: string;
  readonly crashSignal: "SIGKILL" | "SIGQUIT";
}

/** The path of a program, also where Debian hides those of PostgreSQL. */
function findProgram(name: string): string | undefined {
  const root = "/usr/lib/postgresql";
  const hidden = existsSync(root)
    ? readdirSync(root).map((version) => join(root, version, "bin")).sort().reverse()
    : [];
  const folders = [...(process.env.PATH ?? "").split(delimiter), ...hidden];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("unreachable");
  return address.port;
}

function makeFolder(): string {
  return mkdtempSync(join(tmpdir(), "fhir-ws-engine-"));
}

/** PostgreSQL refuses to run as root. */
function asPostgres(command: string, args: readonly string[]): readonly [string, readonly string[]] {
  if (process.getuid?.() !== 0) return [command, args];
  return ["setpriv", ["--reuid=postgres", "--regid=postgres", "--clear-groups", command, ...args]];
}

async function makePostgres(initdb: string, postgres: string): Promise<OwnEngine> {
  const [folder, port] = [makeFolder(), await freePort()];
  if (process.getuid?.() === 0) spawnSync("chown", ["postgres", folder]);
  const [init, initArgs] = asPostgres(initdb, [
    "-D",
    join(folder, "data"),
    "-U",
    "postgres",
    "-A",
    "trust",
    "--no-sync",
  ]);
  const { status, stderr } = spawnSync(init, [...initArgs], { cwd: folder });
  if (status !== 0) throw new Error(`Cannot make a database: ${stderr}`);
  const settings = [`port=${port}`, "listen_addresses=127.0.0.1", `unix_socket_directories=${folder}`];
  const options = settings.flatMap((setting) => ["-c", setting]);
  const [command, args] = asPostgres(postgres, ["-D", join(folder, "data"), ...options]);
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  const program = { command, args, url, ready: "ready to accept connections", crashSignal: "SIGQUIT" } as const;
  return await run(program, folder);
}

async function makeRedis(command: string): Promise<OwnEngine> {
  const [folder, port] = [makeFolder(), await freePort()];
  const settings = ["--bind", "127.0.0.1", "--dir", folder, "--appendonly", "yes", "--appendfsync", "always"];
  const args = ["--port", String(port), ...settings];
  const ready = "Ready to accept connections";
  return await run({ command, args, url: `redis://127.0.0.1:${port}`, ready, crashSignal: "SIGKILL" }, folder);
}

async function run({ command, args, url, ready, crashSignal }: Program, folder: string): Promise<OwnEngine> {
  let child: ChildProcess | undefined;

  function start(): Promise<void> {
    return new Promise((resolve, reject) => {
      const started = spawn(command, [...args], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
      child = started;
      let printed = "";
      for (const stream of [started.stdout, started.stderr]) {
        stream.on("data", (bytes) => {
          printed += bytes;
          if (printed.includes(ready)) resolve();
        });
      }
      started.once("error", reject);
      started.once("exit", () => reject(new Error(`Cannot start "${command}": ${printed}`)));
    });
  }

  async function crash(): Promise<void> {
    const crashed = child;
    if (crashed === undefined) return;
    child = undefined;
    const gone = new Promise((resolve) => crashed.once("exit", resolve));
    crashed.kill(crashSignal);
    await gone;
  }

  // A test that is ended from outside must not leave a server behind.
  function end(): void {
    child?.kill(crashSignal);
  }
  process.on("exit", end);
  await start();
  return {
    url,
    crash,
    start,
    async remove() {
      process.off("exit", end);
      await crash();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function missing(...names: readonly string[]): EngineKit | undefined {
  const name = names.find((name) => findProgram(name) === undefined);
  if (name === undefined || process.env.CI) return undefined;
  return { skip: `no "${name}" on this machine` };
}

export const engineKits: { readonly [engine in "postgres" | "redis"]: EngineKit } = {
  postgres: missing("initdb", "postgres") ??
    { make: () => makePostgres(findProgram("initdb") ?? "initdb", findProgram("postgres") ?? "postgres") },
  redis: missing("redis-server") ?? { make: () => makeRedis(findProgram("redis-server") ?? "redis-server") },
};
