/**
 * A bus on the channels of Redis: numbers travel, and events of up to 64 KiB with them.
 *
 * What it loses while a connection is gone costs no event: binders hear `resync` when it is back, and compare
 * themselves with the log every `reconcile` seconds in any case. Whoever may publish on the channel can make up events.
 *
 * @module
 */
import type { NotificationBus } from "../../src/types.ts";
import { command, type RedisClient } from "../storage/redis_client.ts";
import { createBatches } from "./batches.ts";
import { type BusOptions, createListeners, createReport } from "./listeners.ts";
import { packMessages, readMessages, RESYNC } from "./message.ts";

export type { RedisClient } from "../storage/redis_client.ts";
export type { BusOptions } from "./listeners.ts";

/** The events of a connection that are listened to. */
export interface RedisEvents {
  /** Listens. */
  on(event: "ready" | "reconnecting", listener: () => void): unknown;
  /** Stops listening. */
  off(event: "ready" | "reconnecting", listener: () => void): unknown;
}

/** A connection of `ioredis`, as far as it is used to listen. */
export interface IoredisSubscriber extends RedisEvents {
  /** Sends a command. */
  call(command: string, ...args: string[]): PromiseLike<unknown>;
  /** Begins to hear a channel. */
  subscribe(channel: string): PromiseLike<unknown>;
  /** Ends that. */
  unsubscribe(channel: string): PromiseLike<unknown>;
  /** Listens. */
  on(event: "ready" | "reconnecting", listener: () => void): unknown;
  /** Listens to messages. */
  on(event: "message", listener: (channel: string, message: string) => void): unknown;
  /** Stops listening. */
  off(event: "ready" | "reconnecting", listener: () => void): unknown;
  /** Stops listening to messages. */
  off(event: "message", listener: (channel: string, message: string) => void): unknown;
}

/** A connection of `redis`, as far as it is used to listen. */
export interface NodeRedisSubscriber extends RedisEvents {
  /** Sends a command. */
  sendCommand(args: string[]): PromiseLike<unknown>;
  /** Begins to hear a channel. */
  subscribe(channel: string, listener: (message: string) => void): PromiseLike<unknown>;
  /** Ends that. */
  unsubscribe(channel: string, listener: (message: string) => void): PromiseLike<unknown>;
}

/** A connection that does nothing but listen, and comes back by itself when it was lost. */
export type RedisSubscriber = IoredisSubscriber | NodeRedisSubscriber;

/** Options of `createRedisBus`. */
export interface RedisBusOptions extends BusOptions {
  /** The channel. Default `fhir-ws`. */
  readonly channel?: string;
}

/** Bytes of a message. An event that does not fit stays in the log, lest it fill Redis's buffers for subscribers. */
const MAX_MESSAGE = 65_536;

/**
 * Makes a bus for all processes that have a Redis in common. `client` publishes; `subscriber` is a second connection,
 * of this bus alone, that has connected: `client.duplicate()` of either library. After it was lost and came back by
 * itself listeners hear `resync`. Both libraries want a listener for `error` on each connection.
 *
 * Events of up to 64 KiB travel with their numbers, of up to 16 KiB where these take more than one message; larger ones
 * are read from the log.
 *
 * @example
 * ```ts
 * import { createRedisBus, type NodeRedisSubscriber } from "@fhir-ws/binding/bus/redis";
 *
 * // In place of `await createClient({ url }).connect()` of `redis`, or `new Redis(url)` of `ioredis`
 * let hear = (_message: string): void => {};
 * const subscriber: NodeRedisSubscriber = {
 *   sendCommand: ([_command, _channel, message = ""]) => Promise.resolve(hear(message)),
 *   subscribe(_channel, listener) {
 *     hear = listener;
 *     return Promise.resolve();
 *   },
 *   unsubscribe: () => Promise.resolve(),
 *   on() {},
 *   off() {},
 * };
 *
 * const bus = createRedisBus(subscriber, subscriber);
 * const heard: string[] = [];
 * const unlisten = await bus.listen((message) => heard.push(message.type));
 * await bus.publish({ type: "changed", key: "s1" });
 * unlisten();
 * if (heard.join() !== "changed") throw new Error("unreachable");
 * ```
 */
export function createRedisBus(
  client: RedisClient,
  subscriber: RedisSubscriber,
  options: RedisBusOptions = {},
): NotificationBus {
  const { channel = "fhir-ws" } = options;
  const report = createReport(options);
  const listeners = createListeners(report);
  const ear = createEar(subscriber, channel, hear);
  let listening: Promise<unknown> | undefined;
  let deaf = false;

  function hear(text: string): void {
    for (const message of readMessages(text)) listeners.tell(message);
  }

  function lost(): void {
    deaf = true;
  }

  /** The library has subscribed again, or is about to: asking once more tells when it is done. */
  function back(): void {
    if (!deaf) return;
    deaf = false;
    ear.subscribe().then(() => listeners.tell(RESYNC), report);
  }

  async function start(): Promise<void> {
    deaf = false;
    subscriber.on("reconnecting", lost);
    subscriber.on("ready", back);
    try {
      await ear.subscribe();
    } catch (error) {
      stop();
      throw error;
    }
  }

  function stop(): void {
    listening = undefined;
    subscriber.off("reconnecting", lost);
    subscriber.off("ready", back);
    ear.unsubscribe().catch(report);
  }

  return {
    publish: createBatches(async (messages) => {
      for (const text of packMessages(messages, MAX_MESSAGE)) await command(client, "PUBLISH", channel, text);
    }),
    async listen(listener) {
      const leave = listeners.add(listener);
      try {
        await (listening ??= start());
      } catch (error) {
        leave();
        throw error;
      }
      return () => {
        leave();
        if (listeners.size === 0 && listening !== undefined) stop();
      };
    },
  };
}

/** How one of the libraries hears one channel; subscribing twice is subscribing once. */
interface Ear {
  subscribe(): Promise<void>;
  unsubscribe(): Promise<void>;
}

function createEar(subscriber: RedisSubscriber, channel: string, hear: (message: string) => void): Ear {
  if (!("call" in subscriber)) {
    return {
      subscribe: async () => void await subscriber.subscribe(channel, hear),
      unsubscribe: async () => void await subscriber.unsubscribe(channel, hear),
    };
  }
  function hearOwn(from: string, message: string): void {
    if (from === channel) hear(message);
  }
  return {
    async subscribe() {
      subscriber.off("message", hearOwn);
      subscriber.on("message", hearOwn);
      await subscriber.subscribe(channel);
    },
    async unsubscribe() {
      subscriber.off("message", hearOwn);
      await subscriber.unsubscribe(channel);
    },
  };
}
