// All timers of all sockets: one, armed only while something is due.

import { createTimes } from "./times.ts";

/** Something that happens at a time; it knows its own place among the others, so that moving it costs no search. */
export interface Due {
  /** Milliseconds since the epoch; set by `Deadlines` alone. */
  dueAt: number;
  /** Its place among those of the same time, -1 when it waits for nothing. */
  place: number;
  /** Called once its time has come, out of the deadlines by then. Must not throw. */
  due(now: number): void;
}

/** What is due when. */
export interface Deadlines {
  /** Puts it in, or moves it; `Infinity` takes it out. */
  set(due: Due, at: number): void;
  clear(due: Due): void;
}

/**
 * The longest sleep in milliseconds. Deadlines are told by the wall clock, timers by another: when somebody sets the
 * clock, this is how late anything can be.
 */
const LONGEST_SLEEP = 1000;

/** Lists by time under one timer: most share their time with others. `afterTick` is called when all due is done. */
export function createDeadlines(now: () => number, afterTick: () => void): Deadlines {
  const lists = new Map<number, Due[]>();
  const times = createTimes(lists);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let wakesAt = Infinity;
  let ticking = false;

  function arm(): void {
    if (ticking) return; // once, when all that is due has been done
    const first = times.first();
    if (first === undefined) {
      clearTimeout(timer);
      wakesAt = Infinity;
      return;
    }
    const current = now();
    const at = Math.max(current, Math.min(first, current + LONGEST_SLEEP));
    // A clock that was set forward leaves `wakesAt` behind it, and a timer that fires later than that.
    if (wakesAt <= at && wakesAt >= current) return;
    clearTimeout(timer);
    wakesAt = at;
    timer = setTimeout(tick, Math.ceil(at - current));
  }

  function tick(): void {
    wakesAt = Infinity;
    ticking = true;
    const current = now();
    for (let at = times.first(); at !== undefined && at <= current; at = times.first()) {
      const due = lists.get(at)?.[0];
      if (due === undefined) break; // there is no list without somebody in it
      take(due);
      due.due(current);
    }
    ticking = false;
    afterTick();
    arm();
  }

  function put(due: Due, at: number): void {
    due.dueAt = at;
    if (at === Infinity) return;
    const list = lists.get(at);
    if (list === undefined) {
      lists.set(at, [due]);
      times.add(at);
      due.place = 0;
    } else due.place = list.push(due) - 1;
  }

  /** The last of its time takes its place. */
  function take(due: Due): void {
    const list = due.place < 0 ? undefined : lists.get(due.dueAt);
    const last = list?.pop();
    if (list === undefined || last === undefined) return;
    if (last !== due) {
      list[due.place] = last;
      last.place = due.place;
    }
    due.place = -1;
    if (list.length === 0) lists.delete(due.dueAt);
  }

  return {
    set(due, at) {
      if (due.dueAt === at && due.place >= 0) return;
      take(due);
      put(due, at);
      arm();
    },
    clear(due) {
      take(due);
      arm();
    },
  };
}
