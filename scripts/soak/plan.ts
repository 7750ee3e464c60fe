// Who takes part in a soak: the same for the server and for each process of clients.

/** All of it. */
export interface Plan {
  readonly seed: number;
  /** Sockets over all processes. */
  readonly sockets: number;
  readonly processes: number;
  /** Of tokens, in seconds. */
  readonly lifetime: { readonly shortest: number; readonly longest: number };
  readonly subscriptions: readonly PlannedSubscription[];
}

/** A Subscription and whose it is. */
export interface PlannedSubscription {
  readonly id: string;
  readonly caller: string;
  /** Its events are too large for a reader that pauses. */
  readonly isHeavy: boolean;
}

/** One client. */
export interface Follower {
  readonly caller: string;
  readonly ids: readonly string[];
  readonly isSlow: boolean;
}

const SOCKETS_PER_CALLER = 20;
const SUBSCRIPTIONS_PER_CALLER = 4;
/** One in so many callers follows the heavy Subscriptions, and reads slowly. */
const HEAVY = 100;

export function makePlan({ seed, sockets }: { readonly seed: number; readonly sockets: number }): Plan {
  const processes = sockets >= 100 ? 2 : 1;
  const callers = processes * Math.max(2, Math.ceil(sockets / processes / SOCKETS_PER_CALLER));
  const subscriptions = Array.from({ length: callers * SUBSCRIPTIONS_PER_CALLER }, (_, n) => {
    const caller = Math.floor(n / SUBSCRIPTIONS_PER_CALLER);
    return { id: `s${n}`, caller: `c${caller}`, isHeavy: isHeavy(caller) };
  });
  return { seed, sockets, processes, lifetime: { shortest: 4, longest: 20 }, subscriptions };
}

/** The clients of one process; callers are never shared between processes. */
export function followersOf(plan: Plan, process: number, random: () => number): Follower[] {
  const callers = [...new Set(plan.subscriptions.map(({ caller }) => caller))]
    .filter((_, n) => n % plan.processes === process);
  return Array.from({ length: Math.floor(plan.sockets / plan.processes) }, (_, n) => {
    const caller = callers[n % callers.length] ?? "";
    const own = plan.subscriptions.filter((one) => one.caller === caller);
    const wanted = own.filter(() => random() < 0.6);
    const followed = wanted.length > 0 ? wanted : own.slice(0, 1);
    return { caller, ids: followed.map(({ id }) => id), isSlow: followed.some(({ isHeavy }) => isHeavy) };
  });
}

function isHeavy(caller: number): boolean {
  return caller % HEAVY === 0;
}
