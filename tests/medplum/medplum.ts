// As much of `@medplum/core` as the tests call; the packages are not there to be checked.

import type { SentFrame } from "./environment.ts";

type Resource = { readonly resourceType: string; readonly id?: string; readonly [name: string]: unknown };

export interface Emitter {
  addEventListener(
    type: string,
    listener: (event: {
      readonly payload?: {
        readonly subscriptionId?: string;
        readonly entry?: readonly { readonly resource?: Resource }[];
      };
    }) => void,
  ): void;
}

export interface MedplumClient {
  getProfileAsync(): Promise<unknown>;
  setActiveLogin(
    login: { readonly accessToken: string; readonly project: unknown; readonly profile: unknown },
  ): Promise<void>;
  subscribeToCriteria(criteria: string): Emitter;
  unsubscribeFromCriteria(criteria: string): void;
  getMasterSubscriptionEmitter(): Emitter;
  readResource(type: string, id: string): Promise<Resource>;
  createResource(resource: Resource): Promise<Resource>;
  updateResource(resource: Resource): Promise<Resource>;
}

export interface MedplumModule {
  readonly MedplumClient: new (options: {
    readonly baseUrl: string;
    readonly fetch: typeof fetch;
    readonly accessToken?: string;
  }) => MedplumClient;
}

/** What a client saw in its life. */
export interface Seen {
  /** Ids of Subscriptions, one for each handshake. */
  readonly connects: string[];
  /** The resources of the notifications. */
  readonly messages: (Resource | undefined)[];
  readonly errors: string[];
  heartbeats: number;
  disconnects: number;
  /** How many frames it had sent, and how many errors it had told of, at some moments. */
  readonly steps: {
    framesBeforeCut?: number;
    framesBeforeEnd?: number;
    errorsBeforeOutcome?: number;
    errorsBeforeCut?: number;
  };
  readonly frames: readonly SentFrame[];
}

/** As much of React, jsdom and the hooks as the test calls. */
export interface HookModules {
  readonly core: MedplumModule;
  readonly hooks: {
    readonly MedplumProvider: unknown;
    useSubscription(
      criteria: string,
      onNotification: (bundle: { readonly entry?: readonly { readonly resource?: Resource }[] }) => void,
      options: { readonly onSubscriptionConnect: (id: string) => void },
    ): void;
  };
  readonly react: { createElement(type: unknown, properties?: object, ...children: unknown[]): unknown };
  readonly dom: { createRoot(element: unknown): { render(element: unknown): void; unmount(): void } };
  readonly jsdom: {
    readonly JSDOM: new (html: string, options: object) => {
      readonly window: { readonly document: { getElementById(id: string): unknown } };
    };
  };
}

/** What the hook saw. */
export interface HookSeen {
  readonly connects: string[];
  readonly notes: unknown[];
  readonly frames: readonly SentFrame[];
}
