// What a binder holds: maps that die with the process and come back when clients bind again.

import type { SubscriptionFacts } from "../fhir/subscription.ts";
import { clock } from "../host.ts";
import type { BindingGrant, Caller, EventPage, FhirSubscription } from "../types.ts";
import type { Binding } from "./binding.ts";
import type { Deadlines } from "./deadlines.ts";
import type { Listener } from "./listener.ts";
import type { Rendered, Templates } from "./rendering.ts";
import type { Rounds } from "./rounds.ts";
import type { Session } from "./session.ts";
import type { Settings } from "./settings.ts";
import type { Survivors } from "./survivors.ts";
import type { Watchlist } from "./watchlist.ts";

/** The whole state of one binder. */
export interface BinderState {
  readonly settings: Settings;
  readonly deadlines: Deadlines;
  readonly rounds: Rounds;
  readonly bus: Listener;
  readonly sessions: Set<Session>;
  /** Those without a binding, oldest first. */
  readonly unbound: Set<Session>;
  /** Those that have bound, or are about to, by the caller's revocation subject. */
  readonly callers: Map<string, Set<Session>>;
  /** The Subscriptions that have a binding. */
  readonly watched: Watchlist;
  /** Binds that are under way. */
  readonly attempts: Set<BindAttempt>;
  /** Sockets whose tokens are being checked for revocation. */
  readonly checks: Map<Session, Turn>;
  readonly survivors: Survivors;
  /** Bindings to which the handshake of their last bind is still to be sent. */
  readonly waiting: Set<Binding>;
  /** Bindings whose heartbeat has come due in this tick. */
  readonly heartbeats: Binding[];
  /** Of the notifications that tell nothing but a number. */
  readonly templates: { readonly handshake: Templates; readonly heartbeat: Templates };
  /** What was last sent to callers that have left, by caller and key, oldest first. */
  readonly remembered: Map<string, { readonly number: number; readonly until: number }>;
  /** The count of revocations that has been acted upon. */
  revocations: number | undefined;
  /** Moments so far. */
  moments: number;
  /** True from `close()` on. */
  closing: boolean;
  /** What every call of `close()` waits for. */
  closed: Promise<void> | undefined;
  /** Called when the last socket has gone. */
  emptied: () => void;
}

/** A Subscription that has at least one binding. */
export interface Watched {
  readonly key: string;
  readonly id: string;
  /** By caller, claims included: what one may see says nothing of another. */
  readonly accesses: Map<string, Access>;
  /** Reads of the log under way, by the number they begin after: none from before the last news of that log. */
  reads: Map<number, Promise<EventPage>> | undefined;
  /** Its place in the watchlist's row. */
  place: number;
}

/** What one caller may see of a Subscription, shared by all of its sockets. */
export interface Access {
  readonly watched: Watched;
  readonly name: string;
  readonly caller: Caller;
  readonly bindings: Set<Binding>;
  facts: SubscriptionFacts;
  /** Kept only for `mayReceive`. */
  subscription: FhirSubscription | undefined;
  /** When the read began that the facts are from. */
  checked: Moment;
  /** The order of the last word that the Subscription has changed. */
  changed: number;
  reading: (Turn & { readonly began: Moment }) | undefined;
  /** Since when something that delivery needs could not be had, and when it was last tried; milliseconds. */
  failing: Map<Failure, { readonly since: number; readonly last: number }> | undefined;
  rendered: Rendered | undefined;
}

/** What may fail: reading the Subscription, reading the log, asking `mayReceive`. */
export type Failure = "access" | "log" | "decision";

/** When something was: by the clock for its age, counted for its order, since clocks may be set. */
export interface Moment {
  /** Milliseconds. */
  readonly at: number;
  readonly order: number;
}

/** Work that is done once at a time, and once more for all who come too late for it. */
export interface Turn {
  readonly done: Promise<void>;
  next: Promise<void> | undefined;
}

/** A token that bound on a socket. */
export interface BoundToken {
  readonly grant: BindingGrant;
  /** Enough of its end to know it again, too little to use it. */
  readonly tail: string;
}

/** A bind under way, and the keys and subjects that messages named meanwhile. */
export interface BindAttempt {
  readonly seen: Set<string>;
  /** The subject of the caller among whose sockets it has taken a place. */
  place: string | undefined;
}

/** Milliseconds for which failing reads are waited for before bindings end. */
export const PATIENCE = 60_000;

/** Now, and later than every moment before. */
export function moment(state: BinderState): Moment {
  state.moments += 1;
  return { at: clock(state.settings), order: state.moments };
}

/** The access of a caller to a Subscription; made when it is the first. */
export function enter(state: BinderState, key: string, id: string, caller: Caller, read: FreshRead): Access {
  let watched = state.watched.get(key);
  if (watched === undefined) {
    watched = { key, id, accesses: new Map(), reads: undefined, place: -1 };
    state.watched.add(watched);
  }
  const name = JSON.stringify([caller.tenant ?? null, caller.id, caller.claims ?? null]);
  const known = watched.accesses.get(name);
  if (known !== undefined) return known;
  const access: Access = {
    watched,
    name,
    caller,
    bindings: new Set(),
    ...read,
    changed: 0,
    reading: undefined,
    failing: undefined,
    rendered: undefined,
  };
  watched.accesses.set(name, access);
  return access;
}

/** What a read of a Subscription gives an access. */
export type FreshRead = Pick<Access, "facts" | "subscription" | "checked">;

/** Forgets an access without bindings, and a Subscription without accesses. True when it was the last. */
export function leave(state: BinderState, access: Access): boolean {
  const { watched } = access;
  if (access.bindings.size === 0) watched.accesses.delete(access.name);
  if (watched.accesses.size > 0) return false;
  state.watched.delete(watched);
  return true;
}

/** The bindings of a Subscription, whoever's they are. */
export function bindingsOf({ accesses }: Watched): Binding[] {
  return [...accesses.values()].flatMap(({ bindings }) => [...bindings]);
}
