import { parseArgs } from "node:util";

/** What the command line asks for. */
export interface SoakOptions {
  /** Of the soak itself; the warm-up before comes on top. */
  readonly minutes: number;
  readonly sockets: number;
  readonly seed: number;
}

export const HELP = `Usage: deno task soak [--minutes 1] [--sockets 2000] [--seed n]
  --minutes  how long, fractions allowed; a warm-up comes before it and a check after it
  --sockets  clients at the same time, 2 to 10000
  --seed     what decides what is done; without it a new one, which is printed`;

/** The options, `"help"`, or what is wrong with them. */
export function parseOptions(args: readonly string[]): SoakOptions | "help" | { readonly mistake: string } {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        minutes: { type: "string", default: "1" },
        sockets: { type: "string", default: "2000" },
        seed: { type: "string" },
        help: { type: "boolean", default: false },
      },
    });
    if (values.help) return "help";
    const [minutes, sockets] = [Number(values.minutes), Number(values.sockets)];
    const seed = values.seed === undefined ? Math.floor(Math.random() * 1e6) : Number(values.seed);
    if (!(minutes > 0 && minutes < Infinity)) return { mistake: `Cannot soak for "${values.minutes}" minutes` };
    if (!Number.isInteger(sockets) || sockets < 2 || sockets > 10_000) {
      return { mistake: `Cannot soak with "${values.sockets}" sockets: give 2 to 10000` };
    }
    if (!Number.isSafeInteger(seed)) return { mistake: `Cannot use the seed "${values.seed}": it is no integer` };
    return { minutes, sockets, seed };
  } catch (error) {
    return { mistake: error instanceof Error ? error.message : String(error) };
  }
}
