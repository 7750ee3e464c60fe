// Two callers in each of two tenants on two bases, with the same ids everywhere, and what must hold for each of them.

import type { Caller } from "@fhir-ws/binding";
import { assert, assertEquals } from "@std/assert";
import type { FakeSocket, ServerFrame } from "./harness.ts";

export const TENANTS = ["north", "south"] as const;
export const BASES = ["https://example.org/fhir/one", "https://example.org/fhir/two"] as const;
export const IDS = ["s1", "s2", "s3"] as const;

export type Tenant = (typeof TENANTS)[number];
export type Id = (typeof IDS)[number];

/** In each tenant Alice has the first two Subscriptions, Bob the third. */
export function ownerOf(tenant: Tenant, id: Id): Caller {
  return { id: id === "s3" ? "bob" : "alice", tenant };
}

/** What the events of one Subscription hold, and of no other. */
export function markOf(base: number, tenant: string, id: string): string {
  return `mark-${base}-${tenant}-${id}`;
}

/** What must hold for each frame at the moment when it is sent. */
export class Watch {
  readonly base: number;
  readonly socket: FakeSocket;
  /** The caller of what was first bound. */
  caller: string | undefined;
  /** Until when anything may arrive: the latest end of the tokens said here, by tenant and id; milliseconds. */
  readonly until = new Map<string, number>();
  /** The numbers that the next event of a Subscription may have: these, and where events are replayed all below. */
  readonly next = new Map<string, { readonly exact: Set<number>; most: number }>();
  readonly replays: boolean;
  /** The first thing that must not be. Thrown into the library it would look like a socket that fails. */
  violation: unknown;

  constructor(base: number, socket: FakeSocket, now: () => number, replays = false) {
    this.base = base;
    this.replays = replays;
    this.socket = socket;
    socket.listener = (frame) => this.#judge(frame, now());
  }

  /** A token for it was said here; `end` in milliseconds. */
  allow(tenant: Tenant, id: Id, end: number): void {
    const key = `${tenant} ${id}`;
    this.until.set(key, Math.max(end, this.until.get(key) ?? 0));
  }

  #judge(frame: ServerFrame, now: number): void {
    try {
      this.#hear(frame, now);
    } catch (error) {
      this.violation ??= error;
    }
  }

  #hear(frame: ServerFrame, now: number): void {
    if (frame.kind === "outcome") {
      for (const { diagnostics = "", details } of frame.issues) {
        if (details.text.startsWith("The binding has ended")) {
          this.next.delete(diagnostics.replace("Subscription/", ""));
        }
      }
    }
    if (frame.kind !== "notification") return;
    const { subscription: id, topic = "", type, count } = frame;
    const tenant = topic.split("/").at(-1) ?? "";
    const owner = JSON.stringify(ownerOf(tenant as Tenant, id as Id)); // the assertion below fails for any other
    this.caller ??= owner;
    assertEquals(owner, this.caller, "one caller a socket");
    assert(now < (this.until.get(`${tenant} ${id}`) ?? 0), "a token for it was said here and is not over");
    for (const [mark] of frame.text.matchAll(/mark-[a-z0-9-]+/g)) assertEquals(mark, markOf(this.base, tenant, id));
    const next = this.next.get(id) ?? { exact: new Set<number>(), most: 0 };
    this.next.set(id, next);
    if (type === "handshake") {
      next.exact.add(Number(count) + 1);
      if (this.replays) next.most = Number(count);
    }
    if (type !== "event-notification") return;
    for (const { number } of frame.events) {
      assert(next.exact.has(Number(number)) || Number(number) <= next.most, `${id} ${number} in its order`);
      next.exact.clear();
      next.exact.add(Number(number) + 1);
      next.most = 0;
    }
  }
}
