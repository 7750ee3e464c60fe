// A crowd of callers, and a host whose luck changes: what may happen to them, and how.

import { assert } from "@std/assert";
import fc from "fast-check";
import { anyFrame } from "./any_frame.ts";
import { type Callback, type Harness, LIFETIME } from "./harness.ts";
import { BASES, type Id, IDS, markOf, ownerOf, type Tenant, TENANTS, Watch } from "./watch.ts";

const where = { base: fc.nat({ max: 1 }), tenant: fc.constantFrom(...TENANTS) };
const anySocket = { socket: fc.nat({ max: 11 }) };

const WEATHER = [
  "read",
  "verify",
  "surviving",
  "revocations",
  "redeem",
  "heads",
  "log",
  "publish",
  "hear",
  "activate",
] as const satisfies readonly Callback[];

/** What may happen next. Numbers pick one of those that there are. */
export const anyStep = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant("open"), base: where.base }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("bind"),
      ...anySocket,
      tenant: where.tenant,
      ids: fc.subarray([...IDS], { minLength: 1 }),
      lifetime: fc.constantFrom(1, 5, 20, LIFETIME),
      json: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("bind again"), ...anySocket, token: fc.nat(), json: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("unbind"), ...anySocket, token: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("close"), ...anySocket }) },
  {
    weight: 10,
    arbitrary: fc.record({ do: fc.constant("notify"), ...where, ids: fc.subarray([...IDS], { minLength: 1 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("pass"), milliseconds: fc.constantFrom(1, 300, 1000, 4000, 7000) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("change"),
      tenant: where.tenant,
      id: fc.constantFrom(...IDS),
      status: fc.constantFrom("active", "active", "active", "error", "off", "requested"),
      told: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("revoke"),
      ...where,
      id: fc.constantFrom(...IDS),
      what: fc.constantFrom("caller", "id"),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("say"), ...anySocket, frame: anyFrame }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("clog"), ...anySocket, clogged: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("weather"),
      base: where.base,
      callback: fc.constantFrom(...WEATHER),
      is: fc.constantFrom("fine", "fine", "fine", "slow", "late", "down", "hanging"),
    }),
  },
);

/** A step as its `do` says; the union of the arbitraries is too much for the compiler. */
export interface Step {
  readonly do: string;
  readonly base?: number;
  readonly tenant?: Tenant;
  readonly id?: Id;
  readonly ids?: readonly Id[];
  readonly socket?: number;
  readonly token?: number;
  readonly lifetime?: number;
  readonly milliseconds?: number;
  readonly json?: boolean;
  readonly status?: string;
  readonly told?: boolean;
  readonly what?: string;
  readonly frame?: string;
  readonly clogged?: boolean;
  readonly callback?: Callback;
  readonly is?: string;
}

interface Minted {
  readonly token: string;
  readonly base: number;
  readonly tenant: Tenant;
  readonly ids: readonly Id[];
  /** Milliseconds. */
  readonly end: number;
}

/** The sockets of all, and how a step is taken. */
export class Crowd {
  readonly processes: readonly Harness[];
  readonly watches: Watch[] = [];
  readonly tokens: Minted[] = [];
  readonly replays: boolean;

  constructor(processes: readonly Harness[], replays: boolean) {
    this.processes = processes;
    this.replays = replays;
  }

  async put(tenant: Tenant, id: Id, status: string): Promise<void> {
    const wish = { status, content: "full-resource", topic: `http://example.org/${tenant}`, maxCount: 2 } as const;
    await this.#process(0).put(id, { ...wish, heartbeatPeriod: 3 }, ownerOf(tenant, id));
  }

  /** Each caller of each tenant has a bound socket on each base. */
  async begin(): Promise<void> {
    for (const base of BASES.keys()) {
      for (const tenant of TENANTS) {
        for (const ids of [["s1", "s2"], ["s3"]] as const) {
          await this.take({ do: "open", base });
          await this.take({ do: "bind", socket: this.watches.length - 1, tenant, ids, lifetime: 20 });
        }
      }
    }
  }

