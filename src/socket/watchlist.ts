// The Subscriptions that have a binding: by key, and in a row, so that most of a round looks at nothing but numbers.

import type { Watched } from "./state.ts";

/** Some keys of the row, by the place of the first. */
export interface Row {
  readonly from: number;
  readonly keys: readonly string[];
}

/** Watched Subscriptions, and the head at which each was found to have all of its bindings. */
export interface Watchlist {
  readonly size: number;
  get(key: string): Watched | undefined;
  add(watched: Watched): void;
  delete(watched: Watched): void;
  /** All of its bindings stand at this head; `undefined`: that is not known any more. */
  settle(watched: Watched, head: number | undefined): void;
  /** Whether the one that stands at a place has this key, and all of its bindings stood at this head. */
  isSettled(place: number, key: string, head: number): boolean;
  /**
   * All keys, some at a time. From the end on, because who leaves is replaced by the last: whoever comes and goes
   * meanwhile, nobody who stays is passed by.
   */
  rows(length: number): Generator<Row, void>;
}

export function createWatchlist(): Watchlist {
  const byKey = new Map<string, Watched>();
  const keys: string[] = [];
  /** Of the keys; `NaN`, which equals no head, where nothing is known. */
  const heads: number[] = [];

  return {
    get size() {
      return keys.length;
    },
    get: (key) => byKey.get(key),
    add(watched) {
      watched.place = keys.push(watched.key) - 1;
      heads.push(NaN);
      byKey.set(watched.key, watched);
    },
    delete(watched) {
      const [key, head] = [keys.pop(), heads.pop()];
      const last = key === undefined ? undefined : byKey.get(key);
      byKey.delete(watched.key);
      if (key === undefined || head === undefined || last === undefined || last === watched) return;
      last.place = watched.place;
      keys[last.place] = key;
      heads[last.place] = head;
    },
    settle(watched, head = NaN) {
      if (byKey.get(watched.key) === watched) heads[watched.place] = head;
    },
    isSettled: (place, key, head) => heads[place] === head && keys[place] === key,
    *rows(length) {
      for (let end = keys.length; end > 0;) {
        const from = Math.max(0, end - length);
        yield { from, keys: keys.slice(from, end) };
        end = Math.min(from, keys.length);
      }
    },
  };
}
