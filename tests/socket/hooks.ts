// Puts a fake host between the library and everything that it calls.

import type { EventLog, NotificationBus, SocketBinderOptions, SubscriptionLookup, TokenSigner } from "@fhir-ws/binding";
import type { FakeHost } from "./fake_host.ts";

export function hookSubscriptions(host: FakeHost, lookup: SubscriptionLookup): SubscriptionLookup {
  return {
    read: (id, caller) => host.run("read", () => lookup.read(id, caller), id, caller),
    ...(lookup.activate && {
      activate: (id, caller) => host.run("activate", () => lookup.activate?.(id, caller), id, caller),
    }),
  };
}

export function hookSigner(host: FakeHost, signer: TokenSigner): TokenSigner {
  return {
    sign: (grant) => signer.sign(grant),
    verify: (token, now) => host.run("verify", () => signer.verify(token, now), token),
    ...(signer.redeem && {
      redeem: (grant, attempt) => host.run("redeem", () => signer.redeem?.(grant, attempt), grant, attempt),
    }),
    ...(signer.generations && {
      generations: (draft) => host.run("generations", () => signer.generations?.(draft) ?? [], draft),
    }),
    ...(signer.surviving && {
      surviving: (grants) => host.run("surviving", () => signer.surviving?.(grants) ?? [], grants),
    }),
    ...(signer.revocations && {
      revocations: () => host.run("revocations", () => signer.revocations?.() ?? 0),
    }),
  };
}

export function hookLog(host: FakeHost, log: EventLog): EventLog {
  return {
    append: (keys, event) => host.run("append", () => log.append(keys, event), keys, event),
    read: (key, after, limit) => host.run("log", () => log.read(key, after, limit), key, after, limit),
    heads: (keys) => host.run("heads", () => log.heads(keys), keys),
    drop: (key) => host.run("drop", () => log.drop(key), key),
  };
}

export function hookBus(host: FakeHost, bus: NotificationBus): NotificationBus {
  return {
    publish: (message) => host.run("publish", () => bus.publish(message), message),
    listen: (listener) =>
      host.run("listen", () => bus.listen((message) => void host.run("hear", () => listener(message), message))),
  };
}

/** The callbacks among the options, where a test gives them: their mere presence means something. */
export function hookHost(host: FakeHost, options: Partial<SocketBinderOptions>): Partial<SocketBinderOptions> {
  const { rateLimit, mayReceive, legacy } = options;
  return {
    ...options,
    ...(rateLimit && {
      rateLimit: (caller, action) => host.run("rate-limit", () => rateLimit(caller, action), caller, action),
    }),
    ...(mayReceive && {
      mayReceive: (event, subscription, caller) =>
        host.run("may-receive", () => mayReceive(event, subscription, caller), event, subscription, caller),
    }),
    ...(legacy && {
      legacy: {
        ...legacy,
        authenticate: (request) => host.run("authenticate", () => legacy.authenticate(request), request),
      },
    }),
  };
}