  async take(step: Step): Promise<void> {
    const process = this.#process(step.base ?? 0);
    const watch = this.watches[(step.socket ?? 0) % Math.max(1, this.watches.length)];
    if (watch !== undefined) await this.#takeAtSocket(step, watch);
    switch (step.do) {
      case "open": {
        const socket = await process.open();
        return void this.watches.push(new Watch(step.base ?? 0, socket, process.time.now, this.replays));
      }
      case "notify":
        return await notifyAll(process, step);
      case "pass":
        return await process.advance(step.milliseconds ?? 0);
      case "change":
        return await this.#change(process, step);
      case "revoke": {
        const { tenant = "north", id = "s1", what } = step;
        const subject = what === "id" ? { subscription: id } : { caller: ownerOf(tenant, id).id };
        return await process.notifier.revoke({ ...subject, tenant });
      }
      case "weather":
        return setWeather(process, step);
    }
  }

  async #takeAtSocket(step: Step, watch: Watch): Promise<void> {
    const { tenant = "north", ids = [], lifetime = 1, clogged = false } = step;
    const known = this.tokens[(step.token ?? 0) % Math.max(1, this.tokens.length)];
    const { socket } = watch;
    switch (step.do) {
      case "bind":
        return await bind(watch, await this.#mint(watch.base, tenant, ids, lifetime), step);
      case "bind again":
        return known && await bind(watch, known, step);
      case "unbind":
        return await socket.say({ type: "unbind-from-token", payload: { token: known?.token ?? "none" } });
      case "close":
        return socket.disconnect();
      case "say":
        return await socket.say(step.frame ?? "");
      case "clog":
        socket.bufferedAmount = 2_000_000;
        if (!clogged) await socket.drain();
    }
  }

  async #change(process: Harness, { tenant = "north", id = "s1", status = "active", told }: Step): Promise<void> {
    await this.put(tenant, id, status);
    // A bus that is down rejects, and so it should.
    if (told) await process.notifier.changed(id, tenant).catch(() => {});
  }

  async #mint(base: number, tenant: Tenant, ids: readonly Id[], lifetime: number): Promise<Minted> {
    const [first = "s1"] = ids;
    const process = this.#process(base);
    // Also for what the caller does not own: the bind has to find out.
    const token = await process.mint(ids, ownerOf(tenant, first), { lifetime });
    const end = (Math.floor(process.time.now() / 1000) + lifetime) * 1000;
    const minted = { token, base, tenant, ids, end };
    this.tokens.push(minted);
    return minted;
  }

  #process(base: number): Harness {
    const process = this.processes[base];
    assert(process !== undefined);
    return process;
  }
}

async function bind(watch: Watch, { token, base, tenant, ids, end }: Minted, { json }: Step): Promise<void> {
  for (const id of base === watch.base ? ids : []) watch.allow(tenant, id, end);
  await watch.socket.say(json ? { type: "bind-with-token", payload: { token } } : `bind-with-token ${token}`);
}

async function notifyAll(process: Harness, { base = 0, tenant = "north", ids = [] }: Step): Promise<void> {
  for (const id of ids) {
    const mark = markOf(base, tenant, id);
    await process.notify(id, { focus: `Basic/${mark}`, resource: { resourceType: "Basic", id: mark } }, tenant);
  }
}

function setWeather({ host }: Harness, { callback = "read", is }: Step): void {
  if (is === "fine") return host.heal(callback);
  // The notifier waits for its bus, and this test for the notifier.
  if (callback === "publish") return host.fail(callback);
  if (is === "slow" || is === "late") return host.slow(callback, is === "slow" ? 200 : 6000);
  if (callback === "hear") return host.deafen();
  if (is === "down") return host.fail(callback);
  host.hang(callback);
}
