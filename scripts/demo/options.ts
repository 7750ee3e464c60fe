// The command line: `--name value` or `--name=value`, the last one counts.

/** What the server was asked to be. */
export interface DemoOptions {
  readonly port: number;
  readonly host: string;
  /** Origin, and perhaps a path, under which clients know the server; without a slash at its end. */
  readonly publicUrl?: string;
  /** A file, or `:memory:`. */
  readonly db: string;
  readonly tokens: "jwt" | "opaque";
  readonly singleUse: boolean;
  /** Seconds. */
  readonly tokenLifetime: number;
  /** Seconds. */
  readonly bindDeadline: number;
}

/** Options, or why there are none. */
export type CommandLine =
  | { readonly options: DemoOptions }
  | { readonly help: string }
  | { readonly mistake: string };

interface OptionRow {
  readonly value?: string;
  readonly text: string;
  /** The part of the options that this value makes, or what it should have been. */
  read(value: string): Partial<DemoOptions> | string;
}

const DEFAULTS: DemoOptions = {
  port: 8103,
  host: "127.0.0.1",
  db: ":memory:",
  tokens: "jwt",
  singleUse: false,
  tokenLifetime: 3600,
  bindDeadline: 30,
};

const ROWS: ReadonlyMap<string, OptionRow> = new Map<string, OptionRow>([
  ["--port", {
    value: "8103",
    text: "where to listen; 0 takes a free port",
    read: (value) => integer(value, 0, 65535, (port) => ({ port })),
  }],
  ["--host", {
    value: "127.0.0.1",
    text: "the address to listen on",
    read: (host) => /^[A-Za-z0-9.:_-]+$/.test(host) ? { host } : "a host name or address",
  }],
  ["--public-url", {
    value: "URL",
    text: "the http(s) URL that clients know the server by",
    read: (value) => publicUrl(value),
  }],
  ["--db", {
    value: ":memory:|FILE",
    text: "where everything is kept, keys included",
    read: (db) => db === "" ? ":memory: or a file" : { db },
  }],
  ["--tokens", {
    value: "jwt|opaque",
    text: "the kind of binding tokens",
    read: (tokens) => tokens === "jwt" || tokens === "opaque" ? { tokens } : "jwt or opaque",
  }],
  ["--single-use", { text: "each token binds once", read: () => ({ singleUse: true }) }],
  ["--token-lifetime", {
    value: "3600",
    text: "seconds that a binding token lives",
    read: (value) => integer(value, 1, 86_400, (tokenLifetime) => ({ tokenLifetime })),
  }],
  ["--bind-deadline", {
    value: "30",
    text: "seconds that a socket may stay without a binding",
    read: (value) => integer(value, 1, 86_400, (bindDeadline) => ({ bindDeadline })),
  }],
]);

/** Reads the arguments of the program. */
export function parseOptions(args: readonly string[]): CommandLine {
  let options = DEFAULTS;
  for (let n = 0; n < args.length; n++) {
    const [name = "", ...rest] = (args[n] ?? "").split("=");
    if (name === "--help" || name === "-h") return { help: usage() };
    const row = ROWS.get(name);
    if (row === undefined) return { mistake: `Cannot start: unknown option "${name}", see --help` };
    const given = rest.length > 0 ? rest.join("=") : undefined;
    if (row.value === undefined && given !== undefined) return { mistake: `Cannot start: ${name} takes no value` };
    const value = row.value === undefined ? "" : given ?? args[++n];
    if (value === undefined) return { mistake: `Cannot start: ${name} needs a value` };
    const part = row.read(value);
    if (typeof part === "string") return { mistake: `Cannot start: ${name} "${value}" is not ${part}` };
    options = { ...options, ...part };
  }
  return { options };
}

function integer<T>(text: string, least: number, most: number, make: (value: number) => T): T | string {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
  return value >= least && value <= most ? make(value) : `a whole number from ${least} to ${most}`;
}

function publicUrl(text: string): Partial<DemoOptions> | string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const plain = url !== undefined && /^https?:$/.test(url.protocol) && url.username === "" && url.password === "" &&
    !/[?#]/.test(text);
  return plain ? { publicUrl: url.href.replace(/\/+$/, "") } : "an http or https URL without query and credentials";
}

function usage(): string {
  const lines = [...ROWS].map(([name, { value, text }]) => `  ${`${name} ${value ?? ""}`.padEnd(30)}${text}`);
  return ["A FHIR server that shows what @fhir-ws/binding does. Options and their defaults:", "", ...lines].join("\n");
}
