// One of several processes on the same SQLite file: `sqlite_helper.ts <driver> <file> <job> <name>`. It says "ready",
// waits for a line, does its job, and prints each line only when what the line tells of was acknowledged.

import { createSqliteEventLog, createSqliteTokenStore } from "@fhir-ws/binding/storage/sqlite";
import { writeSync } from "node:fs";
import process from "node:process";
import { drivers } from "./drivers.ts";

const [driver, file, job, name] = process.argv.slice(2);
const db = drivers.find((candidate) => candidate.name === driver)!.open(file!);
// What "normal" promises, "full" does all the more.
const options = { synchronous: "normal", busyTimeout: 10_000 } as const;
const log = createSqliteEventLog(db, { ...options, maxEvents: 10_000 });
const tokens = createSqliteTokenStore(db, options);
const expiresAt = Math.floor(Date.now() / 1000) + 3600;

/** Returns when the line is in the pipe, where it outlives this process. */
function print(line: string): void {
  let rest = new TextEncoder().encode(`${line}\n`);
  while (rest.length > 0) {
    try {
      rest = rest.slice(writeSync(1, rest));
    } catch (error) {
      // The pipe is full and, on Node, does not block.
      if ((error as { readonly code?: unknown }).code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

const JOBS: { readonly [job: string]: () => Promise<void> } = {
  /** Redeems the same 500 tokens as everybody else. */
  async redeem() {
    for (let token = 0; token < 500; token++) {
      if (await tokens.redeem(`token-${token}`, `attempt of ${name}`, expiresAt)) print(`${token}`);
    }
  },
  /** Appends 2,500 events to one key. */
  async append() {
    for (let n = 0; n < 2500; n++) {
      const [number] = await log.append(["key"], { interaction: "create", focus: `Basic/${name}-${n}` });
      print(`${number}`);
    }
  },
  /** Appends, puts and redeems until it is killed. */
  async everything() {
    for (let n = 1;; n++) {
      const numbers = await log.append(["shared", `key-${name}`], {
        interaction: "create",
        focus: `Basic/${name}-${n}`,
      });
      print(`append ${numbers[0]} ${numbers[1]}`);
      const id = `token-${name}-${n}`;
      const caller = { id: "alice" };
      await tokens.put(id, { id, audience: "a", caller, subscriptions: ["s"], issuedAt: expiresAt - 3600, expiresAt });
      print(`put ${n}`);
      await tokens.redeem(id, "attempt", expiresAt);
      print(`redeem ${n}`);
    }
  },
};

print("ready");
process.stdin.once("data", async () => {
  process.stdin.destroy();
  await JOBS[job!]!();
  db.close();
});
// Whoever started it has gone.
process.stdin.once("end", () => process.exit(1));
