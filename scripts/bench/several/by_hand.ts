// What somebody would write who has one table or list in mind: append, publish, read.

// @ts-types="pg-types"
import pg from "pg";
import { createClient } from "redis";

/** Where two processes meet. */
export interface Place {
  readonly engine: "postgres" | "redis";
  readonly url: string;
  readonly name: string;
}

/** One key of an event log, without a library. */
export interface ByHand {
  /** Appends and publishes. */
  write(content: string): Promise<void>;
  /** Reads what is published, from now on. */
  hear(send: (content: string) => void): Promise<void>;
  close(): Promise<void>;
}

const PAGE = 100;

export async function openByHand(place: Place): Promise<ByHand> {
  return place.engine === "postgres" ? await openPostgres(place) : await openRedis(place);
}

async function openPostgres({ url, name }: Place): Promise<ByHand> {
  const channel = `${name}_hand`;
  const pool = new pg.Pool({ connectionString: url, max: 5 });
  const listener = new pg.Client({ connectionString: url });
  await pool.query(`CREATE TABLE IF NOT EXISTS ${name}.hand_head (key text PRIMARY KEY, head bigint NOT NULL)`);
  await pool.query(`CREATE TABLE IF NOT EXISTS ${name}.hand_event (
    key text, number bigint, content text NOT NULL, PRIMARY KEY (key, number))`);
  const append = `WITH raised AS (
      INSERT INTO ${name}.hand_head (key, head) VALUES ($1, 1)
      ON CONFLICT (key) DO UPDATE SET head = hand_head.head + 1 RETURNING head
    )
    INSERT INTO ${name}.hand_event (key, number, content) SELECT $1, head, $2 FROM raised RETURNING number`;
  const read =
    `SELECT number, content FROM ${name}.hand_event WHERE key = $1 AND number > $2 ORDER BY number LIMIT ${PAGE}`;
  return {
    async write(content) {
      const { rows: [row] } = await pool.query(append, ["key", content]);
      await pool.query("SELECT pg_notify($1, $2)", [channel, row.number]);
    },
    async hear(send) {
      let last = 0;
      const pump = createPump(async () => {
        const { rows } = await pool.query(read, ["key", last]);
        for (const { number, content } of rows) {
          send(content);
          last = Number(number);
        }
        return rows.length === PAGE;
      });
      listener.on("notification", pump);
      await listener.connect();
      await listener.query(`LISTEN ${channel}`);
    },
    async close() {
      await listener.end();
      await pool.end();
    },
  };
}

async function openRedis({ url, name }: Place): Promise<ByHand> {
  const [head, list, channel] = [`{${name}}:hand-head`, `{${name}}:hand-list`, `${name}-hand`];
  const client = await createClient({ url }).connect();
  const subscriber = await createClient({ url }).connect();
  return {
    async write(content) {
      const [number] = await client.multi().incr(head).rPush(list, content).exec();
      await client.publish(channel, String(number));
    },
    async hear(send) {
      let last = 0;
      const pump = createPump(async () => {
        const contents = await client.lRange(list, last, last + PAGE - 1);
        for (const content of contents) send(content);
        last += contents.length;
        return contents.length === PAGE;
      });
      await subscriber.subscribe(channel, pump);
    },
    async close() {
      await subscriber.close();
      await client.close();
    },
  };
}

/** One reader at a time; `step` tells whether there is more. */
function createPump(step: () => Promise<boolean>): () => Promise<void> {
  let isRunning = false;
  let again = false;
  return async () => {
    again = true;
    if (isRunning) return;
    isRunning = true;
    while (again) {
      again = false;
      while (await step());
    }
    isRunning = false;
  };
}
