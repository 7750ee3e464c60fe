/** Maps and Sets, whoever made them. */
export type Collection = { readonly size: number };

/** Runs something that makes Maps and Sets at once, and returns those beside its result. */
export function recordCollections<T>(make: () => T): { readonly made: T; readonly collections: readonly Collection[] } {
  const { Map: PlainMap, Set: PlainSet } = globalThis;
  const collections: Collection[] = [];
  const RecordedMap = class<K, V> extends PlainMap<K, V> {
    constructor(entries?: Iterable<readonly [K, V]> | null) {
      super(entries ?? []);
      collections.push(this);
    }
  };
  const RecordedSet = class<V> extends PlainSet<V> {
    constructor(values?: Iterable<V> | null) {
      super(values ?? []);
      collections.push(this);
    }
  };
  Object.assign(globalThis, { Map: RecordedMap, Set: RecordedSet });
  try {
    return { made: make(), collections };
  } finally {
    Object.assign(globalThis, { Map: PlainMap, Set: PlainSet });
  }
}
