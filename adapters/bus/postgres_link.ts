// The one connection that listens, and that comes back when it was lost.

/** A connection, as far as it is used to listen: a connected `Client` of `pg` fits. */
export interface PostgresConnection {
  /** Runs one statement. */
  query(text: string): PromiseLike<unknown>;
  /** Listens to notifications. */
  on(event: "notification", listener: (message: { channel: string; payload?: string | undefined }) => void): unknown;
  /** Listens to its loss. */
  on(event: "error" | "end", listener: (cause?: unknown) => void): unknown;
  /** Closes it. */
  end(): PromiseLike<unknown>;
}

/** What a link tells. */
export interface LinkEvents {
  heard(payload: string): void;
  /** It listens again; what came in between is lost. */
  resumed(): void;
  failed(cause: unknown): void;
}

/** A link that is up for as long as it is wanted. */
export interface Link {
  /** Resolves when it listens. Rejects when it cannot, and is no more wanted then than it was before. */
  up(): Promise<void>;
  down(): void;
}

/** Milliseconds before the first attempt at coming back; each further one waits twice as long. */
const FIRST_PAUSE = 50;
const LONGEST_PAUSE = 5000;

/** A connection and the attempt to make it. */
interface Line {
  readonly listening: Promise<PostgresConnection>;
}

export function createLink(
  connect: () => PromiseLike<PostgresConnection>,
  channel: string,
  { heard, resumed, failed }: LinkEvents,
): Link {
  let line: Line | undefined;
  /** It was up, and nobody has taken it down since. */
  let wanted = false;
  /** Lost while it was wanted, and not resumed yet. */
  let deaf = false;
  let comingBack = false;

  async function open(lost: (cause: unknown) => void): Promise<PostgresConnection> {
    const connection = await connect();
    connection.on("notification", (message) => {
      if (message.channel === channel && message.payload !== undefined) heard(message.payload);
    });
    connection.on("error", lost);
    connection.on("end", () => lost(new Error("Cannot hear other processes: the connection has ended")));
    try {
      await connection.query(`LISTEN "${channel}"`);
      return connection;
    } catch (error) {
      close(connection);
      throw error;
    }
  }

  function close(connection: PostgresConnection): void {
    Promise.resolve(connection.end()).catch(failed);
  }

  async function start(): Promise<void> {
    const own: Line = { listening: open((cause) => lose(own, cause)) };
    line = own;
    try {
      await own.listening;
    } catch (error) {
      if (line === own) line = undefined;
      throw error;
    }
    if (line !== own) throw new Error("Cannot hear other processes: the connection was lost at once");
    wanted = true;
    if (!deaf) return;
    deaf = false;
    resumed();
  }

  /** A line that is being opened is not lost but fails; one that was let go may end. */
  function lose(own: Line, cause: unknown): void {
    if (line !== own) return;
    line = undefined;
    failed(cause);
    own.listening.then(close, () => {}); // a failed attempt is told by the one who waits for it
    if (!wanted) return;
    deaf = true;
    if (!comingBack) void comeBack(); // it never rejects
  }

  async function comeBack(): Promise<void> {
    comingBack = true;
    for (let pause = FIRST_PAUSE; wanted && deaf; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
      // By chance, so that not all processes come at once.
      await new Promise<void>((resolve) => setTimeout(resolve, pause * (1 + Math.random()) / 2));
      // Somebody who began to listen may have brought it up, or be trying to.
      if (wanted && deaf && line === undefined) await start().catch(failed);
    }
    comingBack = false;
  }

  return {
    async up() {
      if (line === undefined) await start();
      else await line.listening;
    },
    down() {
      wanted = false;
      deaf = false;
      const own = line;
      line = undefined;
      own?.listening.then(close, () => {}); // as above
    },
  };
}
