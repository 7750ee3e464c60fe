// Which time comes first.

/** Times in their order. */
export interface Times {
  /** Once for each that is new in `known`. */
  add(time: number): void;
  /** The first that is still known. */
  first(): number | undefined;
}

/** As many forgotten ones as known ones, and so many more, are kept before they are thrown away. */
const SPARE = 64;

/** A binary heap. Times that are not `known` any more stay in it until they come first, or there are too many. */
export function createTimes(
  known: { has(time: number): boolean; keys(): Iterable<number>; readonly size: number },
): Times {
  let heap: number[] = [];

  function removeFirst(): void {
    const last = heap.pop();
    if (last !== undefined && heap.length > 0) sink(heap, last);
  }

  return {
    add(time) {
      // What is in order is a heap.
      if (heap.length > 2 * known.size + SPARE) heap = [...known.keys()].sort((one, other) => one - other);
      else rise(heap, time);
    },
    first() {
      for (let time = heap[0]; time !== undefined; time = heap[0]) {
        if (known.has(time)) return time;
        removeFirst();
      }
      return undefined;
    },
  };
}

/** Puts a time at the end and lets it rise to where it belongs. */
function rise(heap: number[], time: number): void {
  let place = heap.length;
  while (place > 0) {
    const above = (place - 1) >> 1;
    const other = heap[above] ?? time;
    if (other <= time) break;
    heap[place] = other;
    place = above;
  }
  heap[place] = time;
}

/** Puts a time first and lets it sink to where it belongs. */
function sink(heap: number[], time: number): void {
  let place = 0;
  while (true) {
    const left = 2 * place + 1;
    const below = (heap[left + 1] ?? Infinity) < (heap[left] ?? Infinity) ? left + 1 : left;
    const other = heap[below] ?? Infinity;
    if (other >= time) break;
    heap[place] = other;
    place = below;
  }
  heap[place] = time;
}
