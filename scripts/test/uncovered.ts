/** Lines that the tests on Deno do not reach, or not every time, and why that is so. */
export interface Uncovered {
  /** Relative to the project. */
  readonly file: string;
  /** A part of one of the lines, which stands for those around it that are not reached either. None: the whole file. */
  readonly code?: string;
  readonly reason: string;
}

/** Every one of them; an entry whose code is not in its file any more is a mistake. */
export const UNCOVERED: readonly Uncovered[] = [
  { file: "src/types.ts", reason: "types alone: nothing of it is there to run" },
  { file: "src/client/types.ts", reason: "types alone: nothing of it is there to run" },
  {
    file: "src/socket/delivery.ts",
    code: "if (subscription === undefined) return undefined;",
    reason: "for the type's sake: whatever may be delivered has its Subscription",
  },
  {
    file: "src/socket/rounds.ts",
    code: 'report(state.settings, { type: "error", during: "internal", cause });',
    reason: "a mistake of ours: all that a round calls tells of its own failures",
  },
  {
    file: "adapters/server/deno.ts",
    code: "Cannot create Deno sockets",
    reason: "tests/server/sockets.test.ts, where there is no Deno.upgradeWebSocket: on Node and Bun",
  },
  {
    file: "adapters/server/workers.ts",
    code: "return { WebSocketPair, Response }",
    reason: "tests/workers/workers.test.ts, where there is a WebSocketPair: in workerd, which Node starts",
  },
];
