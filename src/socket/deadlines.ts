// All timers of all sockets: one, armed only while something is due.

/** Something that happens at a time; it is its own node of the heap, so that moving it costs no memory. */
export interface Due {
  /** Milliseconds since the epoch; set by `Deadlines` alone. */
  dueAt: number;
  /** Its place in the heap, -1 outside. */
  place: number;
  /** Called once its time has come, out of the heap by then. Must not throw. */
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

/** A binary heap under one timer. `afterTick` is called when all that was due has been done. */
export function createDeadlines(now: () => number, afterTick: () => void): Deadlines {
  const heap: Due[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let wakesAt = Infinity;
  let ticking = false;

  function arm(): void {
    if (ticking) return; // once, when all that is due has been done
    const first = heap[0];
    if (first === undefined) {
      clearTimeout(timer);
      wakesAt = Infinity;
      return;
    }
    const current = now();
    const at = Math.max(current, Math.min(first.dueAt, current + LONGEST_SLEEP));
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
    for (let first = heap[0]; first !== undefined && first.dueAt <= current; first = heap[0]) {
      remove(heap, first);
      first.due(current);
    }
    ticking = false;
    afterTick();
    arm();
  }

  return {
    set(due, at) {
      if (due.dueAt === at && due.place >= 0) return;
      due.dueAt = at;
      if (at === Infinity) remove(heap, due);
      else place(heap, due);
      arm();
    },
    clear(due) {
      remove(heap, due);
      arm();
    },
  };
}

/** Where its time belongs, whether it was in there or not. */
function place(heap: Due[], due: Due): void {
  if (due.place < 0) due.place = heap.push(due) - 1;
  rise(heap, due);
  sink(heap, due);
}

function remove(heap: Due[], due: Due): void {
  if (due.place < 0) return;
  const last = heap.pop();
  if (last !== undefined && last !== due) {
    put(heap, last, due.place);
    place(heap, last);
  }
  due.place = -1;
}

function put(heap: Due[], due: Due, place: number): void {
  heap[place] = due;
  due.place = place;
}

function rise(heap: Due[], due: Due): void {
  while (due.place > 0) {
    const place = due.place;
    const above = heap[(place - 1) >> 1];
    if (above === undefined || above.dueAt <= due.dueAt) return;
    put(heap, due, above.place);
    put(heap, above, place);
  }
}

function sink(heap: Due[], due: Due): void {
  while (true) {
    const place = due.place;
    const left = heap[2 * place + 1];
    const right = heap[2 * place + 2];
    const below = right !== undefined && left !== undefined && right.dueAt < left.dueAt ? right : left;
    if (below === undefined || below.dueAt >= due.dueAt) return;
    put(heap, due, below.place);
    put(heap, below, place);
  }
}
